//! Places in lanes: activities about one record are logged in the order of their places.
//!
//! Who takes a place behind others rests there, noted at the place. Whoever leaves the place before
//! sends it on its way, in the same commit. So nobody asks again and again for their turn.

use super::{Activity, ActivityTarget, AtPlace, Lane};
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{ActivityId, WritebackMessage};
use crate::ports::PortError;
use crate::store::{Attempt, Commit, Store, attempts};
use crate::work::WorkError;

/// Gives an activity the next place in its target's lane, once the commit is done. If it is the
/// first there, it is sent on its way.
pub(super) async fn take_place(
    store: &Store,
    opened: &OpenGeneration,
    activity: ActivityId,
    target: &mut ActivityTarget,
    commit: &mut Commit,
) -> Result<(), PortError> {
    let slot = opened.keys.lane(target.lane);
    let before = store.load(&slot).await?;
    let mut lane = before.as_deref().copied().unwrap_or_default();
    target.place = lane.take_place();
    commit.save(&slot, before.as_ref(), &lane)?;
    if lane.is_turn_of(target.place) {
        commit.now(WritebackMessage::Activity { scope: opened.keys.scope(), activity });
    } else {
        commit.put(&opened.keys.place(target.lane, target.place), &AtPlace { activity })?;
    }
    Ok(())
}

/// True if everybody before an activity in its lane came to an end. If not, it rests at its place.
pub(super) async fn is_its_turn(
    store: &Store,
    opened: &OpenGeneration,
    activity: &Activity,
) -> Result<bool, WorkError> {
    let Some(target) = &activity.target else { return Ok(true) };
    attempts(|| async {
        let slot = opened.keys.lane(target.lane);
        let lane = store.load(&slot).await?;
        let present = lane.as_deref().copied().unwrap_or_default();
        if present.is_turn_of(target.place) {
            return Ok(Attempt::Done(true));
        }
        let place = opened.keys.place(target.lane, target.place);
        if store.load(&place).await?.is_some() {
            return Ok(Attempt::Done(false));
        }
        let mut commit = Commit::new();
        commit.put(&place, &AtPlace { activity: activity.id })?;
        // Whoever leaves meanwhile did not see it here: one of the two commits is refused.
        commit.save(&slot, lane.as_ref(), &present)?;
        Ok(Attempt::of(&store.commit(commit).await?, false))
    })
    .await
}

/// Ends an activity's turn in its lane, if it has a place in one, and sends on its way who rests at
/// the next place.
pub(super) async fn leave(
    store: &Store,
    opened: &OpenGeneration,
    activity: &Activity,
    commit: &mut Commit,
) -> Result<(), WorkError> {
    let target = activity.target.as_ref().filter(|target| target.has_place());
    let Some(target) = target else { return Ok(()) };
    let slot = opened.keys.lane(target.lane);
    let lane = store.load(&slot).await?;
    let present: Lane = lane.as_deref().copied().unwrap_or_default();
    if let Some(after) = present.without(target.place) {
        commit.save(&slot, lane.as_ref(), &after)?;
    }
    // It is read after the lane: whoever comes to rest there has the lane written anew.
    if present.given > target.place {
        let place = opened.keys.place(target.lane, target.place + 1);
        if let Some(next) = store.read(&place).await? {
            let (scope, activity) = (opened.keys.scope(), next.activity);
            commit.now(WritebackMessage::Activity { scope, activity });
            commit.delete(&place);
        }
    }
    Ok(())
}
