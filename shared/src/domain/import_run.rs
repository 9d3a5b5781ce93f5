//! An import run: eleven objects, each a chain of steps that survives a kill at any of them.
//!
//! `Waiting → Submitted → Fetching → Landing → Fetching … → Deletions → Done`. Every step ends in
//! one transaction that replaces the progress item under the condition that nobody else has, and
//! that puts the due item of the next step.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{ImportRunId, MatchRunId};
use super::message::ImportTrigger;
use super::sobject::SObject;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Objects are being imported.
    Importing,
    /// What changed is being handed to matching and auto-save.
    HandingOver,
    /// All is done.
    Complete,
    /// At least one object failed; what landed was handed over.
    Failed,
    /// The connection was disconnected or lost its grant.
    Cancelled,
}

/// One import of an org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRun {
    /// Its id.
    pub id: ImportRunId,
    /// What called for it.
    pub trigger: ImportTrigger,
    /// Where it stands.
    pub state: RunState,
    /// When it began, by our clock.
    pub started_at: Timestamp,
    /// When it ended, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How many objects have not come to an end.
    pub objects_left: u32,
    /// Whether an object failed.
    #[serde(default)]
    pub any_failed: bool,
    /// The step of the hand-over.
    #[serde(default)]
    pub step: u64,
    /// The last list of changed records that was handed over: index in [`SObject::ALL`], name.
    #[serde(default)]
    pub cursor: (usize, String),
    /// The match run that this run feeds, when there is a directory to match to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_run: Option<MatchRunId>,
}

/// What a run did to the rows of one object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows that were not known before.
    pub new: u64,
    /// Rows with other contents than before.
    pub updated: u64,
    /// Rows read again as they are stored.
    pub unchanged: u64,
    /// Rows gone from the org.
    pub deleted: u64,
    /// Rows that say of themselves what cannot be (no id, a wrong id), passed over.
    pub skipped: u64,
    /// Rows too large to keep.
    pub failed: u64,
}

impl Counts {
    /// Adds another count, number by number.
    pub fn add(&mut self, other: Self) {
        self.new += other.new;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.skipped += other.skipped;
        self.failed += other.failed;
    }

    /// Rows that were written.
    #[must_use]
    pub fn written(self) -> u64 {
        self.new + self.updated + self.deleted
    }
}

/// Where one object's import stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum ObjectPhase {
    /// Nothing was asked of Salesforce yet.
    Waiting,
    /// Salesforce works on the bulk job.
    Submitted {
        /// The bulk job's id.
        job: String,
        /// How often it was polled.
        polls: u32,
    },
    /// A result page is to be fetched.
    Fetching {
        /// The bulk job's id.
        job: String,
        /// Salesforce's place in the results; none for the first page.
        locator: Option<String>,
        /// Our number of the page, from 0.
        page: u32,
    },
    /// A fetched page is to be landed.
    Landing {
        /// The bulk job's id.
        job: String,
        /// The page in the object store.
        page: u32,
        /// Where to go on after it; none when it is the last.
        next: Option<String>,
    },
    /// Rows deleted without a trace in the results are to be found.
    Deletions,
    /// Everything landed, and the row count agrees with Salesforce's own.
    Done,
    /// The org does not have the object, or the integration user may not read it.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It could not be imported this time; the watermark stays.
    Failed {
        /// Salesforce's error code, or ours.
        code: String,
        /// What it said.
        message: String,
    },
}

impl ObjectPhase {
    /// Whether nothing more happens.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Done | Self::Skipped { .. } | Self::Failed { .. })
    }
}

/// One object's progress in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectImport {
    /// Which object.
    pub object: SObject,
    /// Counts the steps; a message for an earlier step is stale.
    pub step: u64,
    /// Where it stands.
    #[serde(flatten)]
    pub phase: ObjectPhase,
    /// Rows stamped from here on are read; none reads everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Salesforce's time when the job was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// Fields that the integration user cannot see, left out of the query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden_fields: Vec<String>,
    /// Rows that the job says it holds.
    #[serde(default)]
    pub rows_expected: u64,
    /// Rows fetched so far.
    #[serde(default)]
    pub rows_fetched: u64,
    /// Pages landed so far.
    #[serde(default)]
    pub pages: u32,
    /// What was done to them.
    #[serde(default)]
    pub counts: Counts,
    /// Live rows by Salesforce's own `SELECT COUNT()`, asked when the object was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salesforce_count: Option<u64>,
    /// Live rows that we hold, after this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<u64>,
}

impl ObjectImport {
    /// The progress of an object of which nothing was done.
    #[must_use]
    pub fn waiting(object: SObject) -> Self {
        Self {
            object,
            step: 0,
            phase: ObjectPhase::Waiting,
            since: None,
            asked_at: None,
            hidden_fields: Vec::new(),
            rows_expected: 0,
            rows_fetched: 0,
            pages: 0,
            counts: Counts::default(),
            salesforce_count: None,
            live: None,
        }
    }
}

/// How far an object has been imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Every row stamped before this, by Salesforce's clock, has landed.
    pub stamp: Timestamp,
    /// Live rows held.
    pub live: u64,
}

/// How far behind Salesforce's clock a watermark stays: rows become visible late (seconds as
/// measured, minutes as reported), and a row that shows up behind the watermark would be lost.
/// Airbyte's default look-back is the same 10 minutes.
pub const VISIBILITY_OVERLAP: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Which run is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveRun {
    /// The run.
    pub run: ImportRunId,
    /// When it began.
    pub since: Timestamp,
}
