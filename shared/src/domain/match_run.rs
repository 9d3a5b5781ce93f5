//! A match run: batches of probes, each scored against every shard of one directory version, then
//! settled.

use jiff::Timestamp;
use matching::EntityKind;
use serde::{Deserialize, Serialize};

use super::ids::{DirectoryVersionId, MatchRunId};
use super::message::MatchTrigger;
use super::sobject::SObject;

/// Where a match run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchRunState {
    /// Batches are still being made, and scored as they come.
    Planning,
    /// All batches are made.
    Scoring,
    /// All batches are settled.
    Complete,
}

/// One matching of records against a directory version, which it pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchRun {
    /// Its id.
    pub id: MatchRunId,
    /// What called for it.
    pub trigger: MatchTrigger,
    /// Where it stands.
    pub state: MatchRunState,
    /// The directory version matched to.
    pub directory: DirectoryVersionId,
    /// The step of the planning, and its place: index in [`MATCHED_OBJECTS`], probe bucket.
    #[serde(default)]
    pub step: u64,
    /// The place of the planning.
    #[serde(default)]
    pub cursor: (usize, u32),
    /// Batches made so far.
    #[serde(default)]
    pub batches: u32,
    /// Batches settled so far.
    #[serde(default)]
    pub settled: u32,
    /// Records in those batches.
    #[serde(default)]
    pub records: u64,
    /// Matches that were made, changed or dropped.
    #[serde(default)]
    pub changed: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// The objects whose records are matched.
pub const MATCHED_OBJECTS: [SObject; 3] = [SObject::Account, SObject::Contact, SObject::Lead];

/// What the records of an object are matched to; none for objects that are not matched.
#[must_use]
pub fn entity_kind_of(object: SObject) -> Option<EntityKind> {
    match object {
        SObject::Account => Some(EntityKind::Company),
        SObject::Contact | SObject::Lead => Some(EntityKind::Person),
        _ => None,
    }
}

/// A batch of probes of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Its number within the run, from 0.
    pub number: u32,
    /// The object of its records.
    pub object: SObject,
    /// How many records.
    pub records: u32,
    /// Shards that it has not been scored against.
    pub shards_left: u32,
    /// Whether it is settled.
    #[serde(default)]
    pub settled: bool,
}
