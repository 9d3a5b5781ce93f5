//! An import run: eleven objects, each imported step by step, and the lease that lets one run at a
//! time work on a connection.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::kernel::{ImportRunId, ImportTrigger, MatchRunId, SObject};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Objects are being imported.
    Importing,
    /// Changes are being handed to matching and auto-save; activities are being imported.
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
    /// True if nothing more happens.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Cancelled | Self::SteppedAside)
    }
}

/// The last list of changed records that was handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOverCursor {
    /// The index of its object in [`SObject::ALL`].
    pub object: usize,
    /// Its key in the object store; empty before the first list of the object.
    pub list: String,
}

/// The next move of a run after an object came to its end, or is no longer waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Other objects are awaited.
    Nothing,
    /// Matching and auto-save have all that they need: the hand-over begins.
    HandOver,
    /// It was the last one, and all is handed over: the run ends.
    End,
}

/// One import of an org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRun {
    /// Its id.
    pub id: ImportRunId,
    /// Why it runs.
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
    /// True if every row is read, not only those that changed.
    #[serde(default)]
    pub full: bool,
    /// True if an object failed.
    #[serde(default)]
    pub any_failed: bool,
    /// The step of the hand-over.
    #[serde(default)]
    pub step: u64,
    /// How far the hand-over is.
    #[serde(default)]
    pub cursor: HandOverCursor,
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
            full,
            any_failed: false,
            step: 0,
            cursor: HandOverCursor::default(),
            match_run: None,
            aside_of: None,
        }
    }
    /// Counts an object that came to its end, or that is no longer waited for. `awaited` is true if
    /// matching and auto-save waited for it.
    pub fn count_ended(&mut self, awaited: bool) -> Follows {
        if awaited {
            self.objects_left = self.objects_left.saturating_sub(1);
            if self.objects_left > 0 {
                return Follows::Nothing;
            }
            self.state = RunState::HandingOver;
            return Follows::HandOver;
        }
        self.activities_left = self.activities_left.saturating_sub(1);
        if self.activities_left == 0 && self.state == RunState::Activities {
            Follows::End
        } else {
            Follows::Nothing
        }
    }

    /// Ends the run at `now`, well or not.
    pub fn end(&mut self, now: Timestamp) {
        self.state = if self.any_failed { RunState::Failed } else { RunState::Complete };
        self.finished_at = Some(now);
    }

    /// The same run, given up or called off at `now`.
    #[must_use]
    pub fn stopped(&self, state: RunState, now: Timestamp) -> Self {
        Self { state, finished_at: Some(now), ..self.clone() }
    }
}

/// The run under way, and the lease on it. Every step of a run reads it first: a run that lost its
/// lease, was called off or is paused does nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveRun {
    /// The run.
    pub run: ImportRunId,
    /// When it began.
    pub since: Timestamp,
    /// When it last gave a sign of life.
    pub beat_at: Timestamp,
    /// True if somebody paused it.
    #[serde(default)]
    pub paused: bool,
    /// Until when it leaves the org's API to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_back_until: Option<Timestamp>,
}

/// A run that gave no sign of life for this long does not keep others out: its steps were lost for
/// good. Should one come after all, it finds that the lease is another run's. The time is much
/// longer than a wait or a redelivery: in a backlog a run is silent while its steps wait in the
/// queue, and a second run would only add to the backlog.
pub const STALE_RUN: SignedDuration = SignedDuration::from_hours(2);

/// A run that is paused for longer is given up: the store does not keep its pages for ever.
pub const MOST_PAUSED: SignedDuration = SignedDuration::from_hours(30 * 24);

impl ActiveRun {
    /// The lease of a run that begins now.
    #[must_use]
    pub fn begin(run: ImportRunId, now: Timestamp) -> Self {
        Self { run, since: now, beat_at: now, paused: false, stands_back_until: None }
    }

    /// True if it keeps other runs out at `now`.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        let silent_for = if self.paused { MOST_PAUSED } else { STALE_RUN };
        self.beat_at + silent_for > now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::RUN_OBJECT_DAYS;

    fn run() -> ImportRun {
        let now = Timestamp::UNIX_EPOCH;
        ImportRun::begin(ImportRunId::derived("x"), ImportTrigger::Requested, false, now)
    }

    #[test]
    fn the_last_awaited_object_begins_the_hand_over() {
        let mut run = run();
        for _ in 1..SObject::MATCHED_FIRST.len() {
            assert_eq!(run.count_ended(true), Follows::Nothing);
        }
        assert_eq!(run.state, RunState::Importing);
        assert_eq!(run.count_ended(true), Follows::HandOver);
        assert_eq!(run.state, RunState::HandingOver);
    }

    #[test]
    fn the_last_activity_ends_the_run_if_all_is_handed_over() {
        let mut run = run();
        for _ in &SObject::ACTIVITIES {
            assert_eq!(run.count_ended(false), Follows::Nothing, "the hand-over ends it then");
        }
        let (state, activities_left) = (RunState::Activities, 1);
        let mut run = ImportRun { state, activities_left, ..run };
        assert_eq!(run.count_ended(false), Follows::End);
    }

    #[test]
    fn a_run_with_a_failed_object_ends_as_failed() {
        let (mut good, mut bad) = (run(), ImportRun { any_failed: true, ..run() });
        let now = Timestamp::from_second(9).unwrap();
        good.end(now);
        bad.end(now);
        assert_eq!((good.state, bad.state), (RunState::Complete, RunState::Failed));
        assert_eq!(good.finished_at, Some(now));
    }

    #[test]
    fn a_silent_run_keeps_others_out_for_two_hours_and_a_paused_one_for_thirty_days() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let active = ActiveRun::begin(ImportRunId::derived("x"), at(0));
        assert!(active.is_alive(at(7_199)));
        assert!(!active.is_alive(at(7_200)));
        let paused = ActiveRun { paused: true, ..active };
        assert!(paused.is_alive(at(30 * 86_400 - 1)));
        assert!(!paused.is_alive(at(30 * 86_400)));
        assert!(MOST_PAUSED < SignedDuration::from_hours(24 * RUN_OBJECT_DAYS), "its pages stay");
    }
}
