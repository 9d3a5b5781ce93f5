//! What is saved for a seller, and by which rule.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{SObject, SeatId};

/// A seat's system lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedList {
    /// "My CRM Accounts".
    Accounts,
    /// "My CRM Leads and Contacts".
    Leads,
}

impl SavedList {
    /// The name in keys and paths.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Leads => "leads",
        }
    }
}

/// Something saved for a seat. Append-only: it stays when the reason goes (specification 2.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// For whom.
    pub seat: SeatId,
    /// In which list.
    pub list: SavedList,
    /// The directory entity.
    pub entity: String,
    /// The record it is matched to.
    pub record: String,
    /// The record's object.
    pub object: SObject,
    /// The open opportunity that was the reason.
    pub opportunity: String,
    /// When it was saved.
    pub saved_at: Timestamp,
}
