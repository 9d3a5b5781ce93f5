//! The keys of tenants, their seats and their votes.

use super::{CrmVote, EmailClaim, Seat, SeatMapping, Tenant, UserMapping};
use crate::kernel::{SeatId, TenantId, folded_email};
use crate::ports::Key;
use crate::salesforce::SalesforceId;
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Marker, Series, Slot};

/// A tenant.
#[must_use]
pub fn tenant(tenant: TenantId) -> Slot<Tenant> {
    Slot::at(Key::new(format!("TEN#{tenant}"), "TENANT".to_owned()))
}

/// The partition of the list of tenants.
pub const TENANTS: &str = "TENANTS";

/// A tenant's entry in the list of all.
#[must_use]
pub fn tenant_entry(tenant: TenantId) -> Slot<Marker> {
    Slot::at(Key::new(TENANTS.to_owned(), tenant.to_string()))
}

/// The list of all tenants, the one that was made first at its begin.
#[must_use]
pub(crate) fn tenant_entries() -> Series<Marker> {
    Series::whole(TENANTS.to_owned())
}

/// A seat.
#[must_use]
pub fn seat(tenant: TenantId, seat: SeatId) -> Slot<Seat> {
    Slot::at(Key::new(format!("TEN#{tenant}"), format!("SEAT#{seat}")))
}

/// The claim to an e-mail address among a tenant's seats. The key shows no address.
#[must_use]
pub fn email_claim(tenant: TenantId, email: &str) -> Slot<EmailClaim> {
    let hash = blake3::hash(folded_email(email).as_bytes()).to_hex();
    Slot::at(Key::new(format!("TEN#{tenant}"), format!("EMAIL#{}", &hash[..32])))
}

impl GenerationKeys {
    /// The CRM user that an admin chose for a seat.
    #[must_use]
    pub fn seat_mapping(&self, seat: SeatId) -> Slot<SeatMapping> {
        Slot::at(self.single(Kind::Grant, format!("CRMUSER#{seat}")))
    }

    /// The seat that an admin chose a CRM user for.
    #[must_use]
    pub fn user_mapping(&self, user: SalesforceId) -> Slot<UserMapping> {
        Slot::at(self.single(Kind::Grant, format!("CRMSEAT#{user}")))
    }
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
