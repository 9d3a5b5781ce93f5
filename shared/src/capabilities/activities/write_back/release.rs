//! Sending on their way the activities that waited: for a login, for the connection, for a record.
//!
//! They go in the order in which they were done: each takes a new place at the end of the lane that
//! its record is in by now.

use std::pin::pin;

use futures::TryStreamExt;
use jiff::Timestamp;
use matching::EntityKind;
use serde::de::DeserializeOwned;

use super::{WriteBack, replace};
use crate::capabilities::activities::lanes::take_place;
use crate::capabilities::activities::target::{Link, lane_of};
use crate::capabilities::activities::{
    Activity, ActivityState, ActivityTarget, OUTSIDE_ITS_LANE, SeatEntry, SeatList,
};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::seats::{self, Seat};
use crate::kernel::{ActivityId, EntityId, Scope, SeatId, WritebackMessage};
use crate::store::{Attempt, Commit, Series, Slot, When, attempts};
use crate::work::{Done, WorkError, boxed};

/// How many documents one commit deletes.
const MOST_DELETED: usize = 50;

impl WriteBack {
    /// Sends the activities, of one seat or of all, that came to no end: those that waited for a
    /// grant, and those that are queued, since behind one that waited long their own messages may
    /// rest for hours. One that is sent twice is logged once: each activity knows its state.
    ///
    /// # Errors
    /// Those of the ports.
    #[must_use]
    #[boxed]
    pub async fn release(&self, scope: Scope, seat: Option<SeatId>) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        if let Some(seat) = seat {
            self.forget_seat(&opened, seat).await?;
            self.release_seat(&opened, seat).await?;
            return Ok(Done::Finished);
        }
        let mut seats = pin!(self.store.pages(seats::keys::seats(scope.tenant)));
        while let Some(page) = seats.try_next().await? {
            for seat in page {
                self.release_seat(&opened, seat.id).await?;
            }
        }
        Ok(Done::Finished)
    }

    /// Sends what waits of a seat, the earliest first.
    async fn release_seat(&self, opened: &OpenGeneration, seat: SeatId) -> Result<(), WorkError> {
        let list = SeatList::Pending;
        let series = opened.keys.seat_list(seat, &list);
        let mut pages = pin!(opened.store.pages(series.clone()));
        while let Some(page) = pages.try_next().await? {
            let names = page.iter().map(|marker| series.name(marker));
            let entries = names.filter_map(|name| SeatEntry::parse(&list, name));
            let ids: Vec<ActivityId> = entries.map(|entry| entry.activity).collect();
            self.release_all(opened, &ids).await?;
        }
        Ok(())
    }

    /// Sends the activities that waited for the record of an entity.
    ///
    /// # Errors
    /// Those of the ports.
    #[must_use]
    #[boxed]
    pub async fn linked(
        &self,
        scope: Scope,
        kind: EntityKind,
        entity: &EntityId,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let name = opened.sealer.name(entity.as_str());
        let waiting = opened.keys.all_waiting(kind, &name);
        let mut pages = pin!(opened.store.pages(waiting.clone()));
        let mut all: Vec<ActivityId> = Vec::new();
        while let Some(page) = pages.try_next().await? {
            let names = page.iter().map(|marker| waiting.name(marker));
            all.extend(names.filter_map(|name| name.parse::<ActivityId>().ok()));
        }
        self.release_all(&opened, &all).await?;
        Ok(Done::Finished)
    }

    /// Sends some activities, the earliest first.
    async fn release_all(
        &self,
        opened: &OpenGeneration,
        ids: &[ActivityId],
    ) -> Result<(), WorkError> {
        let slots: Vec<_> = ids.iter().map(|id| opened.keys.activity(*id)).collect();
        let mut waiting = opened.store.load_many(slots).await?;
        waiting.retain(|waiting| waiting.state.is_open());
        waiting.sort_by_key(|waiting| since(waiting));
        for waiting in waiting {
            self.release_one(opened, waiting.id).await?;
        }
        Ok(())
    }

    /// Sends an activity. One on hold takes a place in the lane of its record first.
    async fn release_one(&self, opened: &OpenGeneration, id: ActivityId) -> Result<(), WorkError> {
        attempts(|| async {
            let Some(before) = opened.store.load(&opened.keys.activity(id)).await? else {
                return Ok(Attempt::Done(()));
            };
            let mut commit = Commit::new();
            let target = match before.state {
                ActivityState::Held { .. } => target_now(opened, &before).await?,
                _ => None,
            };
            // Of one without a record, its handling tells what it waits for.
            let Some(mut target) = target else {
                commit.now(WritebackMessage::Activity { scope: opened.keys.scope(), activity: id });
                let winner = "nobody: a due item has no condition";
                self.store.commit(commit).await?.may_lose_to(winner);
                return Ok(Attempt::Done(()));
            };
            take_place(&self.store, opened, id, &mut target, &mut commit).await?;
            let (state, target) = (ActivityState::Queued, Some(target));
            let after = Activity { state, target, tries: 0, ..Activity::clone(&before) };
            replace(&mut commit, opened, &before, &after)?;
            opened.check_at_home(&mut commit)?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, ()))
        })
        .await
    }

    /// Deletes what a seat said of its conversations, and its list of failures, once it is removed.
    async fn forget_seat(&self, opened: &OpenGeneration, seat: SeatId) -> Result<(), WorkError> {
        let slot = seats::keys::seat(opened.keys.scope().tenant, seat);
        if self.store.load(&slot).await?.is_some() {
            return Ok(());
        }
        self.forget(opened, &slot, opened.keys.conversations_of(seat)).await?;
        self.forget(opened, &slot, opened.keys.seat_list(seat, &SeatList::Failed)).await
    }

    async fn forget<T: DeserializeOwned + Send>(
        &self,
        opened: &OpenGeneration,
        slot: &Slot<Seat>,
        series: Series<T>,
    ) -> Result<(), WorkError> {
        let mut pages = pin!(opened.store.pages(series));
        while let Some(page) = pages.try_next().await? {
            for some in page.chunks(MOST_DELETED) {
                let mut commit = Commit::new();
                // Whoever posts with a seat's name again is another seat.
                commit.check(slot, When::absent());
                for said in some {
                    commit.delete(&said.slot());
                }
                let winner = "the same seat, which was added again";
                opened.store.commit(commit).await?.may_lose_to(winner);
            }
        }
        Ok(())
    }
}

/// The order in which activities that waited are sent: as they were done, and of one moment as they
/// stood in their lane.
fn since(activity: &Activity) -> (Timestamp, u64) {
    let place = activity.target.as_ref().filter(|target| target.has_place());
    (activity.occurred_at, place.map_or(u64::MAX, |target| target.place))
}

/// The record that an activity is about by now, outside its lane; none while there is none.
async fn target_now(
    opened: &OpenGeneration,
    activity: &Activity,
) -> Result<Option<ActivityTarget>, WorkError> {
    let link = Link::of(opened, activity.entity_kind, &activity.entity).await?;
    let Some(record) = link.record() else { return Ok(None) };
    let lane = lane_of(opened, record).await?;
    let (object, place) = (record.object, OUTSIDE_ITS_LANE);
    Ok(Some(ActivityTarget { object, record: record.id, lane, place }))
}
