//! A customer contract and its seats.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{SeatId, TenantId};

/// A customer contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// The customer's name.
    pub name: String,
    /// True if the contract includes CRM sync at all.
    pub entitled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A role of a caller or a seat. Each may have several: an admin without `Seat` configures, and
/// does not sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Configures the connection and sees its reports.
    Admin,
    /// Sells.
    Seat,
    /// Sees reports.
    Reporting,
    /// The vendor's representative: percentages only.
    VendorRep,
    /// The product's own back end.
    Service,
}

/// A licensed user of the product. The seat joins the CRM user of the same e-mail address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Its id.
    pub id: SeatId,
    /// The customer whose contract it belongs to.
    pub tenant: TenantId,
    /// The e-mail address, compared without case.
    pub email: String,
    /// The user's name.
    pub name: String,
    /// The user's time zone, an IANA name: it says on which day an activity was.
    pub time_zone: String,
    /// The user's roles.
    pub roles: BTreeSet<Role>,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The form in which e-mail addresses are compared when users are joined to seats.
#[must_use]
pub fn folded_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// A vote for another CRM than Salesforce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrmVote {
    /// The other CRM.
    pub crm: String,
    /// When the tenant asked for it first.
    pub voted_at: Timestamp,
}
