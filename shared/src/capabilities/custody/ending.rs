//! The end of a seat's grant, where somebody ends it: the seller or an admin, or the product's back
//! end with the seat.
//!
//! Who ends it cannot open it. So it is marked first, and nobody uses it from then on. A step that
//! can open it makes of it a grant that was replaced, which is revoked however long that takes.

use std::time::Duration;

use jiff::Timestamp;

use super::grants::seat_token;
use super::{Grants, OpenGeneration};
use crate::kernel::{GrantState, PurgeMessage, SeatId};
use crate::ports::{PortError, Purpose};
use crate::store::keys::GenerationKeys;
use crate::store::{Attempt, Commit, Stored, When, attempts, field};
use crate::work::{Done, WorkError};

/// Adds to the commit the end of a seat's grant as it was read; where there was none, that there is
/// none still.
pub(crate) fn end_seat_grant(
    commit: &mut Commit,
    keys: &GenerationKeys,
    seat: SeatId,
    grant: Option<&Stored<GrantState>>,
) -> Result<(), PortError> {
    let slot = keys.seat_grant(seat);
    let Some(grant) = grant else {
        commit.check(&slot, When::absent());
        return Ok(());
    };
    let ended = field!(GrantState, alive).set(&false)?;
    commit.edit(&slot, When::unchanged(grant), [ended]);
    let (scope, authorized_at) = (keys.scope(), grant.authorized_at);
    commit.now(PurgeMessage::EndGrant { scope, seat, authorized_at });
    Ok(())
}

impl Grants {
    /// Has a seat's grant that was ended revoked. One that the seat gave since stays. A renewal
    /// that was under way ends first: the token that it brings is the one to revoke.
    pub(crate) async fn give_seat_grant_back(
        &self,
        opened: &OpenGeneration,
        seat: SeatId,
        authorized_at: Timestamp,
    ) -> Result<Done, WorkError> {
        let slot = opened.keys.seat_grant(seat);
        attempts(|| async {
            let grant = self.store.load(&slot).await?;
            let is_ended =
                |grant: &Stored<GrantState>| !grant.alive && grant.authorized_at == authorized_at;
            let Some(grant) = grant.filter(is_ended) else {
                return Ok(Attempt::Done(Done::Finished));
            };
            let left = grant.lease_until - self.ports.clock.now().as_second();
            if let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) {
                return Ok(Attempt::Done(Done::Later(Duration::from_secs(left))));
            }
            let sealer = self.sealer(opened, Purpose::SeatGrants).await?;
            let token = seat_token(&sealer, &grant);
            let mut commit = Commit::new();
            commit.delete_when(&slot, When::unchanged(&grant));
            if let Some(token) = token {
                self.add_replaced(&mut commit, opened, self.random(), &token).await?;
            }
            Ok(Attempt::of(&self.store.commit(commit).await?, Done::Finished))
        })
        .await
    }
}
