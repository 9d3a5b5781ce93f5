//! The lease that lets one settlement at a time work on a connection's matches.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::capabilities::custody::OpenGeneration;
use crate::kernel::LeaseToken;
use crate::ports::PortError;
use crate::store::field;
use crate::store::{Commit, Draft, Store, When};
use crate::work::WorkError;

/// How long a settlement may take as a function on AWS: its timeout is shorter, so that nobody
/// loses the lease while at work. Who loses it all the same writes nothing any more, and comes
/// again.
pub const SETTLE_LEASE: SignedDuration = SignedDuration::from_secs(310);

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleLease {
    /// The holder.
    pub lease: LeaseToken,
    /// The lease is the holder's until then (Unix seconds).
    pub until: i64,
}

/// Takes the lease of a generation, from now on for this long, unless another settlement has it.
/// `entropy` tells holders apart.
pub(super) async fn acquire(
    store: &Store,
    generation: &OpenGeneration,
    (now, length): (Timestamp, SignedDuration),
    entropy: u128,
) -> Result<Option<LeaseToken>, WorkError> {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let lease = LeaseToken::new(millis, entropy);
    let document = SettleLease { lease, until: (now + length).as_second() };
    let is_free = When::absent().or(field!(SettleLease, until).is_below(&now.as_second())?);
    let mut commit = Commit::new();
    commit.write(Draft::new(&generation.keys.settle_lease(), &document)?.when(is_free))?;
    Ok(store.commit(commit).await?.is_done().then_some(lease))
}

/// Gives the lease back.
pub(super) async fn release(
    store: &Store,
    generation: &OpenGeneration,
    lease: LeaseToken,
) -> Result<(), WorkError> {
    let mut commit = Commit::new();
    let slot = generation.keys.settle_lease();
    commit.delete_when(&slot, field!(SettleLease, lease).is(&lease)?);
    let winner = "a settlement that took the lease over when it ran out";
    store.commit(commit).await?.may_lose_to(winner);
    Ok(())
}

/// Whether the lease is still this holder's.
pub(super) async fn is_held(
    store: &Store,
    generation: &OpenGeneration,
    lease: LeaseToken,
) -> Result<bool, PortError> {
    let found = store.read(&generation.keys.settle_lease()).await?;
    Ok(found.is_some_and(|found| found.lease == lease))
}

/// Adds the check that shuts out a settlement whose lease ran out.
pub(super) fn check_lease(
    commit: &mut Commit,
    generation: &OpenGeneration,
    lease: LeaseToken,
) -> Result<(), PortError> {
    let slot = generation.keys.settle_lease();
    commit.check(&slot, field!(SettleLease, lease).is(&lease)?);
    Ok(())
}
