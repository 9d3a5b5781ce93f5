//! The lists that sellers keep themselves: of accounts or of people, each with an owner, and with
//! colleagues who work on it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use matching::EntityKind;
use serde::{Deserialize, Serialize};

use crate::kernel::{EntityId, ListId, SeatId};

/// How many entries a list has at most.
pub const MOST_ENTRIES: u32 = 1000;

/// How many colleagues work on a list at most: a change of all of them is one transaction.
pub const MOST_COLLABORATORS: usize = 30;

/// How many lists a seat may own or work on.
pub const MOST_LISTS: usize = 500;

/// How many entities are added or taken out by one call.
pub const MOST_AT_ONCE: usize = 100;

/// The longest name of a list, in characters.
pub const LONGEST_NAME: usize = 100;

/// What a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// Companies.
    Accounts,
    /// People.
    Leads,
}

impl ListKind {
    /// The kind of its entities.
    #[must_use]
    pub fn entities(self) -> EntityKind {
        match self {
            Self::Accounts => EntityKind::Company,
            Self::Leads => EntityKind::Person,
        }
    }
}

/// A list of a seller's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Its id.
    pub id: ListId,
    /// What it holds.
    pub kind: ListKind,
    /// What its owner calls it.
    pub name: String,
    /// Whose it is: they name it, share it and remove it.
    pub owner: SeatId,
    /// Who works on it besides: they add entries and take them out.
    pub collaborators: BTreeSet<SeatId>,
    /// How many entries it has.
    pub entries: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

impl List {
    /// True for who may see it and change its entries.
    #[must_use]
    pub fn is_open_to(&self, seat: SeatId) -> bool {
        self.owner == seat || self.collaborators.contains(&seat)
    }

    /// Everybody who works on it.
    #[must_use]
    pub fn members(&self) -> BTreeSet<SeatId> {
        self.collaborators.iter().copied().chain([self.owner]).collect()
    }

    /// The list once a seat is gone: another's, if somebody else works on it; none otherwise.
    #[must_use]
    pub fn without(&self, seat: SeatId) -> Option<Self> {
        let mut left = self.clone();
        left.collaborators.remove(&seat);
        if left.owner == seat {
            left.owner = left.collaborators.pop_first()?;
        }
        Some(left)
    }
}

/// Something in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// The list.
    pub list: ListId,
    /// The directory entity.
    pub entity: EntityId,
    /// Who added it.
    pub added_by: SeatId,
    /// When.
    pub added_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_a_seat_that_is_gone_is_a_colleagues_or_nobodys() {
        let [owner, other] = ["owner", "other"].map(SeatId::derived);
        let shared = List {
            id: ListId::derived("1"),
            kind: ListKind::Accounts,
            name: "Renewals".to_owned(),
            owner,
            collaborators: [other].into(),
            entries: 3,
            created_at: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(shared.members(), [owner, other].into());
        let alone = shared.without(other).unwrap();
        assert_eq!((alone.owner, alone.collaborators.len()), (owner, 0));
        let handed = shared.without(owner).unwrap();
        assert_eq!((handed.owner, handed.collaborators.len()), (other, 0));
        assert_eq!(alone.without(owner), None);
        assert!(!alone.is_open_to(other) && handed.is_open_to(other));
    }
}
