//! The lists of a seller, and the things saved in them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capabilities::settings::{SavingRule, Settings};
use crate::kernel::{EntityId, SObject, SeatId, Signature};
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

    /// How many entries it has at most.
    #[must_use]
    pub fn most(self, settings: &Settings) -> u32 {
        match self {
            Self::Accounts => settings.most_saved_accounts,
            Self::Leads => settings.most_saved_people,
        }
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

/// The reasons that are kept of something saved: a company has more deals than anybody reads.
pub const MOST_REASONS: usize = 20;

/// Why something is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SavedReason {
    /// The rule.
    pub rule: SavingRule,
    /// The record by which it holds: the opportunity, the account, or the person's own.
    pub record: SalesforceId,
    /// Since when.
    pub since: Timestamp,
}

/// Something saved for a seat. It stays when the reasons go.
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
    /// Why, the first reasons first; at most [`MOST_REASONS`].
    pub reasons: Vec<SavedReason>,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// The revision of the settings whose rules saved it; 0 for those of before the first change.
    #[serde(default)]
    pub rules: u64,
    /// No rule calls for it any more, as far as anybody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncalled: Option<Uncalled>,
}

/// That no rule calls for something saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncalled {
    /// Since when, as far as anybody looked.
    pub since: Timestamp,
    /// The revision of the settings whose rules were looked at: under others the days begin anew.
    pub rules: u64,
}

/// How much a list of a seat holds. It is counted with each entry that comes or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Whose list.
    pub seat: SeatId,
    /// Which.
    pub list: SavedList,
    /// How many entries.
    pub entries: u32,
    /// Since when something is left out, for which the list has no room; none when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_since: Option<Timestamp>,
}

/// An undoing: what auto-save saved under one revision of the settings leaves the lists, but for
/// what the rules of today call for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoing {
    /// How far it is. It is for the undoing of this number.
    pub pass: Pass<u64>,
    /// The revision.
    pub rules: u64,
    /// Who asked for it, and when.
    pub asked: Signature,
    /// How many entries left.
    pub removed: u64,
    /// How many stay, since a rule calls for them still.
    pub kept: u64,
    /// When it came to its end; none while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

impl Saved {
    /// The same with more reasons, and called for again; none when it is so already, or has no room
    /// for more. Of two reasons by one rule and record the earlier stays.
    #[must_use]
    pub fn with(&self, more: &[SavedReason]) -> Option<Self> {
        let mut reasons = self.reasons.clone();
        for reason in more {
            let is_same = |known: &&mut SavedReason| {
                (known.rule, known.record) == (reason.rule, reason.record)
            };
            if let Some(known) = reasons.iter_mut().find(is_same) {
                known.since = known.since.min(reason.since);
                continue;
            }
            if reasons.len() < MOST_REASONS {
                reasons.push(*reason);
            }
        }
        let is_same = reasons == self.reasons && self.uncalled.is_none();
        (!is_same).then(|| Self { reasons, uncalled: None, ..self.clone() })
    }
}

/// A pass over everything of a kind, bucket by bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass<T> {
    /// What it is for: a change of the rules, or a match run.
    pub of: T,
    /// Counts the steps.
    pub step: u64,
    /// Where it goes on; none when it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PassPlace>,
}

/// A place in a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassPlace {
    /// The bucket.
    pub bucket: u32,
    /// The sort key in it to go on after; none at its begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl<T> Pass<T> {
    /// A pass that begins.
    #[must_use]
    pub fn begin(of: T) -> Self {
        Self { of, step: 0, place: Some(PassPlace::default()) }
    }

    /// The pass after a page of `bucket`: on after `next`, or with the bucket that follows.
    #[must_use]
    pub fn after_page(self, bucket: u32, next: Option<String>, buckets: u32) -> Self {
        let place = match next {
            Some(after) => Some(PassPlace { bucket, after: Some(after) }),
            None => Some(bucket + 1)
                .filter(|next| *next < buckets)
                .map(|bucket| PassPlace { bucket, after: None }),
        };
        Self { step: self.step + 1, place, ..self }
    }
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
    fn a_pass_goes_through_all_pages_of_all_buckets_and_ends() {
        let place = |bucket, after: Option<&str>| {
            Some(PassPlace { bucket, after: after.map(str::to_owned) })
        };
        let mut pass = Pass::begin(3);
        let pages = [(0, Some("a")), (0, None), (1, None)];
        let places = [place(0, Some("a")), place(1, None), None];
        for ((bucket, next), place) in pages.into_iter().zip(places) {
            pass = pass.after_page(bucket, next.map(str::to_owned), 2);
            assert_eq!(pass.place, place);
        }
        assert_eq!((pass.of, pass.step), (3, 3));
    }

    #[test]
    fn a_list_has_one_name_in_keys_and_in_json() {
        for list in [SavedList::Accounts, SavedList::Leads] {
            assert_eq!(serde_json::to_value(list).unwrap(), list.as_str());
        }
    }
}
