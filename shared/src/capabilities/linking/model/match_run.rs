//! A match run: batches of probes, each scored against every shard of one directory version, then
//! settled.

use jiff::Timestamp;
use matching::{Candidate, EntityKind, Probe};
use serde::{Deserialize, Serialize};

use crate::capabilities::linking::ModelChoice;
use crate::kernel::{DirectoryVersionId, EntityId, MatchRunId, MatchTrigger, SObject};
use crate::salesforce::SalesforceId;

/// The state of a match run.
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
    /// The event that called for it.
    pub trigger: MatchTrigger,
    /// Its state.
    pub state: MatchRunState,
    /// The directory version matched to.
    pub directory: DirectoryVersionId,
    /// The model weighed with.
    #[serde(default)]
    pub model: ModelChoice,
    /// Counts the steps of the planning; a message for an earlier step is stale.
    #[serde(default)]
    pub step: u64,
    /// The place of the planning.
    #[serde(default)]
    pub cursor: PlanningCursor,
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

impl Batch {
    /// The batch with one more shard scored.
    #[must_use]
    pub fn scored_once_more(&self) -> Self {
        Self { shards_left: self.shards_left.saturating_sub(1), ..self.clone() }
    }
}

impl MatchRun {
    /// A run that begins.
    #[must_use]
    pub fn begin(
        id: MatchRunId,
        trigger: MatchTrigger,
        directory: DirectoryVersionId,
        model: ModelChoice,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            trigger,
            state: MatchRunState::Planning,
            directory,
            model,
            step: 0,
            cursor: PlanningCursor::default(),
            batches: 0,
            settled: 0,
            records: 0,
            changed: 0,
            started_at: now,
            finished_at: None,
        }
    }

    /// Ends the planning: all batches are made. They may all be settled by now.
    pub fn end_planning(&mut self, now: Timestamp) {
        self.state = MatchRunState::Scoring;
        self.complete_if_settled(now);
    }

    /// Counts a settled batch that changed so many matches.
    pub fn count_settled(&mut self, changed: u64, now: Timestamp) {
        self.settled += 1;
        self.changed += changed;
        self.complete_if_settled(now);
    }

    fn complete_if_settled(&mut self, now: Timestamp) {
        if self.state == MatchRunState::Scoring && self.settled == self.batches {
            self.state = MatchRunState::Complete;
            self.finished_at = Some(now);
        }
    }
}

/// A match run that has not come to its end, and the directory version that it needs until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedRun {
    /// The version.
    pub directory: DirectoryVersionId,
}

/// The place of a run's planning among the kept probes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanningCursor {
    /// The index in [`MATCHED_OBJECTS`]; behind the last one when all probes are dealt with.
    pub object: usize,
    /// The bucket of that object's probes.
    pub bucket: u32,
    /// How many probes of that bucket are dealt with.
    pub offset: usize,
}

impl PlanningCursor {
    /// Behind so many probes more of the same bucket.
    #[must_use]
    pub fn forward(self, probes: usize) -> Self {
        Self { offset: self.offset + probes, ..self }
    }

    /// At the next of so many buckets, or at the next object's first one.
    #[must_use]
    pub fn next_bucket(self, buckets: u32) -> Self {
        if self.bucket + 1 < buckets {
            Self { object: self.object, bucket: self.bucket + 1, offset: 0 }
        } else {
            Self { object: self.object + 1, bucket: 0, offset: 0 }
        }
    }
}

/// The objects whose records are matched.
pub const MATCHED_OBJECTS: [SObject; 3] = [SObject::Account, SObject::Contact, SObject::Lead];

/// The kind of entity that an object's records are matched to; none for other objects.
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
    /// True if it is settled.
    #[serde(default)]
    pub settled: bool,
}

/// A probe as it waits in the object store, or the notice that there is none any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbeEntry {
    /// The record's id.
    pub record: SalesforceId,
    /// When the import began that found the record so, in milliseconds. Results for an older state
    /// of the record never replace results for a newer one.
    pub stamp: i64,
    /// The probe; none when the record is gone or is not to be matched.
    pub probe: Option<Probe>,
}

/// The candidates that one shard has for one record of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoredEntry {
    /// The record's id.
    pub record: SalesforceId,
    /// As in the probe.
    pub stamp: i64,
    /// True if there is no probe: the record is gone, or is not to be matched any more.
    #[serde(default)]
    pub gone: bool,
    /// The best candidates of the shard.
    pub candidates: Vec<ScoredCandidate>,
}

/// A candidate with the evidence of its comparisons.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoredCandidate {
    /// The candidate.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// The levels of its comparisons, as [`matching::Evidence`] is written.
    #[serde(default)]
    pub evidence: String,
    /// The directory company where a person works, if the directory tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<EntityId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planning(batches: u32) -> MatchRun {
        let (id, directory) = (MatchRunId::derived("run"), DirectoryVersionId::new(1, 1));
        let (trigger, model) = (MatchTrigger::Import, ModelChoice::default());
        let begun = MatchRun::begin(id, trigger, directory, model, Timestamp::UNIX_EPOCH);
        MatchRun { batches, ..begun }
    }

    #[test]
    fn a_run_is_complete_once_all_batches_are_made_and_settled() {
        let now = Timestamp::UNIX_EPOCH;
        let mut run = planning(2);
        run.count_settled(3, now);
        run.count_settled(4, now);
        assert_eq!((run.state, run.changed), (MatchRunState::Planning, 7), "more may be made");
        run.end_planning(now);
        assert_eq!((run.state, run.finished_at), (MatchRunState::Complete, Some(now)));

        let mut run = planning(1);
        run.end_planning(now);
        assert_eq!((run.state, run.finished_at), (MatchRunState::Scoring, None));
        run.count_settled(0, now);
        assert_eq!(run.state, MatchRunState::Complete);

        let mut run = planning(0);
        run.end_planning(now);
        assert_eq!(run.state, MatchRunState::Complete, "nothing is to be matched");
    }

    #[test]
    fn a_cursor_goes_through_all_buckets_of_one_object_after_the_other() {
        let at = |object, bucket, offset| PlanningCursor { object, bucket, offset };
        assert_eq!(at(0, 1, 5).forward(3), at(0, 1, 8));
        assert_eq!(at(0, 0, 8).next_bucket(2), at(0, 1, 0));
        assert_eq!(at(0, 1, 8).next_bucket(2), at(1, 0, 0));
    }

    #[test]
    fn a_batch_that_no_shard_is_left_for_stays_so() {
        let batch =
            Batch { number: 0, object: SObject::Lead, records: 1, shards_left: 1, settled: false };
        let scored = batch.scored_once_more();
        assert_eq!((scored.shards_left, scored.scored_once_more().shards_left), (0, 0));
    }
}
