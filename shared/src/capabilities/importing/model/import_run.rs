//! An import run: eleven objects, each imported step by step, and the lease that lets one run at a
//! time work on a connection.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{ImportRunId, ImportTrigger, MatchRunId, SObject};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Objects are being imported.
    Importing,
    /// What changed is being handed to matching and auto-save; activities are being imported.
    HandingOver,
    /// All is handed over; activities are still being imported.
    Activities,
    /// Not begun: another run was under way.
    SteppedAside,
    /// All is done.
    Complete,
    /// At least one object failed; what landed was handed over.
    Failed,
    /// The connection was disconnected, or somebody called it off.
    Cancelled,
}

impl RunState {
    /// Whether nothing more happens.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Cancelled | Self::SteppedAside)
    }
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
    /// How many objects have not come to an end, of those that matching and auto-save need.
    pub objects_left: u32,
    /// How many of those that come meanwhile have not: the kinds of activities, and in a first
    /// import the closed opportunities.
    #[serde(default)]
    pub activities_left: u32,
    /// Counts the writes of this item: each replaces the one before.
    #[serde(default)]
    pub revision: u64,
    /// Whether every row is read, not only what changed.
    #[serde(default)]
    pub full: bool,
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
    /// The run that this one stepped aside for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside_of: Option<ImportRunId>,
}

impl ImportRun {
    /// A run of which nothing was done.
    #[must_use]
    pub fn begin(id: ImportRunId, trigger: ImportTrigger, full: bool, now: Timestamp) -> Self {
        let count = |wave: &[SObject]| u32::try_from(wave.len()).unwrap_or(u32::MAX);
        Self {
            id,
            trigger,
            state: RunState::Importing,
            started_at: now,
            finished_at: None,
            objects_left: count(&SObject::MATCHED_FIRST),
            activities_left: count(&SObject::ACTIVITIES),
            revision: 0,
            full,
            any_failed: false,
            step: 0,
            cursor: (0, String::new()),
            match_run: None,
            aside_of: None,
        }
    }
}

/// The run under way, and the lease on it. Its steps look here first: a run that lost its lease, was
/// called off or is paused does nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveRun {
    /// The run.
    pub run: ImportRunId,
    /// When it began.
    pub since: Timestamp,
    /// When it last gave a sign of life.
    pub beat_at: Timestamp,
    /// Whether somebody paused it.
    #[serde(default)]
    pub paused: bool,
    /// Until when it leaves the org's API to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_back_until: Option<Timestamp>,
}
