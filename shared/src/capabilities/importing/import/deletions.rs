//! What no query of changes shows: deletions without a trace, and the counts that tell of more.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::outcome::build;
use super::selected::chosen;
use super::{Import, Step};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing::{ObjectImport, ObjectPhase, Sweep, Watermark};
use crate::kernel::{Gone, ImportRunId, Record, SObject, Scope};
use crate::salesforce::{
    BulkOperation, Condition as Soql, DeletedRecords, QueryScope, Select, Session,
};
use crate::store;

/// The furthest back that Salesforce tells of deletions, and keeps deleted rows (salesforce.md 3.7).
const DELETIONS_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24 - 1);

/// Salesforce wants the ends of a window more than a minute apart.
const SHORTEST_WINDOW: SignedDuration = SignedDuration::from_mins(2);

/// All ids are compared at least so often: sharing changes without a trace.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// When the counts differ, all ids are compared, but not more often than this: an org that is
/// worked in always differs a little.
const SWEEP_AT_MOST_EVERY: SignedDuration = SignedDuration::from_hours(24);

impl Import {
    /// Asks for what the query of changes does not show: deletions that bypass the recycle bin, and
    /// rows that left the filter.
    pub(super) async fn deletions(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
    ) -> Result<Step, GrantError> {
        let object = progress.object;
        let end = self.asked_at(progress);
        let Some(since) = progress.since else {
            return Ok(Step::Next(ObjectPhase::Counting { complete: true }, Duration::ZERO));
        };
        let mut told = Vec::new();
        let mut complete = true;
        if object.has_is_deleted() {
            complete = since >= end - DELETIONS_KEPT;
            if !object.deletions_show() {
                let start = since.max(end - DELETIONS_KEPT).min(end - SHORTEST_WINDOW);
                let log = self.log_of_deletions(opened, run, progress, start, end).await?;
                complete &= log.earliest_available <= start;
                let deleted = log.records.iter();
                told.extend(deleted.map(|d| (d.id.to_string(), d.deleted_at, Gone::Deleted)));
            }
        }
        if !progress.selection.conditions.is_empty() {
            match self.left_the_filter(opened, run, progress, since).await? {
                Some(left) => told.extend(left),
                None => complete = false,
            }
        }
        if told.is_empty() {
            return Ok(Step::Next(ObjectPhase::Counting { complete }, Duration::ZERO));
        }
        self.keep(opened, &deleted_object(opened.keys.scope(), run, object), &told).await?;
        Ok(Step::Next(ObjectPhase::LandingDeletions { complete }, Duration::ZERO))
    }

    async fn log_of_deletions(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<DeletedRecords, GrantError> {
        let object = progress.object.name();
        let client = self.grants.app().client();
        let reply = self
            .call(opened, run, progress, |session: Session| async move {
                client.deleted(&session, object, start, end).await
            })
            .await?;
        Ok(reply.value)
    }

    /// Lands them.
    pub(super) async fn land_deletions(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        complete: bool,
    ) -> Result<Step, GrantError> {
        let object = progress.object;
        let key = deleted_object(opened.keys.scope(), run, object);
        let told: Vec<Told> = self.kept(opened, &key).await?;
        let gone = told
            .into_iter()
            .map(|(id, at, gone)| Record::tombstone(object, id, at, gone))
            .collect();
        self.land_records(opened, run, progress, gone).await?;
        Ok(Step::Next(ObjectPhase::Counting { complete }, Duration::ZERO))
    }

    /// Compares our count with Salesforce's own, and all ids where that is called for.
    pub(super) async fn count(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        complete: bool,
    ) -> Result<Step, GrantError> {
        let object = progress.object;
        let (_, scope, live) = live_rows(object);
        let select = chosen(live(Select::count(object.name())), &progress.selection);
        let soql = &build(&select)?;
        let client = self.grants.app().client();
        let counted = self
            .call(opened, run, progress, |session: Session| async move {
                client.count(&session, scope, soql).await
            })
            .await;
        progress.salesforce_count = match counted {
            Ok(reply) => Some(reply.value),
            // More rows than Salesforce counts in its two minutes: the weekly comparison is left.
            Err(GrantError::Call(error)) if error.wants_smaller_query() => {
                progress.note_error("NOT_COUNTED", &error.to_string());
                None
            }
            Err(error) => return Err(error),
        };
        let watermark: Option<Watermark> =
            store::get(&*self.ports.table, &opened.keys.watermark(object)).await?;
        let watermark = watermark.unwrap_or_default();
        let live = progress.live_after(watermark.live);
        let agrees = progress.salesforce_count == Some(live);
        let differs = progress.salesforce_count.is_some() && !agrees;
        let swept = watermark.swept_at.map(|at| self.asked_at(progress).duration_since(at));
        let due = !complete
            || watermark.begun_by.is_some_and(|by| by != run)
            || (differs && swept.is_none_or(|ago| ago >= SWEEP_AT_MOST_EVERY))
            || (progress.since.is_some() && swept.is_none_or(|ago| ago >= SWEEP_EVERY))
            || (progress.since.is_none() && watermark.stamp.is_some());
        if progress.swept || !due {
            // Everything was read and the counts agree: as good as a comparison of all ids.
            progress.swept |= progress.since.is_none() && agrees;
            return Ok(Step::End(ObjectPhase::Done));
        }
        let sweep = Sweep::Asking { page: 0 };
        Ok(Step::Next(ObjectPhase::Sweeping { sweep }, Duration::ZERO))
    }
}

/// The id of a row that is gone, when it went, and why.
pub(crate) type Told = (String, Timestamp, Gone);

pub(crate) fn deleted_object(scope: Scope, run: ImportRunId, object: SObject) -> String {
    format!("{}pages/{run}/{object}/deleted", scope.object_prefix())
}

/// How the live rows of an object are asked for: by a bulk job, by a query, and with which
/// condition. Activities are archived after a year: hidden from `query`, still in the org.
pub(super) fn live_rows(object: SObject) -> (BulkOperation, QueryScope, fn(Select) -> Select) {
    if object.is_archived() {
        let live = |select: Select| select.filter(Soql::eq("IsDeleted", false));
        (BulkOperation::QueryAll, QueryScope::All, live)
    } else {
        (BulkOperation::Query, QueryScope::Live, |select| select)
    }
}
