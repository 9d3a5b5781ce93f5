//! The results of matching: a record's candidates, an entity's bidders, the match between them.

use matching::{EmployerEvidence, EntityKind};
use serde::{Deserialize, Serialize};

use crate::capabilities::linking::{ModelChoice, Ruling};
use crate::kernel::{DirectoryVersionId, EntityId, MatchRunId, RecordRef, SObject};
use crate::salesforce::SalesforceId;

/// The source of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchSource {
    /// The engine was sure.
    Auto,
    /// A person made it.
    Manual,
    /// The record was created from the entity.
    Created,
}

/// The decision about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordDecision {
    /// It is linked to an entity.
    Match,
    /// It surely is an entity that another record is linked to: a duplicate within the CRM.
    Duplicate,
    /// It may be an entity; a person should look.
    Review,
    /// It is none that the directory knows, as far as the evidence goes.
    NonMatch,
}

/// An entity that a record may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankedCandidate {
    /// The entity.
    pub entity: EntityId,
    /// The evidence in bits.
    pub weight: f64,
    /// How likely it is, given all candidates and "none".
    pub probability: f64,
    /// How the record's employer stands to the entity's positions.
    pub employer: EmployerEvidence,
    /// The levels of its comparisons, as [`matching::Evidence`] is written; empty when they were
    /// not kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// Of a lead's candidate the directory company where they work, if the directory tells it: a
    /// contact has an account, and a lead has none but that company's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<EntityId>,
}

/// A record's best candidates and the decision about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateList {
    /// The record's object.
    pub object: SObject,
    /// The record's id.
    pub id: SalesforceId,
    /// The best candidates, most likely first; at most [`KEPT_CANDIDATES`].
    pub candidates: Vec<RankedCandidate>,
    /// The entity it is linked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<EntityId>,
    /// The source of that link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<MatchSource>,
    /// The decision.
    pub decision: RecordDecision,
    /// True if the record is gone, or is not to be matched any more. Its item stays, so that late
    /// results for an older state cannot bring it back. Its ruling sleeps meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// The ruling about it, from people's corrections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ruling>,
    /// The entity that the ruling always links it to, by its id in `directory`; none while the
    /// directory does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<EntityId>,
    /// The entities that the ruling never links it to, by their ids in `directory`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<EntityId>,
    /// When the import began that found the record as the candidates were found for, in
    /// milliseconds.
    #[serde(default)]
    pub stamp: i64,
    /// The run that ranked the candidates so first; none before the first. Later runs that find
    /// the same leave it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<MatchRunId>,
    /// The directory version in which they were found so first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<DirectoryVersionId>,
    /// The model that weighed them.
    #[serde(default)]
    pub model: ModelChoice,
    /// The batch whose settlement wrote the list first, until something else changes it. The list
    /// is counted when that batch is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_in: Option<BatchRef>,
}

/// A batch of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BatchRef {
    /// The run.
    pub run: MatchRunId,
    /// The batch's number within it.
    pub number: u32,
}

impl CandidateList {
    /// Whether it says what an earlier one says, though another run found it, in another version of
    /// the directory.
    #[must_use]
    pub fn is_same_found_again(&self, earlier: &Self) -> bool {
        let found_then = Self { run: earlier.run, directory: earlier.directory, ..self.clone() };
        found_then == *earlier
    }

    /// A record about which nothing is known.
    #[must_use]
    pub fn empty(object: SObject, id: SalesforceId) -> Self {
        Self {
            object,
            id,
            candidates: Vec::new(),
            matched: None,
            source: None,
            decision: RecordDecision::NonMatch,
            gone: false,
            ruling: None,
            always: None,
            never: Vec::new(),
            stamp: 0,
            run: None,
            directory: None,
            model: ModelChoice::default(),
            new_in: None,
        }
    }

    /// A record that is not here yet, and may never come: a ruling about it sleeps until its
    /// candidates are ranked.
    #[must_use]
    pub fn awaited(object: SObject, id: SalesforceId) -> Self {
        Self { gone: true, ..Self::empty(object, id) }
    }

    /// The record.
    #[must_use]
    pub fn record(&self) -> RecordRef {
        RecordRef { object: self.object, id: self.id }
    }

    /// The candidate that the record is linked to.
    #[must_use]
    pub fn matched_candidate(&self) -> Option<&RankedCandidate> {
        let entity = self.matched.as_ref()?;
        self.candidates.iter().find(|c| &c.entity == entity)
    }

    /// The directory company where a lead's person works.
    #[must_use]
    pub fn employer(&self) -> Option<&EntityId> {
        self.matched_candidate()?.company.as_ref()
    }
}

/// How many candidates a record keeps: the dialog for corrections shows them.
pub const KEPT_CANDIDATES: usize = 8;

/// A record that asks for an entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityBid {
    /// The record.
    #[serde(flatten)]
    pub record: RecordRef,
    /// How likely the record is the entity.
    pub probability: f64,
    /// True if a person linked the two.
    #[serde(default)]
    pub always: bool,
}

/// The records that ask for an entity, and the one that it is linked to. A person's are leads and
/// contacts alike: whatever the object, one record is linked, and the others are its alternatives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityMatches {
    /// A person or a company.
    pub kind: EntityKind,
    /// The entity.
    pub entity: EntityId,
    /// The bids, by record.
    pub bids: Vec<EntityBid>,
    /// The record that is linked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<RecordRef>,
}

/// What [`EntityMatches`] tells of the link alone. Lists and sets of who is in the CRM read it of
/// millions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EntityLink {
    /// The entity.
    pub entity: EntityId,
    /// The record that is linked.
    #[serde(default)]
    pub matched: Option<RecordRef>,
}

/// The mark that somebody waits, or once waited, for an entity's record: settling tells when it is
/// linked. It stays, since who waits is not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// The entity.
    pub entity: EntityId,
}

impl EntityMatches {
    /// An entity that nobody asks for.
    #[must_use]
    pub fn empty(kind: EntityKind, entity: EntityId) -> Self {
        Self { kind, entity, bids: Vec::new(), matched: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entity_id, record_id};

    fn candidate(entity: &str) -> RankedCandidate {
        let (entity, employer) = (entity_id(entity), EmployerEvidence::Unknown);
        RankedCandidate {
            entity,
            weight: 1.0,
            probability: 0.9,
            employer,
            evidence: String::new(),
            company: None,
        }
    }

    #[test]
    fn the_matched_candidate_is_the_one_of_the_link_wherever_it_ranks() {
        let mut list = CandidateList::empty(SObject::Lead, record_id("00Q", 1));
        list.candidates = vec![candidate("a"), candidate("b")];
        assert_eq!(list.matched_candidate(), None);
        list.matched = Some(entity_id("b"));
        assert_eq!(list.matched_candidate().map(|c| c.entity.as_str()), Some("b"));
        list.matched = Some(entity_id("found by a person"));
        assert_eq!(list.matched_candidate(), None);
    }

    #[test]
    fn a_list_whose_ids_are_none_is_not_read() {
        let list = CandidateList::empty(SObject::Lead, record_id("00Q", 1));
        let mut stored = serde_json::to_value(&list).unwrap();
        assert_eq!(serde_json::from_value::<CandidateList>(stored.clone()).unwrap(), list);
        stored["id"] = "00Q".into();
        assert!(serde_json::from_value::<CandidateList>(stored).is_err());
    }
}
