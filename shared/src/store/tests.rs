//! Slots, commits and conditions over the table in memory.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::{Attempt, Commit, Draft, Series, Slot, Store, When, attempts};
use crate::ports::{Disposition, Key, Outcome, PortError, Ports};
use crate::store::field;
use crate::testing::Memory;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lamp {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    hours: u32,
}

impl Lamp {
    fn burning(hours: u32) -> Self {
        Self { owner: None, hours }
    }
}

fn ports() -> Ports {
    Memory::new("2026-11-28T09:00:00Z".parse().unwrap(), 1).ports()
}

fn lamp(name: &str) -> Slot<Lamp> {
    Slot::at(Key::new("LAMPS".to_owned(), format!("LAMP#{name}")))
}

async fn commit(store: &Store, fill: impl FnOnce(&mut Commit) -> Result<(), PortError>) -> Outcome {
    let mut commit = Commit::new();
    fill(&mut commit).unwrap();
    store.commit(commit).await.unwrap()
}

async fn create(store: &Store, name: &str, hours: u32) -> Outcome {
    commit(store, |c| c.create(&lamp(name), &Lamp::burning(hours)).map(drop)).await
}

#[tokio::test]
async fn a_document_is_replaced_by_who_saw_its_last_state_only() {
    let store = Store::new(ports());
    assert!(create(&store, "a", 1).await.is_done());
    assert!(!create(&store, "a", 1).await.is_done(), "it is there already");
    let first = store.load(&lamp("a")).await.unwrap().unwrap();
    let second = store.load(&lamp("a")).await.unwrap().unwrap();
    let done = commit(&store, |c| c.replace(&first, &Lamp::burning(2)).map(drop)).await;
    assert!(done.is_done());
    let lost = commit(&store, |c| c.replace(&second, &Lamp::burning(3)).map(drop)).await;
    assert!(!lost.is_done());
    assert_eq!(store.read(&lamp("a")).await.unwrap(), Some(Lamp::burning(2)));
}

#[tokio::test]
async fn an_edit_counts_as_a_write() {
    let store = Store::new(ports());
    assert!(create(&store, "a", 1).await.is_done());
    let before = store.load(&lamp("a")).await.unwrap().unwrap();
    let edited = commit(&store, |c| {
        let when = field!(Lamp, hours).is(&1)?.and(field!(Lamp, owner).is(&None)?);
        let owner = field!(Lamp, owner).set(&Some("Ada".to_owned()))?;
        c.edit(&lamp("a"), when, [owner, field!(Lamp, hours).add(4)]);
        Ok(())
    });
    assert!(edited.await.is_done());
    let lost = commit(&store, |c| c.replace(&before, &Lamp::burning(9)).map(drop)).await;
    assert!(!lost.is_done());
    let now = store.read(&lamp("a")).await.unwrap().unwrap();
    assert_eq!(now, Lamp { owner: Some("Ada".to_owned()), hours: 5 });
}

#[tokio::test]
async fn a_document_made_anew_is_not_taken_for_the_one_that_was_read() {
    let store = Store::new(ports());
    assert!(create(&store, "a", 1).await.is_done());
    let before = store.load(&lamp("a")).await.unwrap().unwrap();
    let gone = commit(&store, |c| {
        c.delete(&lamp("a"));
        Ok(())
    });
    assert!(gone.await.is_done());
    assert!(create(&store, "a", 2).await.is_done());
    let lost = commit(&store, |c| c.replace(&before, &Lamp::burning(3)).map(drop)).await;
    assert!(!lost.is_done());
}

#[tokio::test]
async fn what_a_batch_wrote_is_replaced_once() {
    let ports = ports();
    let store = Store::new(ports.clone());
    let item = super::item(lamp("a"), &Lamp::burning(1)).unwrap();
    ports.table.put_many(vec![item]).await.unwrap();
    let first = store.load(&lamp("a")).await.unwrap().unwrap();
    let second = first.clone();
    let done = commit(&store, |c| c.replace(&first, &Lamp::burning(2)).map(drop)).await;
    assert!(done.is_done());
    let lost = commit(&store, |c| c.replace(&second, &Lamp::burning(3)).map(drop)).await;
    assert!(!lost.is_done());
}

#[tokio::test]
async fn a_refused_write_undoes_the_whole_commit() {
    let store = Store::new(ports());
    assert!(create(&store, "a", 1).await.is_done());
    let refused = commit(&store, |c| {
        c.create(&lamp("b"), &Lamp::burning(1))?;
        c.check(&lamp("a"), field!(Lamp, hours).is_below(&1)?);
        Ok(())
    });
    assert_eq!(refused.await, Outcome::Refused(vec![1]));
    assert_eq!(store.read(&lamp("b")).await.unwrap(), None);
}

#[tokio::test]
async fn a_series_gives_every_document_with_its_name() {
    let store = Store::new(ports());
    for n in 0..1_100 {
        assert!(create(&store, &format!("{n:04}"), n).await.is_done());
    }
    let series: Series<Lamp> = Series::under("LAMPS".to_owned(), "LAMP#".to_owned());
    let all = store.all(&series).await.unwrap();
    assert!(all.iter().enumerate().all(|(n, found)| found.hours as usize == n));
    assert_eq!((all.len(), series.name(&all[1_099])), (1_100, "1099"));
    let after = series.place("1097");
    let page = store.page(&series, Some(&after), 1).await.unwrap();
    assert_eq!(page.documents[0].hours, 1_098);
    assert_eq!(page.next.as_deref(), Some(series.place("1098").as_str()));
}

#[tokio::test]
async fn a_body_stays_with_its_document() {
    let store = Store::new(ports());
    let sealed = commit(&store, |c| {
        c.write(
            Draft::new(&lamp("a"), &Lamp::burning(1))?.body(vec![7]).until(9).when(When::absent()),
        )
        .map(drop)
    });
    assert!(sealed.await.is_done());
    let stored = store.load(&lamp("a")).await.unwrap().unwrap();
    assert_eq!((stored.body(), stored.expires_at()), (Some(&[7][..]), Some(9)));
}

#[tokio::test]
async fn rivals_all_get_their_turn() {
    let store = Store::new(ports());
    assert!(create(&store, "a", 0).await.is_done());
    let burn = || async {
        let slot = lamp("a");
        let burnt = store.update(&slot, |before, _| {
            let hours = before.map_or(0, |lamp| lamp.hours) + 1;
            Ok::<_, PortError>(Some(Lamp::burning(hours)))
        });
        burnt.await.unwrap()
    };
    futures::join!(burn(), burn(), burn(), burn(), burn(), burn());
    assert_eq!(store.read(&lamp("a")).await.unwrap(), Some(Lamp::burning(6)));
}

#[tokio::test]
async fn who_is_always_overtaken_is_told_to_come_again() {
    let tries = AtomicU32::new(0);
    let once = || async {
        tries.fetch_add(1, Ordering::Relaxed);
        Ok::<Attempt<()>, PortError>(Attempt::Overtaken)
    };
    let error = attempts(once).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Retry);
    assert_eq!(tries.load(Ordering::Relaxed), 21, "the first and twenty more");
}
