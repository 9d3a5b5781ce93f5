//! One object's import: a chain of steps that survives a kill at any of them.
//!
//! `Waiting → Submitted → Fetching → Landing → Fetching … → Deletions → Done`. Every step ends in
//! one transaction that replaces the progress item under the condition that nobody else has, and
//! that puts the due item of the next step.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capabilities::importing::{ObjectSelection, Span};
use crate::kernel::{Counts, ImportRunId, SObject};

/// How often an object's reading is narrowed in one run: enough to come from all of Salesforce's years
/// to a second, twice.
const MOST_NARROWED: u32 = 60;

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
    /// The next page of a small change is to be read over REST.
    Reading {
        /// Salesforce's place in the query's pages.
        locator: String,
        /// Our number of the page, from 0.
        page: u32,
    },
    /// A page that was read over REST is to be landed.
    LandingRead {
        /// The page in the object store.
        page: u32,
        /// Where to go on after it; none when it is the last.
        next: Option<String>,
    },
    /// Rows deleted without a trace in the results are to be asked for.
    Deletions,
    /// What Salesforce told of them is to be landed.
    LandingDeletions {
        /// Whether that is all of them since the last run.
        complete: bool,
    },
    /// The counts are to be compared.
    Counting {
        /// Whether Salesforce told of all deletions since the last run.
        complete: bool,
    },
    /// All ids are being compared with the org's.
    Sweeping {
        /// How far that is.
        sweep: Sweep,
    },
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

/// A part of the opportunities. A first import reads the open ones first: auto-save goes by them
/// and need not wait for years of closed ones, which come while what is there is being matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpportunityPart {
    /// Those with `IsClosed = false`.
    Open,
    /// The others.
    Closed,
}

/// How far a comparison of all ids is. It finds what no query of changes shows: rows deleted for
/// good, hidden by sharing, changed while they were hidden, or given to the integration user without
/// a change of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Sweep {
    /// The ids of a span of time are to be asked for.
    Asking {
        /// Our number of its first page, from 0.
        page: u32,
    },
    /// Salesforce works on the bulk job of ids.
    Submitted {
        /// The bulk job's id.
        job: String,
        /// How often it was polled.
        polls: u32,
        /// Our number of its first page, from 0.
        page: u32,
    },
    /// A page of ids is to be fetched.
    Fetching {
        /// The bulk job's id.
        job: String,
        /// Salesforce's place in the results; none for the first page.
        locator: Option<String>,
        /// Our number of the page, from 0.
        page: u32,
    },
    /// A bucket of our records is to be compared with the ids.
    Comparing {
        /// How many pages of ids there are.
        pages: u32,
        /// The bucket.
        bucket: u32,
    },
}

