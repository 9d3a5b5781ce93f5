//! Changes that a seller approves together. Each is made, and undone, by itself: a bulk only names
//! them.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::show::by_id;
use super::take_in::digest;
use super::{Change, ChangeError, ChangeValues, Changes, NewChange};
use crate::capabilities::custody::{LookupError, OpenGeneration};
use crate::capabilities::{seats, settings};
use crate::kernel::{BulkId, ChangeId, SeatId, TenantEnvironment};
use crate::store::{Attempt, Commit, When, attempts};
use crate::work::boxed;

/// How many changes a bulk has.
pub const MOST_IN_BULK: usize = 100;

/// How many of them are taken in, shown or undone at once.
const BESIDE: usize = 8;

/// Changes that a seller approved together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulk {
    /// Its id, derived from the seat and the caller's idempotency key.
    pub id: BulkId,
    /// Whose it is.
    pub seat: SeatId,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// The digest of the request, to tell a repetition from a reused key.
    pub digest: String,
    /// Its changes, in the order of the request. Of one that was refused at once there is none.
    pub changes: Vec<ChangeId>,
}

/// What became of one change of a bulk: the change, or why there is none.
pub type BulkOutcome = Result<Change, ChangeError>;

impl Changes {
    /// Takes changes in that a seller approved together. Each is taken in by itself: what one is
    /// refused for stops no other. A repetition goes on where an earlier call was cut off. The
    /// outcomes are in the order of the changes given.
    ///
    /// # Errors
    /// When the admin has not turned it on; and what no change could be taken in for: that call may
    /// be repeated as it is.
    #[must_use]
    #[boxed]
    pub async fn post_bulk(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        key: &str,
        wanted: Vec<NewChange>,
    ) -> Result<(Bulk, Vec<BulkOutcome>), ChangeError> {
        let kept = self.store.read(&settings::keys::settings(at)).await?.unwrap_or_default();
        if !kept.settings.bulk_changes {
            return Err(ChangeError::TurnedOff("bulk_changes"));
        }
        let digests = wanted.iter().map(digest).collect::<Result<Vec<_>, _>>()?;
        let id = BulkId::derived(&format!("{}|{seat}|{key}", at.environment));
        let bulk = Bulk {
            id,
            seat,
            asked_at: self.ports.clock.now(),
            digest: blake3::hash(digests.concat().as_bytes()).to_hex()[..32].to_owned(),
            changes: (0..wanted.len()).map(|n| ChangeId::derived(&format!("{id}|{n}"))).collect(),
        };
        let bulk = self.begin_bulk(at, bulk).await?;
        let changes = stream::iter(bulk.changes.iter().copied().zip(wanted));
        let taken = changes.map(async |(id, new)| of_one(self.take_in(at, id, new).await));
        let taken = taken.buffered(BESIDE).try_collect().await?;
        Ok((bulk, taken))
    }

    /// A bulk, with its changes as they stand, and the generation that it belongs to.
    ///
    /// # Errors
    /// When there is none.
    #[must_use]
    #[boxed]
    pub async fn bulk(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        id: BulkId,
    ) -> Result<(OpenGeneration, Bulk, Vec<(Change, ChangeValues)>), ChangeError> {
        let opened = self.custody.shown(at).await?;
        let bulk: Option<Bulk> = opened.store.read(&opened.keys.bulk(seat, id)).await?;
        let bulk = bulk.ok_or(LookupError::NotFound("bulk"))?;
        let mut found = by_id(&opened, seat, &bulk.changes).await?;
        let changes = bulk.changes.iter().filter_map(|id| found.remove(id)).collect();
        Ok((opened, bulk, changes))
    }

    /// Sets out to undo what of a bulk is made, each change by itself. The outcomes are in the
    /// order of the bulk: the undoing of each change, or why there is none.
    ///
    /// # Errors
    /// When there is no such bulk.
    #[must_use]
    #[boxed]
    pub async fn undo_bulk(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        id: BulkId,
    ) -> Result<Vec<BulkOutcome>, ChangeError> {
        let (_, _, changes) = self.bulk(at, seat, id).await?;
        let undone = stream::iter(changes);
        let undone = undone.map(async |(change, _)| of_one(self.undo(at, seat, change.id).await));
        undone.buffered(BESIDE).try_collect().await
    }

    /// The bulk as it was asked for first.
    async fn begin_bulk(&self, at: TenantEnvironment, bulk: Bulk) -> Result<Bulk, ChangeError> {
        attempts(|| async {
            let opened = self.at_work(at).await?;
            let slot = opened.keys.bulk(bulk.seat, bulk.id);
            if let Some(earlier) = opened.store.read(&slot).await? {
                let is_same = earlier.digest == bulk.digest;
                return is_same.then_some(Attempt::Done(earlier)).ok_or(ChangeError::KeyReused);
            }
            let seat = seats::keys::seat(at.tenant, bulk.seat);
            if self.store.load(&seat).await?.is_none() {
                return Err(ChangeError::NoSeat);
            }
            let mut commit = Commit::new();
            commit.check(&seat, When::exists());
            opened.check_at_home(&mut commit)?;
            commit.create(&slot, &bulk)?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, bulk.clone()))
        })
        .await
    }
}

/// What one change is refused for is its own; what fails otherwise fails the call.
fn of_one(outcome: BulkOutcome) -> Result<BulkOutcome, ChangeError> {
    match outcome {
        Err(
            error @ (ChangeError::TurnedOff(_)
            | ChangeError::Invalid(_)
            | ChangeError::Conflict(_)
            | ChangeError::KeyReused),
        ) => Ok(Err(error)),
        other => other.map(Ok),
    }
}
