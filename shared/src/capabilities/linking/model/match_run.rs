//! A match run: batches of probes, each scored against every shard of one directory version, then
//! settled.

use jiff::Timestamp;
use matching::{Candidate, EntityKind, Probe};
use serde::{Deserialize, Serialize};

use crate::capabilities::linking::ModelChoice;
use crate::kernel::{DirectoryVersionId, MatchRunId, MatchTrigger, SObject};

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
    /// The model weighed with.
    #[serde(default)]
    pub model: ModelChoice,
    /// Counts the steps of the planning; a message for an earlier step is stale.
    #[serde(default)]
    pub step: u64,
    /// The place of the planning: index in [`MATCHED_OBJECTS`], probe bucket, probes of that bucket
    /// that were dealt with.
    #[serde(default)]
    pub cursor: (usize, u32, usize),
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

/// A probe as it waits in the object store, or the word that there is none any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbeEntry {
    /// The record's id.
    pub record: String,
    /// When the import began that found the record so, in milliseconds: results for an older state
    /// of the record never replace those for a newer one.
    pub stamp: i64,
    /// The probe; none when the record is gone or is not to be matched.
    pub probe: Option<Probe>,
}

/// What one shard had to say about one record of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoredEntry {
    /// The record's id.
    pub record: String,
    /// As in the probe.
    pub stamp: i64,
    /// Whether there is no probe: the record is gone, or is not to be matched any more.
    #[serde(default)]
    pub gone: bool,
    /// The best candidates of the shard.
    pub candidates: Vec<ScoredCandidate>,
}

/// A candidate with what comparing it found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoredCandidate {
    /// The candidate.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// The levels of its comparisons, as [`matching::Evidence`] is written.
    #[serde(default)]
    pub evidence: String,
}
