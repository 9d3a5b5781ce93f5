//! Killed between any two steps, also between commit and send; delivered twice, and backwards; with
//! every message lost: the end is always the same.

use std::path::Path;

use serde_json::Value;
use shared::capabilities::activities::{ActivityKind, ActivityText, LogWish, NewActivity};
use shared::kernel::{Grantee, ImportMessage, ImportRunId, ImportTrigger, SObject, SeatId};
use shared::matching::EntityKind;
use shared::store::Next;
use tests::Home;
use tests::world::{Delivery, World, WorldOptions};

use super::observe::{Seen, lists, see};
use super::org::{directory, json_of, tiny};

const ADMIN: &str = "crm.integration@acme.example";
const SELLER: &str = "noor.castellan@acme.example";

const NOTHING: [&str; 0] = [];

in_both_homes!(
    delivered_twice_and_backwards_the_end_is_the_same,
    when_every_message_is_lost_at_first_the_due_items_make_it_good,
);

/// Where the process dies, counted in calls to ports from the start of the job; whether after the
/// call's effect.
pub(super) type Death = Option<(u64, bool)>;

/// The whole job up to the second import: what is there in the end, and how many calls it took.
async fn job(folder: &Path, home: Home, delivery: Delivery, death: Death) -> (Seen, u64) {
    let world = World::with(folder, WorldOptions { home, ..WorldOptions::default() }).await;
    job_in(world, folder, delivery, death).await
}

/// As [`job`], in a world that was made ready for it.
pub(super) async fn job_in(
    mut world: World,
    folder: &Path,
    delivery: Delivery,
    death: Death,
) -> (Seen, u64) {
    world.delivery = delivery;
    for seat in json_of(folder, "seats.json").as_array().unwrap() {
        world.seat(seat["email"].as_str().unwrap()).await;
    }
    world.publish(None, &directory(folder)).await;
    log_in(&world, Grantee::Admin, ADMIN).await;
    let before = world.fuse.calls();
    if let Some((n, after)) = death {
        world.fuse.light(n, after);
    }
    world.run().await;
    world.fuse.pause();
    post_activities(&world).await;
    world.fuse.resume();
    world.run().await;
    world.fuse.pause();
    start_second_import(folder, &world).await;
    world.fuse.resume();
    world.run().await;
    let calls = world.fuse.calls() - before;
    world.fuse.pause();
    (see(&world).await, calls)
}

/// Logs in, and again where that failed, as a person does.
async fn log_in(world: &World, grantee: Grantee, username: &str) {
    let mut tried = world.authorize(grantee, username).await;
    for _ in 0..2 {
        if tried.is_err() {
            tried = world.authorize(grantee, username).await;
        }
    }
    tried.unwrap();
}

async fn post_activities(world: &World) {
    let seat = SeatId::derived(SELLER);
    log_in(world, Grantee::Seat(seat), SELLER).await;
    let contacts = lists(world, SObject::Contact).await;
    let matched = contacts.iter().filter_map(|l| l.matched.clone());
    for (n, entity) in matched.take(2).enumerate() {
        for kind in [ActivityKind::Message, ActivityKind::Inmail, ActivityKind::Note] {
            let new = NewActivity {
                seat,
                idempotency_key: format!("{n} {kind:?}"),
                kind,
                entity_kind: EntityKind::Person,
                entity: entity.clone(),
                occurred_at: "2026-11-20T15:00:00Z".parse().unwrap(),
                text: ActivityText {
                    subject: Some("Hello".into()),
                    body: "Hello there".into(),
                    ..ActivityText::default()
                },
                opportunity: None,
                source: None,
                wish: LogWish::default(),
            };
            world.functions.activities.post(world.at(), new).await.unwrap();
        }
    }
}

async fn start_second_import(folder: &Path, world: &World) {
    world.control().advance(3600);
    for change in json_of(folder, "changes.json")["changes"].as_array().unwrap() {
        apply(world, change);
    }
    world.control().advance(60);
    let scope = world.connection().await.scope();
    let run = ImportRunId::derived("second");
    let message = ImportMessage::Start { scope, run, trigger: ImportTrigger::Requested };
    let begun = world.functions.outbox.commit(vec![], vec![Next::now(message)]).await.unwrap();
    assert!(begun.is_done());
}

/// The changes that concern rows of this small part of the org.
fn apply(world: &World, change: &Value) {
    let control = world.control();
    let id = change["id"].as_str().unwrap_or_default();
    if control.record(&world.org, id).is_ok() && change["op"] == "update" {
        control.update(&world.org, id, &change["fields"]).unwrap();
    }
}

async fn delivered_twice_and_backwards_the_end_is_the_same(home: Home) {
    let folder = tiny();
    let (plain, _) = job(folder.path(), home, Delivery::Plain, None).await;
    let (doubled, _) = job(folder.path(), home, Delivery::TwiceAndBackwards, None).await;
    assert_eq!(plain.differences(&doubled), NOTHING);
    assert_eq!(plain.written().len(), 6, "two contacts, three activities each");
    assert!(doubled.written().values().all(|rows| *rows == 1), "{:?}", doubled.written());
}

async fn when_every_message_is_lost_at_first_the_due_items_make_it_good(home: Home) {
    let folder = tiny();
    let (plain, _) = job(folder.path(), home, Delivery::Plain, None).await;
    let (lossy, _) = job(folder.path(), home, Delivery::Lossy, None).await;
    assert_eq!(plain.differences(&lossy), NOTHING);
}

/// Dies at every `usual`th call, or at every `CRM_SYNC_KILL_EVERY`th, now before and now after its
/// effect; how often it died.
#[expect(clippy::disallowed_methods, reason = "how far a person wants to search is asked here")]
async fn dies_everywhere(home: Home, usual: u64, offset: u64) -> u32 {
    let asked = std::env::var("CRM_SYNC_KILL_EVERY").ok().and_then(|text| text.parse().ok());
    let stride = asked.unwrap_or(usual);
    let folder = tiny();
    let (plain, calls) = job(folder.path(), home, Delivery::Plain, None).await;
    assert!(plain.written().values().all(|rows| *rows == 1));
    let mut deaths = 0;
    for n in (1 + offset..calls).step_by(usize::try_from(stride).unwrap()) {
        let after = (n / stride).is_multiple_of(2);
        let (killed, _) = job(folder.path(), home, Delivery::Plain, Some((n, after))).await;
        let differences = plain.differences(&killed);
        assert_eq!(differences, NOTHING, "killed at call {n}, after its effect: {after}");
        deaths += 1;
    }
    deaths
}

#[tokio::test]
async fn killed_at_any_call_the_end_is_the_same() {
    let deaths = dies_everywhere(Home::Memory, 31, 0).await;
    assert!(deaths > 20, "died {deaths} times");
}

#[tokio::test]
async fn killed_on_one_machine_the_end_is_the_same() {
    let deaths = dies_everywhere(Home::OneMachine, 131, 5).await;
    assert!(deaths > 5, "died {deaths} times");
}

#[tokio::test]
async fn both_homes_come_to_the_same_end() {
    let folder = tiny();
    let (memory, _) = job(folder.path(), Home::Memory, Delivery::Plain, None).await;
    let (machine, _) = job(folder.path(), Home::OneMachine, Delivery::Plain, None).await;
    assert_eq!(memory.differences(&machine), NOTHING);
}
