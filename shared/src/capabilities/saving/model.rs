//! The lists of a seller, and the things saved in them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{EntityId, SObject, SeatId};
use crate::salesforce::SalesforceId;

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
    /// The list that holds the entities of an object's records.
    #[must_use]
    pub fn of(object: SObject) -> Self {
        if object == SObject::Account { Self::Accounts } else { Self::Leads }
    }

    /// The name in keys and paths.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Leads => "leads",
        }
    }
}

/// Something saved for a seat. It stays when the reason goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The seat that it is saved for.
    pub seat: SeatId,
    /// The list that it is in.
    pub list: SavedList,
    /// The directory entity.
    pub entity: EntityId,
    /// The record it is matched to.
    pub record: SalesforceId,
    /// The record's object.
    pub object: SObject,
    /// The open opportunity that was the reason.
    pub opportunity: SalesforceId,
    /// When it was saved.
    pub saved_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companies_and_people_are_saved_in_a_list_each() {
        assert_eq!(SavedList::of(SObject::Account), SavedList::Accounts);
        assert_eq!(SavedList::of(SObject::Contact), SavedList::Leads);
        assert_eq!(SavedList::of(SObject::Lead), SavedList::Leads);
    }

    #[test]
    fn a_list_has_one_name_in_keys_and_in_json() {
        for list in [SavedList::Accounts, SavedList::Leads] {
            assert_eq!(serde_json::to_value(list).unwrap(), list.as_str());
        }
    }
}
