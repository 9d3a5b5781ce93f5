//! How far an object has been imported, and what that means for the next run.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ImportSettings, ObjectImport, ObjectPhase, ObjectSelection};
use crate::kernel::{ImportRunId, SObject};

/// How far behind Salesforce's clock a watermark stays. Rows become visible late: seconds as
/// measured, minutes as reported. A row that appears behind the watermark would be lost. Airbyte's
/// default look-back is the same 10 minutes.
pub const VISIBILITY_OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// How far an object has been imported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Every row stamped before this, by Salesforce's clock, has landed; none before the first run
    /// that ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Timestamp>,
    /// Our live records.
    pub live: u64,
    /// The digest of the selection that they were read by; none before the first such reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// The run that began a reading of every row, by another selection or for the first time, if no
    /// such reading has come to its end. Our records may be a mixture until then, and not all of
    /// them are counted: the next run reads every row and compares all ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_by: Option<ImportRunId>,
    /// When every row was last read, by Salesforce's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// When all ids were last compared, by Salesforce's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept_at: Option<Timestamp>,
}

/// All ids are compared at least this often: sharing changes without a trace.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// All ids are compared when the counts differ, but not more often than this: an org that people
/// work in always differs a little.
const SWEEP_AT_MOST_EVERY: SignedDuration = SignedDuration::from_hours(24);

impl Watermark {
    /// True if some of our records were, or may have been, read by another selection.
    #[must_use]
    pub fn is_of_another(&self, object: SObject, selection: &ObjectSelection) -> bool {
        self.begun_by.is_some() || self.selection.as_ref() != Some(&selection.digest(object))
    }

    /// True if every row is to be read: by another selection than before, or because a formula is
    /// among the fields, whose changes bring no stamp.
    #[must_use]
    pub fn calls_for_all_rows(
        &self,
        object: SObject,
        selection: &ObjectSelection,
        settings: &ImportSettings,
        now: Timestamp,
    ) -> bool {
        let every = SignedDuration::from_hours(settings.formula_refresh_hours.into());
        let stale = self.read_at.is_none_or(|at| now.duration_since(at) >= every);
        self.is_of_another(object, selection) || (selection.calculated && stale)
    }

    /// True if a reading of every row by `selection` is to be recorded before its first row lands.
    #[must_use]
    pub fn is_to_record(&self, object: SObject, selection: &ObjectSelection) -> bool {
        let is_first = self.stamp.is_none() && !selection.excluded;
        self.begun_by.is_none() && (is_first || self.is_of_another(object, selection))
    }

    /// True if all ids are to be compared, after the rows and deletions of `progress` landed.
    /// `complete` is true if Salesforce named all rows that went since the last run.
    #[must_use]
    pub fn calls_for_ids(
        &self,
        run: ImportRunId,
        progress: &ObjectImport,
        complete: bool,
        now: Timestamp,
    ) -> bool {
        let live = progress.live_after(self.live);
        let differs = progress.salesforce_count.is_some_and(|count| count != live);
        let ago = self.swept_at.map(|at| now.duration_since(at));
        !complete
            || self.begun_by.is_some_and(|by| by != run)
            || (differs && ago.is_none_or(|ago| ago >= SWEEP_AT_MOST_EVERY))
            || (progress.since.is_some() && ago.is_none_or(|ago| ago >= SWEEP_EVERY))
            || (progress.since.is_none() && self.stamp.is_some())
    }

    /// The watermark after an object came to its end. What landed counts even if the object failed;
    /// the stamp moves only when the object ended well.
    #[must_use]
    pub fn after(self, run: ImportRunId, progress: &ObjectImport) -> Self {
        let mut after = Self { live: progress.live_after(self.live), ..self };
        let left_out =
            progress.selection.excluded && matches!(progress.phase, ObjectPhase::Skipped { .. });
        if progress.phase == ObjectPhase::Done || left_out {
            after.selection = Some(progress.selection.digest(progress.object));
            after.begun_by = progress.mixed.then_some(run);
        }
        if let (ObjectPhase::Done, Some(asked_at)) = (&progress.phase, progress.asked_at) {
            let stamp = asked_at - VISIBILITY_OVERLAP;
            after.stamp = Some(after.stamp.map_or(stamp, |before| before.max(stamp)));
            if progress.since.is_none() {
                after.read_at = Some(asked_at);
            }
            if progress.swept {
                after.swept_at = Some(asked_at);
            }
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Counts;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).unwrap()
    }

    fn run() -> ImportRunId {
        ImportRunId::derived("this")
    }