/// One of Salesforce's errors, and how often it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorGroup {
    /// Salesforce's code, or ours.
    pub code: String,
    /// What was said the last time.
    pub message: String,
    /// How often.
    pub count: u64,
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
    /// What is read of it.
    #[serde(default)]
    pub selection: ObjectSelection,
    /// The first page that was read by this selection, where what is held was read by another one. Which
    /// rows its pages had is kept until the ids are compared: one that was hidden while the pages were
    /// read, and is shown then, is still held as it was read before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_anew: Option<u32>,
    /// Whether a part or a span of it was read by another selection, since the org came to hide some
    /// of that one: no selection tells then how all rows were read.
    #[serde(default)]
    pub mixed: bool,
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
    /// Which part of the opportunities is being read; none when they are read all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<OpportunityPart>,
    /// The span of time that is being read; none while all is read at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// How often a span was made shorter.
    #[serde(default)]
    pub narrowed: u32,
    /// Live rows by Salesforce's own `SELECT COUNT()`, asked when the object was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salesforce_count: Option<u64>,
    /// Live rows that we hold, after this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<u64>,
    /// Whether all ids were compared.
    #[serde(default)]
    pub swept: bool,
    /// Whether every row is read, not only what changed.
    #[serde(default)]
    pub full: bool,
    /// How often the object was begun anew in this run.
    #[serde(default)]
    pub restarts: u32,
    /// Calls of the org's API.
    #[serde(default)]
    pub api_calls: u64,
    /// What went wrong on the way, by code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorGroup>,
    /// When its first step was taken, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it came to an end, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
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
            selection: ObjectSelection::default(),
            read_anew: None,
            mixed: false,
            rows_expected: 0,
            rows_fetched: 0,
            pages: 0,
            counts: Counts::default(),
            part: None,
            span: None,
            narrowed: 0,
            salesforce_count: None,
            live: None,
            swept: false,
            full: false,
            restarts: 0,
            api_calls: 0,
            errors: Vec::new(),
            started_at: None,
            finished_at: None,
        }
    }

    /// Notes an error of Salesforce's.
    pub fn note_error(&mut self, code: &str, message: &str) {
        match self.errors.iter_mut().find(|group| group.code == code) {
            Some(group) => {
                group.count += 1;
                message.clone_into(&mut group.message);
            }
            None => self.errors.push(ErrorGroup {
                code: code.to_owned(),
                message: message.to_owned(),
                count: 1,
            }),
        }
    }

    /// Live rows after what this run has done, when there were `before` at its begin. A comparison
    /// of all ids counts them.
    #[must_use]
    pub fn live_after(&self, before: u64) -> u64 {
        self.live.unwrap_or_else(|| (before + self.counts.new).saturating_sub(self.counts.deleted))
    }

    /// Rows read in a second of its time so far; none before a second has passed.
    #[must_use]
    pub fn rows_per_second(&self, now: Timestamp) -> Option<f64> {
        let took = self.finished_at.unwrap_or(now).duration_since(self.started_at?);
        #[expect(clippy::cast_precision_loss, reason = "no import has 2^52 rows")]
        let rows = self.rows_fetched as f64;
        (took.as_secs() > 0).then(|| rows / took.as_secs_f64())
    }

    /// Seconds until all rows are read, if it goes on as it has; none when that is not known.
    #[must_use]
    pub fn seconds_left(&self, now: Timestamp) -> Option<u64> {
        let took = u64::try_from(now.duration_since(self.started_at?).as_secs()).ok()?;
        let left = self.rows_expected.checked_sub(self.rows_fetched)?;
        let under_way = !self.phase.is_terminal() && self.rows_fetched > 0;
        under_way.then(|| took * left / self.rows_fetched)
    }

    /// Whether matching and auto-save wait for it.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        !SObject::ACTIVITIES.contains(&self.object) && self.part != Some(OpportunityPart::Closed)
    }

    /// Whether the next query is the first of its rows: not behind a part or a span that was read at an
    /// earlier time.
    #[must_use]
    pub fn begins(&self) -> bool {
        self.part != Some(OpportunityPart::Closed) && self.span.is_none()
    }

    /// Has what is left asked for in a span half as long, after a job was too much for Salesforce;
    /// false when that was not it, or would not help any more.
    pub fn narrow(&mut self, now: Timestamp) -> bool {
        let (all, asking) = match &self.phase {
            ObjectPhase::Submitted { .. } => (self.since, ObjectPhase::Waiting),
            ObjectPhase::Sweeping { sweep: Sweep::Submitted { page, .. } } => {
                (None, ObjectPhase::Sweeping { sweep: Sweep::Asking { page: *page } })
            }
            _ => return false,
        };
        let span = self.span.unwrap_or(Span { from: all, until: None });
        let half = span.halved(now).filter(|_| self.narrowed < MOST_NARROWED);
        let Some(half) = half else { return false };
        self.narrowed += 1;
        (self.span, self.phase) = (Some(half), asking);
        true
    }

    /// Goes on to the span behind the one that was read; false when there is none.
    pub fn go_on(&mut self, now: Timestamp) -> bool {
        self.span = self.span.and_then(|span| span.next(now));
        self.span.is_some()
    }

    /// Has every row read, since too much is missing.
    pub fn read_again_whole(&mut self) {
        self.span = None;
        (self.live, self.swept) = (None, false);
        (self.rows_expected, self.rows_fetched) = (0, 0);
        self.full = true;
    }

    /// Begins it anew: what landed stays landed and counted, what was read again is not counted
    /// twice.
    pub fn restart(&mut self) {
        if matches!(self.phase, ObjectPhase::Sweeping { .. }) {
            self.span = None; // one of ids, not of rows
        }
        (self.live, self.swept) = (None, false);
        self.phase = ObjectPhase::Waiting;
        self.restarts += 1;
        (self.rows_expected, self.rows_fetched) = (0, 0);
        let Counts { new, updated, deleted, .. } = self.counts;
        self.counts = Counts { new, updated, deleted, ..Counts::default() };
    }
}

