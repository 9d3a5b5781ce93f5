//! A customer contract, its seats and its settings.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{SeatId, TenantId};

/// A customer contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// The customer's name.
    pub name: String,
    /// Whether the contract includes CRM sync at all.
    pub entitled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a caller or a seat may do. A set: an admin without `Seat` configures, and does not sell.
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
    /// Whose contract it belongs to.
    pub tenant: TenantId,
    /// The e-mail address, compared without case.
    pub email: String,
    /// The user's name.
    pub name: String,
    /// The user's time zone, an IANA name: the day of an activity is theirs.
    pub time_zone: String,
    /// What the user may do.
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
    /// Which one.
    pub crm: String,
    /// When the tenant asked for it first.
    pub voted_at: Timestamp,
}

/// What an admin may set for an environment. The defaults are those after connecting: everything
/// is on (product decisions 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Save accounts and contacts of open opportunities for their owners.
    pub auto_save: bool,
    /// Only opportunities at or after this stage count; none means every open one ("Not Sure").
    pub stage: Option<String>,
    /// Log messages and `InMails` (one switch, as in the original).
    pub log_messages: bool,
    /// Log notes.
    pub log_notes: bool,
    /// Report on won deals: an opt-in (product decisions 18).
    pub roi: bool,
    /// Show profiles inside the CRM.
    pub embedded_profile: bool,
    /// Point out records whose person has left the company.
    pub data_validation: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auto_save: true,
            stage: None,
            log_messages: true,
            log_notes: true,
            roi: false,
            embedded_profile: true,
            data_validation: true,
        }
    }
}
