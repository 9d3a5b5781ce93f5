//! Places in lanes: activities about one record are logged in the order of their places.

use super::{Activity, ActivityTarget, Lane};
use crate::capabilities::custody::OpenGeneration;
use crate::ports::PortError;
use crate::store::{Commit, Store};
use crate::work::WorkError;

/// Gives the target the next place in its lane, once the commit is done.
pub(super) async fn take_place(
    store: &Store,
    opened: &OpenGeneration,
    target: &mut ActivityTarget,
    commit: &mut Commit,
) -> Result<(), PortError> {
    let slot = opened.keys.lane(target.lane);
    let before = store.load(&slot).await?;
    let mut lane = before.as_deref().copied().unwrap_or_default();
    target.place = lane.take_place();
    commit.save(&slot, before.as_ref(), &lane)?;
    Ok(())
}

/// True if everybody before an activity in its lane came to an end.
pub(super) async fn is_its_turn(
    store: &Store,
    opened: &OpenGeneration,
    activity: &Activity,
) -> Result<bool, WorkError> {
    let Some(target) = &activity.target else { return Ok(true) };
    let lane: Lane = store.read(&opened.keys.lane(target.lane)).await?.unwrap_or_default();
    Ok(lane.is_turn_of(target.place))
}

/// Ends an activity's turn in its lane, if it has a place in one.
pub(super) async fn leave(
    store: &Store,
    opened: &OpenGeneration,
    activity: &Activity,
    commit: &mut Commit,
) -> Result<(), WorkError> {
    let Some(target) = &activity.target else { return Ok(()) };
    let slot = opened.keys.lane(target.lane);
    let lane = store.load(&slot).await?;
    let present: Lane = lane.as_deref().copied().unwrap_or_default();
    if let Some(after) = present.without(target.place) {
        commit.save(&slot, lane.as_ref(), &after)?;
    }
    Ok(())
}
