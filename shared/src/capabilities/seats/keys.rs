//! The keys of tenants, their seats and their votes.

use super::{CrmVote, Seat, Tenant};
use crate::kernel::{SeatId, TenantId};
use crate::ports::Key;
use crate::store::{Series, Slot};

/// A tenant.
#[must_use]
pub fn tenant(tenant: TenantId) -> Slot<Tenant> {
    Slot::at(Key::new(format!("TEN#{tenant}"), "TENANT".to_owned()))
}

/// A seat.
#[must_use]
pub fn seat(tenant: TenantId, seat: SeatId) -> Slot<Seat> {
    Slot::at(Key::new(format!("TEN#{tenant}"), format!("SEAT#{seat}")))
}

/// A tenant's seats.
#[must_use]
pub fn seats(tenant: TenantId) -> Series<Seat> {
    Series::under(format!("TEN#{tenant}"), "SEAT#".to_owned())
}

/// A tenant's vote for another CRM.
#[must_use]
pub fn crm_vote(tenant: TenantId, crm: &str) -> Slot<CrmVote> {
    Slot::at(Key::new(format!("TEN#{tenant}"), format!("VOTE#{crm}")))
}

/// A tenant's votes.
#[must_use]
pub fn crm_votes(tenant: TenantId) -> Series<CrmVote> {
    Series::under(format!("TEN#{tenant}"), "VOTE#".to_owned())
}
