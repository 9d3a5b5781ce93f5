//! What a seller's doing waits for before anything else about it matters.

use super::HoldReason;
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{Connection, ConnectionState, Grantee, SeatId};
use crate::ports::{PortError, Ports};
use crate::store::{Commit, Store, When, field};

/// The seller's login, or the connection, where that must come first; none when both work. The
/// commit is done only while that is so: whoever ends the wait afterwards finds what waits.
pub(crate) async fn reason_to_wait(
    ports: &Ports,
    opened: &OpenGeneration,
    seat: SeatId,
    commit: &mut Commit,
) -> Result<Option<HoldReason>, PortError> {
    let state = opened.connection.state;
    let is_still = field!(Connection, state).is(&state)?;
    opened.check_at_home_and(is_still, commit)?;
    if state != ConnectionState::Connected {
        return Ok(Some(HoldReason::ReconnectRequired));
    }
    let (slot, grantee) = (opened.keys.seat_grant(seat), Grantee::Seat(seat));
    let grant = Store::new(ports.clone()).load(&slot).await?;
    let now = ports.clock.now();
    if grant.as_ref().is_some_and(|grant| grant.is_usable(grantee, now)) {
        return Ok(None);
    }
    commit.check(&slot, grant.as_ref().map_or_else(When::absent, When::unchanged));
    Ok(Some(HoldReason::CrmLoginRequired))
}