/// How far an object has been imported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Every row stamped before this, by Salesforce's clock, has landed; none before the first run
    /// that ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Timestamp>,
    /// Live rows held.
    pub live: u64,
    /// The digest of the selection that they were read by; none for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// The run that began to read every row by another one, or for the first time, as long as no
    /// such reading came to its end: rows of both kinds may be held, and not all are counted. Every
    /// row is read then and all ids are compared, whatever is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_by: Option<ImportRunId>,
    /// When every row was last read, by Salesforce's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// When all ids were last compared, by Salesforce's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept_at: Option<Timestamp>,
    /// Counts the writes of this item: each replaces the one before.
    #[serde(default)]
    pub revision: u64,
}

/// How far behind Salesforce's clock a watermark stays: rows become visible late (seconds as
/// measured, minutes as reported), and a row that shows up behind the watermark would be lost.
/// Airbyte's default look-back is the same 10 minutes.
pub const VISIBILITY_OVERLAP: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_time_taken() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let job = "j".to_owned();
        let progress = ObjectImport {
            phase: ObjectPhase::Fetching { job, locator: None, page: 3 },
            rows_expected: 4_000,
            rows_fetched: 1_000,
            started_at: Some(at(100)),
            ..ObjectImport::waiting(SObject::Lead)
        };
        assert_eq!(progress.seconds_left(at(110)), Some(30));
        assert_eq!(progress.rows_per_second(at(110)), Some(100.0));
        assert_eq!(progress.rows_per_second(at(100)), None);
        assert_eq!(ObjectImport::waiting(SObject::Lead).seconds_left(at(110)), None);
        let done = ObjectImport { phase: ObjectPhase::Done, ..progress };
        assert_eq!(done.seconds_left(at(110)), None);
    }

    #[test]
    fn only_a_job_of_rows_is_narrowed_and_not_for_ever() {
        let now = Timestamp::from_second(1_795_294_800).unwrap();
        let submitted = || ObjectPhase::Submitted { job: "j".to_owned(), polls: 3 };
        let mut progress = ObjectImport::waiting(SObject::Lead);
        assert!(progress.begins() && !progress.narrow(now), "nothing was asked");
        progress.phase = submitted();
        assert!(progress.narrow(now) && progress.phase == ObjectPhase::Waiting);
        assert!(!progress.begins());
        progress.phase = submitted();
        progress.narrowed = MOST_NARROWED;
        assert!(!progress.narrow(now));
        progress.read_again_whole();
        assert!(progress.begins());
        // The comparison of ids goes over all time, whatever the run reads.
        let sweep = Sweep::Submitted { job: "j".to_owned(), polls: 3, page: 7 };
        progress.phase = ObjectPhase::Sweeping { sweep };
        (progress.narrowed, progress.since) = (0, Some(now));
        assert!(progress.narrow(now) && progress.span.is_some_and(|span| span.from.is_none()));
        assert_eq!(progress.phase, ObjectPhase::Sweeping { sweep: Sweep::Asking { page: 7 } });
        progress.restart();
        assert!(progress.begins(), "rows are not read by a span of ids");
    }

    #[test]
    fn an_object_begun_anew_keeps_what_landed_and_counts_no_row_twice() {
        let counts = Counts { new: 3, updated: 2, unchanged: 5, deleted: 1, skipped: 1, failed: 1 };
        let mut progress = ObjectImport { counts, ..ObjectImport::waiting(SObject::Lead) };
        progress.note_error("JOB_FAILED", "once");
        progress.note_error("JOB_FAILED", "twice");
        progress.restart();
        assert_eq!(progress.counts, Counts { new: 3, updated: 2, deleted: 1, ..Counts::default() });
        assert_eq!((progress.restarts, progress.errors[0].count), (1, 2));
        assert_eq!(progress.errors[0].message, "twice");
        assert_eq!(progress.live_after(10), 12);
    }
}
