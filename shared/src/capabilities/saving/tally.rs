//! Counting what a list holds, so that it has an end.
//!
//! The count changes in the transaction that an entry comes or goes in, so it is right at any
//! moment. A list of before there were counts is counted when something first comes to it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::pin::pin;

use futures::stream::TryStreamExt;

use super::{SavedList, Tally};
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{AutoSaveMessage, SeatId};
use crate::ports::PortError;
use crate::store::{Attempt, Commit, Stored, When, attempts, field};

/// How much a list holds, as of now; it is counted if nobody did so before.
pub(super) async fn tally_of(
    opened: &OpenGeneration,
    seat: SeatId,
    list: SavedList,
) -> Result<Tally, PortError> {
    let slot = opened.keys.tally(seat, list);
    attempts(|| async {
        if let Some(tally) = opened.store.read(&slot).await? {
            return Ok(Attempt::Done(tally));
        }
        let mut entries = 0_u32;
        let saved = opened.keys.saved_list(seat, list.as_str());
        let mut pages = pin!(opened.store.pages(saved));
        while let Some(page) = pages.try_next().await? {
            entries = entries.saturating_add(u32::try_from(page.len()).unwrap_or(u32::MAX));
        }
        let tally = Tally { seat, list, entries, full_since: None };
        let mut commit = Commit::new();
        commit.create(&slot, &tally)?;
        Ok(Attempt::of(&opened.store.commit(commit).await?, tally))
    })
    .await
}

/// How much some lists hold, by one read where they are counted.
pub(super) async fn tallies(
    opened: &OpenGeneration,
    lists: impl Iterator<Item = (SeatId, SavedList)>,
) -> Result<BTreeMap<(SeatId, SavedList), Tally>, PortError> {
    let lists: Vec<_> = lists.collect();
    let slots = lists.iter().map(|&(seat, list)| opened.keys.tally(seat, list));
    let known = opened.store.load_many(slots).await?.into_iter().map(Stored::into_inner);
    let mut tallies: BTreeMap<_, _> =
        known.map(|tally| ((tally.seat, tally.list), tally)).collect();
    for (seat, list) in lists {
        if let Entry::Vacant(uncounted) = tallies.entry((seat, list)) {
            uncounted.insert(tally_of(opened, seat, list).await?);
        }
    }
    Ok(tallies)
}

/// Adds to a commit that so many entries come to a list that is counted. It is refused if the list
/// has more than `most` then.
pub(super) fn count_in(
    commit: &mut Commit,
    opened: &OpenGeneration,
    (seat, list): (SeatId, SavedList),
    entries: u32,
    most: u32,
) -> Result<(), PortError> {
    let bound = most.saturating_sub(entries).saturating_add(1);
    let has_room = field!(Tally, entries).is_below(&bound)?;
    let more = field!(Tally, entries).add(entries.into());
    commit.edit(&opened.keys.tally(seat, list), has_room, [more]);
    Ok(())
}

/// Adds to a commit that so many entries leave a list, if it is counted. A list that left something
/// out has room then, so that everything of its seat is looked at again.
pub(super) async fn count_out(
    commit: &mut Commit,
    opened: &OpenGeneration,
    (seat, list): (SeatId, SavedList),
    entries: u32,
) -> Result<(), PortError> {
    let slot = opened.keys.tally(seat, list);
    let Some(tally) = opened.store.read(&slot).await? else {
        commit.check(&slot, When::absent());
        return Ok(());
    };
    let mut edits = vec![field!(Tally, entries).add(-i64::from(entries))];
    if tally.full_since.is_some() {
        edits.push(field!(Tally, full_since).remove());
        commit.now(AutoSaveMessage::Seat { scope: opened.keys.scope(), seat });
    }
    commit.edit(&slot, When::exists(), edits);
    Ok(())
}
