//! Asking for an object's rows: a small change over REST, everything else by a bulk job.

use std::time::Duration;

use jiff::Timestamp;

use super::outcome::{Ended, build, is_missing, job_id, missing};
use super::pages::page_object;
use super::rows::record;
use super::selected::{chosen, excluded, is_new, is_read_anew, org_fields, unfilterable};
use super::{Import, Step};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing;
use crate::capabilities::importing::{
    ObjectImport, ObjectPhase, OpportunityPart, Selection, Span, Watermark,
};
use crate::kernel::{ImportRunId, SObject};
use crate::salesforce::{
    BulkOperation, Condition as Soql, QueryLocator, QueryPage, QueryScope, Record as RestRecord,
    Select, Session,
};
use crate::store::{self};
use crate::work::WorkError;

/// A change of up to so many rows is read over REST: five pages cost as many calls as a bulk job's
/// creation, polls, result and deletion, and are there at once.
pub(super) const REST_ROWS: u64 = 10_000;

/// A job that is not done after this many polls (about six hours) is given up.
const MOST_POLLS: u32 = 190;

/// How long to wait before the next poll of a bulk job: Salesforce takes seconds for small jobs and
/// minutes for large ones, and every poll costs the org a request.
pub(super) fn poll_delay(polls: u32) -> Duration {
    Duration::from_secs(match polls {
        0..3 => 1,
        3..8 => 5,
        8..20 => 30,
        _ => 120,
    })
}

/// Where a bulk job stands.
pub(super) enum Job {
    /// Done, with so many rows.
    Complete(u64),
    /// To be polled again after this long.
    Running(Duration),
    /// Given up.
    Stuck,
}

impl Import {
    /// Asks for the rows that changed, or for all, with the fields that the integration user sees.
    pub(super) async fn query(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
    ) -> Result<Step, GrantError> {
        let object = progress.object;
        let client = self.grants.app().client();
        let describe = self
            .call(opened, run, progress, |session: Session| async move {
                client.describe(&session, object.name()).await
            })
            .await;
        let describe = match describe {
            Ok(reply) => reply,
            Err(GrantError::Call(error)) if is_missing(&error) => {
                return Ok(Step::End(missing(object)));
            }
            Err(error) => return Err(error),
        };
        let shown = org_fields(&describe.value);
        let choice: Selection =
            store::get(&*self.ports.table, &importing::keys::selection(opened.connection.at))
                .await?
                .unwrap_or_default();
        // All parts and spans are read by one selection and as of one time, unless the org comes to hide
        // some of it: what changes meanwhile is stamped later, or chosen for the next run, which reads it.
        let begins = progress.begins();
        if begins {
            progress.asked_at = describe.observed.server_date;
        }
        if begins || !progress.selection.is_shown(object, &shown) {
            progress.selection = match choice.of(object, &shown) {
                Ok(selection) => selection,
                Err(problem) => return Ok(Step::End(unfilterable(&problem))),
            };
            progress.mixed = !begins;
        }
        let watermark: Option<Watermark> =
            store::get(&*self.ports.table, &opened.keys.watermark(object)).await?;
        let watermark = watermark.unwrap_or_default();
        if begins {
            let held_by_another = watermark.revision > 0 && is_new(&progress.selection, &watermark);
            progress.read_anew = held_by_another.then_some(progress.pages);
        }
        self.note_begun(opened, run, progress, &watermark).await?;
        if progress.selection.excluded {
            return Ok(excluded(&progress.selection, &watermark));
        }
        self.ask_for_rows(opened, run, progress, &watermark).await
    }

    /// Asks for the rows that changed, or for all where what is read of the object changed.
    async fn ask_for_rows(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        watermark: &Watermark,
    ) -> Result<Step, GrantError> {
        let object = progress.object;
        let selection = &progress.selection;
        if selection.hides("Id") || selection.hides("SystemModstamp") {
            return Ok(Step::End(missing(object)));
        }
        let settings = self.settings(opened).await?;
        let now = self.asked_at(progress);
        let whole = progress.full || is_read_anew(selection, watermark, &settings, now);
        progress.since = watermark.stamp.filter(|_| !whole);
        let fields = selection.read_fields(object);
        let mut select = chosen(Select::from(object.name()).fields(fields), selection);
        let first = watermark.stamp.is_none() && !progress.full;
        if first && object == SObject::Opportunity && !selection.hides("IsClosed") {
            let part = *progress.part.get_or_insert(OpportunityPart::Open);
            select = select.filter(Soql::eq("IsClosed", part == OpportunityPart::Closed));
        }
        let all = Span { from: progress.since, until: None };
        let select = stamped(select, progress.span.unwrap_or(all));
        match self.small_change(opened, run, progress, &select).await? {
            Some(first) => {
                progress.rows_expected = first.total_size;
                self.keep_read(opened, run, progress, first, 0).await
            }
            None => self.submit(opened, run, progress, &select).await,
        }
    }