    #[test]
    fn formulas_are_read_again_when_their_time_has_come_and_a_changed_selection_at_once() {
        let settings = ImportSettings::default();
        let calls = |read: &Watermark, selection: &ObjectSelection, hours| {
            read.calls_for_all_rows(SObject::Lead, selection, &settings, at(hours))
        };
        let formula = ObjectSelection { calculated: true, ..ObjectSelection::default() };
        let selection = Some(formula.digest(SObject::Lead));
        let read = Watermark { read_at: Some(at(0)), selection, ..Watermark::default() };
        assert!(!calls(&read, &formula, 167));
        assert!(calls(&read, &formula, 168));
        assert!(!calls(&read, &ObjectSelection::default(), 9_999));
        let columns = [("Title".to_owned(), "Role__c".to_owned())].into();
        let mapped = ObjectSelection { columns, ..ObjectSelection::default() };
        assert!(calls(&read, &mapped, 1));
        let read = Watermark { selection: Some(mapped.digest(SObject::Lead)), ..read };
        assert!(!calls(&read, &mapped, 1));
        let begun_by = Some(ImportRunId::derived("dead"));
        let read = Watermark { begun_by, ..read };
        assert!(calls(&read, &mapped, 1));
    }

    #[test]
    fn a_reading_of_all_rows_is_recorded_once() {
        let selection = ObjectSelection::default();
        let first = Watermark::default();
        assert!(first.is_to_record(SObject::Lead, &selection));
        let begun = Watermark { begun_by: Some(run()), ..first };
        assert!(!begun.is_to_record(SObject::Lead, &selection));
        let digest = Some(selection.digest(SObject::Lead));
        let read = Watermark { stamp: Some(at(1)), selection: digest, ..Watermark::default() };
        assert!(!read.is_to_record(SObject::Lead, &selection));
        let other = ObjectSelection { hidden: vec!["Phone".to_owned()], ..selection.clone() };
        assert!(read.is_to_record(SObject::Lead, &other));
        let shorter_list = Watermark { selection: Some("another".to_owned()), ..read };
        assert!(shorter_list.is_to_record(SObject::Lead, &selection));
    }

    #[test]
    fn ids_are_compared_once_a_week_and_when_counts_differ_once_a_day() {
        let mark = Watermark {
            stamp: Some(at(0)),
            live: 10,
            swept_at: Some(at(0)),
            ..Watermark::default()
        };
        let change = ObjectImport {
            since: Some(at(0)),
            salesforce_count: Some(10),
            ..ObjectImport::waiting(SObject::Lead)
        };
        let calls =
            |change: &ObjectImport, hours| mark.calls_for_ids(run(), change, true, at(hours));
        assert!(!calls(&change, 167));
        assert!(calls(&change, 168));
        let differs = ObjectImport { salesforce_count: Some(9), ..change.clone() };
        assert!(!calls(&differs, 23));
        assert!(calls(&differs, 24));
        let not_counted = ObjectImport { salesforce_count: None, ..change.clone() };
        assert!(!calls(&not_counted, 24));
        let whole = ObjectImport { since: None, ..change.clone() };
        assert!(calls(&whole, 1), "a reading of all rows shows no deletion");
        assert!(mark.calls_for_ids(run(), &change, false, at(1)), "deletions are missing");
        let begun = |by| Watermark { begun_by: Some(by), ..mark.clone() };
        assert!(!begun(run()).calls_for_ids(run(), &change, true, at(1)));
        let dead = ImportRunId::derived("dead");
        assert!(begun(dead).calls_for_ids(run(), &change, true, at(1)));
    }

    #[test]
    fn what_landed_counts_and_only_a_good_end_moves_the_stamp() {
        let before = Watermark {
            stamp: Some(at(1)),
            live: 10,
            begun_by: Some(run()),
            ..Watermark::default()
        };
        let counts = Counts { new: 3, deleted: 1, ..Counts::default() };
        let progress = ObjectImport {
            asked_at: Some(at(5)),
            counts,
            swept: true,
            ..ObjectImport::waiting(SObject::Lead)
        };
        let end = |phase| before.clone().after(run(), &ObjectImport { phase, ..progress.clone() });
        let (code, message) = ("JOB_FAILED".to_owned(), "why".to_owned());
        let failed = end(ObjectPhase::Failed { code, message });
        assert_eq!(failed, Watermark { live: 12, ..before.clone() });
        let done = end(ObjectPhase::Done);
        let stamp = Some(at(5) - VISIBILITY_OVERLAP);
        let (read_at, swept_at) = (Some(at(5)), Some(at(5)));
        let selection = Some(progress.selection.digest(SObject::Lead));
        let begun_by = None;
        let moved = Watermark { stamp, live: 12, selection, begun_by, read_at, swept_at };
        assert_eq!(done, moved);
        let mixed = ObjectImport { phase: ObjectPhase::Done, mixed: true, ..progress.clone() };
        assert_eq!(before.clone().after(run(), &mixed).begun_by, Some(run()));
        // A slow clock of Salesforce's does not move it back.
        let late = Watermark { stamp: Some(at(9)), ..before.clone() };
        let done = ObjectImport { phase: ObjectPhase::Done, ..progress };
        assert_eq!(late.after(run(), &done).stamp, Some(at(9)));
    }
}
