//! One object's progress in a run: what was asked for, what came, and what was done to it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{IllegalTransition, ObjectEvent, ObjectPhase, ObjectSelection, Span, Sweep};
use crate::kernel::{Counts, SObject};
use crate::salesforce::ApiUsage;

/// How often an object's reading is narrowed in one run: enough to come from all of Salesforce's
/// years to a second, twice.
const MOST_NARROWED: u32 = 60;

/// A part of the opportunities. A first import reads the open ones first: auto-save goes by them
/// and need not wait for years of closed ones, which come while matching is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpportunityPart {
    /// Those with `IsClosed = false`.
    Open,
    /// The others.
    Closed,
}

/// One of Salesforce's errors, and how often it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorGroup {
    /// Salesforce's code, or ours.
    pub code: String,
    /// What it was about the last time, in our words: Salesforce's quote values.
    pub message: String,
    /// How often.
    pub count: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
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
    /// Which fields and rows of it are read.
    #[serde(default)]
    pub selection: ObjectSelection,
    /// The first page that was read by this selection, if our records were read by another one.
    /// The ids of these pages are kept for the comparison: a row that was hidden from the pages and
    /// is shown to the comparison is still stored as the other selection read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_anew: Option<u32>,
    /// True if a field became hidden between two parts or spans, so no single selection describes
    /// every stored row.
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
    /// The changes of our records, by kind.
    #[serde(default)]
    pub counts: Counts,
    /// Which part of the opportunities is being read; none when they are read all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<OpportunityPart>,
    /// The span of time that is being read; none while everything is read at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// How often a span was made shorter.
    #[serde(default)]
    pub narrowed: u32,
    /// Live rows by Salesforce's own `SELECT COUNT()`, asked when the object was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salesforce_count: Option<u64>,
    /// Our live records after this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<u64>,
    /// True if all ids were compared.
    #[serde(default)]
    pub swept: bool,
    /// True if every row is read, not only those that changed.
    #[serde(default)]
    pub full: bool,
    /// How often the object was begun anew in this run.
    #[serde(default)]
    pub restarts: u32,
    /// Calls of the org's API.
    #[serde(default)]
    pub api_calls: u64,
    /// What the org said last of all calls of its API, ours and others'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_calls: Option<OrgCalls>,
    /// Since when Salesforce's answers cannot be used; none after one that can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable_since: Option<Timestamp>,
    /// How many answers in a row could not be used.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unusable: u32,
    /// The errors on the way, by code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorGroup>,
    /// When its first step was taken, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it came to an end, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// Calls of an org's API within 24 hours, whoever made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgCalls {
    /// How many were made, and how many may be.
    #[serde(flatten)]
    pub usage: ApiUsage,
    /// When the org said so.
    pub seen_at: Timestamp,
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
            org_calls: None,
            unusable_since: None,
            unusable: 0,
            errors: Vec::new(),
            started_at: None,
            finished_at: None,
        }
    }

    /// Moves on by an event.
    ///
    /// # Errors
    /// The event cannot happen in this phase.
    pub fn advance(&mut self, event: ObjectEvent) -> Result<(), IllegalTransition> {
        self.phase = self.phase.next(event)?;
        Ok(())
    }

    /// Counts an error of Salesforce's, or of ours.
    pub fn count_error(&mut self, code: &str, message: &str) {
        self.count_errors(code, message, 1);
    }

    /// Counts errors that are alike.
    pub fn count_errors(&mut self, code: &str, message: &str, count: u64) {
        match self.errors.iter_mut().find(|group| group.code == code) {
            Some(group) => {
                group.count += count;
                message.clone_into(&mut group.message);
            }
            None => self.errors.push(ErrorGroup {
                code: code.to_owned(),
                message: message.to_owned(),
                count,
            }),
        }
    }

    /// Our live records after this run, if there were `before` when it began. A comparison of all
    /// ids has counted them.
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

    /// Seconds until all rows are read, at the rate so far; none if that is not known.
    #[must_use]
    pub fn seconds_left(&self, now: Timestamp) -> Option<u64> {
        let took = u64::try_from(now.duration_since(self.started_at?).as_secs()).ok()?;
        let left = self.rows_expected.checked_sub(self.rows_fetched)?;
        let under_way = !self.phase.is_terminal() && self.rows_fetched > 0;
        under_way.then(|| took * left / self.rows_fetched)
    }

    /// True if matching and auto-save wait for it.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        !SObject::ACTIVITIES.contains(&self.object) && self.part != Some(OpportunityPart::Closed)
    }

    /// True if the next query is the first one of its rows, and none of a later part or span.
    #[must_use]
    pub fn begins(&self) -> bool {
        self.part != Some(OpportunityPart::Closed) && self.span.is_none()
    }

    /// Makes the span half as long, after a bulk job was too much for Salesforce. False if no job
    /// was under way, or if a shorter span would not help any more.
    pub fn narrow(&mut self, now: Timestamp) -> bool {
        let Ok(asking) = self.phase.next(ObjectEvent::Narrowed) else { return false };
        // Ids are compared over all time, whatever rows the run reads.
        let of_ids = matches!(self.phase, ObjectPhase::Sweeping { sweep: Sweep::Submitted { .. } });
        let all = Span { from: self.since.filter(|_| !of_ids), until: None };
        let half = self.span.unwrap_or(all).halved(now).filter(|_| self.narrowed < MOST_NARROWED);
        let Some(half) = half else { return false };
        self.narrowed += 1;
        (self.span, self.phase) = (Some(half), asking);
        true
    }

    /// Goes on to the span after the one that was read; false if there is none.
    pub fn go_on(&mut self, now: Timestamp) -> bool {
        self.span = self.span.and_then(|span| span.next(now));
        self.span.is_some()
    }

    /// Has every row read, since too many are missing.
    pub fn read_again_whole(&mut self) {
        self.span = None;
        (self.live, self.swept) = (None, false);
        (self.rows_expected, self.rows_fetched) = (0, 0);
        self.full = true;
    }

    /// Begins the object anew. The counts keep what landed and forget the rows that will be read
    /// again.
    ///
    /// # Errors
    /// The object came to its end.
    pub fn restart(&mut self) -> Result<(), IllegalTransition> {
        if matches!(self.phase, ObjectPhase::Sweeping { .. }) {
            self.span = None; // one of ids, not of rows
        }
        self.advance(ObjectEvent::Restarted)?;
        (self.live, self.swept) = (None, false);
        self.restarts += 1;
        (self.rows_expected, self.rows_fetched) = (0, 0);
        let Counts { new, updated, deleted, .. } = self.counts;
        self.counts = Counts { new, updated, deleted, ..Counts::default() };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::salesforce::JobId;

    fn job() -> JobId {
        JobId("750000000000001".parse().unwrap())
    }

    #[test]
    fn the_time_left_follows_from_the_time_taken() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let job = job();
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
        let submitted = || ObjectPhase::Submitted { job: job(), polls: 3 };
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
        let sweep = Sweep::Submitted { job: job(), polls: 3, page: 7 };
        progress.phase = ObjectPhase::Sweeping { sweep };
        (progress.narrowed, progress.since) = (0, Some(now));
        assert!(progress.narrow(now) && progress.span.is_some_and(|span| span.from.is_none()));
        assert_eq!(progress.phase, ObjectPhase::Sweeping { sweep: Sweep::Asking { page: 7 } });
        progress.restart().unwrap();
        assert!(progress.begins(), "rows are not read by a span of ids");
    }

    #[test]
    fn an_object_begun_anew_keeps_what_landed_and_counts_no_row_twice() {
        let counts = Counts { new: 3, updated: 2, unchanged: 5, deleted: 1, skipped: 1, failed: 1 };
        let mut progress = ObjectImport { counts, ..ObjectImport::waiting(SObject::Lead) };
        progress.count_error("JOB_FAILED", "once");
        progress.count_error("JOB_FAILED", "twice");
        progress.restart().unwrap();
        assert_eq!(progress.counts, Counts { new: 3, updated: 2, deleted: 1, ..Counts::default() });
        assert_eq!((progress.restarts, progress.errors[0].count), (1, 2));
        assert_eq!(progress.errors[0].message, "twice");
        assert_eq!(progress.live_after(10), 12);
    }
}