    /// The first page of a change that is read over REST; none for what a bulk job is to read.
    async fn small_change(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        select: &Select,
    ) -> Result<Option<QueryPage>, GrantError> {
        let soql = &build(select)?;
        let is_change = progress.since.is_some() && progress.span.is_none();
        if !is_change || !soql.fits_rest() {
            return Ok(None);
        }
        let client = self.grants.app().client();
        let first = self
            .call(opened, run, progress, |session: Session| async move {
                client.query(&session, QueryScope::All, soql).await
            })
            .await;
        match first {
            Ok(first) => Ok(Some(first.value).filter(|first| first.total_size <= REST_ROWS)),
            Err(GrantError::Call(error)) if error.wants_smaller_query() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the next page of a small change.
    pub(super) async fn read_on(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        locator: String,
        page: u32,
    ) -> Result<Step, GrantError> {
        let locator = &QueryLocator::try_from(locator)
            .map_err(|error| WorkError::reject("read a query's next page", error))?;
        let client = self.grants.app().client();
        let reply = self
            .call(opened, run, progress, |session: Session| async move {
                client.query_next(&session, locator).await
            })
            .await?;
        self.keep_read(opened, run, progress, reply.value, page).await
    }

    async fn keep_read(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        read: QueryPage,
        page: u32,
    ) -> Result<Step, GrantError> {
        progress.rows_fetched += u64::try_from(read.records.len()).unwrap_or(u64::MAX);
        self.keep(
            opened,
            &page_object(opened.keys.scope(), run, progress.object, page),
            &read.records,
        )
        .await?;
        let next = read.next.map(String::from);
        Ok(Step::Next(ObjectPhase::LandingRead { page, next }, Duration::ZERO))
    }

    /// Lands a page that was read over REST.
    pub(super) async fn land_read(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        page: u32,
        next: Option<String>,
    ) -> Result<Step, GrantError> {
        let key = page_object(opened.keys.scope(), run, progress.object, page);
        let rows: Vec<RestRecord> = self.kept(opened, &key).await?;
        let to_record = |row| record(progress.object, &progress.selection, row);
        let records: Vec<_> = rows.iter().filter_map(to_record).collect();
        let skipped = rows.len() - records.len();
        progress.counts.skipped += u64::try_from(skipped).unwrap_or(u64::MAX);
        self.land_records(opened, run, progress, records).await?;
        progress.pages += 1;
        Ok(match next {
            Some(locator) => {
                Step::Next(ObjectPhase::Reading { locator, page: page + 1 }, Duration::ZERO)
            }
            None if progress.rows_fetched == progress.rows_expected => {
                Step::Next(ObjectPhase::Deletions, Duration::ZERO)
            }
            None => Step::Restart(row_count(progress)),
        })
    }

    /// Creates the bulk job.
    async fn submit(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        select: &Select,
    ) -> Result<Step, GrantError> {
        let operation = BulkOperation::QueryAll;
        let (job, at) = self.create_job(opened, run, progress, operation, select).await?;
        if progress.begins() {
            progress.asked_at = at.or(progress.asked_at);
        }
        Ok(Step::Next(ObjectPhase::Submitted { job, polls: 0 }, poll_delay(0)))
    }

    /// Creates a bulk job; gives its id, and Salesforce's time.
    pub(super) async fn create_job(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        operation: BulkOperation,
        select: &Select,
    ) -> Result<(String, Option<Timestamp>), GrantError> {
        let soql = &build(select)?;
        let client = self.grants.app().client();
        let reply = self
            .call(opened, run, progress, |session: Session| async move {
                client.create_query_job(&session, operation, soql).await
            })
            .await?;
        Ok((reply.value.id.to_string(), reply.observed.server_date))
    }

    pub(super) async fn poll(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        job: String,
        polls: u32,
    ) -> Result<Step, GrantError> {
        Ok(match self.ask_job(opened, run, progress, &job, polls).await? {
            Job::Complete(rows) => {
                progress.rows_expected += rows;
                let page = progress.pages;
                let phase = ObjectPhase::Fetching { job, locator: None, page };
                Step::Next(phase, Duration::ZERO)
            }
            Job::Running(delay) => {
                Step::Next(ObjectPhase::Submitted { job, polls: polls + 1 }, delay)
            }
            Job::Stuck => {
                let _ = progress.narrow(self.asked_at(progress));
                Step::Restart(stuck())
            }
        })
    }

    /// Asks how far a bulk job is; stops one that takes too long.
    pub(super) async fn ask_job(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        job: &str,
        polls: u32,
    ) -> Result<Job, GrantError> {
        let id = job_id(job)?;
        let client = self.grants.app().client();
        let reply = self
            .call(opened, run, progress, |session: Session| async move {
                client.query_job(&session, id).await
            })
            .await?;
        if reply.value.is_complete().map_err(GrantError::Call)? {
            return Ok(Job::Complete(reply.value.number_records_processed.unwrap_or(0)));
        }
        if polls < MOST_POLLS {
            return Ok(Job::Running(poll_delay(polls + 1)));
        }
        let stopped = self
            .call(opened, run, progress, |session: Session| async move {
                client.abort_query_job(&session, id).await
            })
            .await;
        match stopped {
            Ok(_) | Err(GrantError::Call(_)) => Ok(Job::Stuck),
            Err(error) => Err(error),
        }
    }

    /// The time of a reading by Salesforce's clock.
    pub(super) fn asked_at(&self, progress: &ObjectImport) -> Timestamp {
        progress.asked_at.unwrap_or_else(|| self.ports.clock.now())
    }
}

pub(super) fn stamped(select: Select, span: Span) -> Select {
    let from = span.from.map(|from| Soql::ge("SystemModstamp", from));
    let until = span.until.map(|until| Soql::lt("SystemModstamp", until));
    from.into_iter().chain(until).fold(select, Select::filter)
}

pub(super) fn stuck() -> Ended {
    Ended::anew("JOB_STUCK", "Salesforce did not finish the bulk job within six hours")
}

pub(super) fn row_count(progress: &ObjectImport) -> Ended {
    let (fetched, expected) = (progress.rows_fetched, progress.rows_expected);
    let message = format!("Salesforce holds {expected} rows, and {fetched} came");
    Ended::anew("ROW_COUNT", &message)
}
