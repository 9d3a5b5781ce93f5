//! Asking for an object's rows: a small change over REST, everything else by a bulk job.

use super::bulk_job::{Job, poll_delay, stuck};
use super::outcome::{build, is_missing, missing};
use super::selection_query::{org_fields, selection_query};
use super::{ObjectStep, Taken};
use crate::capabilities::custody::GrantError;
use crate::capabilities::importing::lease::check_lease;
use crate::capabilities::importing::{
    ObjectEvent, OpportunityPart, OrgField, SelectionProblem, Span, Watermark, keys,
};
use crate::kernel::SObject;
use crate::salesforce::{
    BulkOperation, Condition, JobId, ObjectDescribe, QueryPage, QueryScope, Reply, Select, Session,
};
use crate::store::{Commit, Stored};
use crate::work::WorkError;

/// A change of up to this many rows is read over REST: five pages cost as many calls as a bulk
/// job's creation, polls, result and deletion, and are there at once.
pub(super) const REST_ROWS: u64 = 10_000;

impl ObjectStep<'_> {
    /// Asks for the rows that changed, or for all, with the fields that the integration user sees.
    pub(super) async fn query(&mut self) -> Result<Taken, GrantError> {
        let object = self.progress.object;
        let client = self.client();
        let described = self
            .call(|session: Session| async move { client.describe(&session, object.name()).await })
            .await;
        let described = match described {
            Ok(described) => described,
            Err(GrantError::Call(error)) if is_missing(&error) => return Ok(missing(object).into()),
            Err(error) => return Err(error),
        };
        if let Some(event) = self.select(&described).await? {
            return Ok(event.into());
        }
        let slot = self.generation.keys.watermark(object);
        let stored = self.import.store.load(&slot).await?;
        let watermark = stored.as_deref().cloned().unwrap_or_default();
        if self.progress.begins() {
            let of_another = watermark.is_of_another(object, &self.progress.selection);
            let read_anew = stored.is_some() && of_another;
            self.progress.read_anew = read_anew.then_some(self.progress.pages);
        }
        self.record_reading(stored.as_ref(), &watermark).await?;
        if self.progress.selection.excluded {
            let of_another = watermark.is_of_another(object, &self.progress.selection);
            let holds = watermark.live > 0 || of_another;
            return Ok(if holds { ObjectEvent::NothingWanted } else { left_out() }.into());
        }
        self.ask_for_rows(&watermark).await
    }

    /// Fixes the fields and rows that are read. All parts and spans are read by one selection and
    /// as of one time, unless a field becomes hidden meanwhile. Later changes of rows come with
    /// later stamps, and a later choice of the admin's is for the next run.
    ///
    /// Gives the event that ends the object, if its filter cannot be put to Salesforce.
    async fn select(
        &mut self,
        described: &Reply<ObjectDescribe>,
    ) -> Result<Option<ObjectEvent>, GrantError> {
        let shown: Vec<OrgField> = org_fields(&described.value);
        let slot = keys::selection(self.generation.connection.at);
        let choice = self.import.store.read(&slot).await?.unwrap_or_default();
        let (object, begins) = (self.progress.object, self.progress.begins());
        if begins {
            self.progress.asked_at = described.observed.server_date;
        }
        if begins || !self.progress.selection.is_shown(object, &shown) {
            self.progress.selection = match choice.of(object, &shown) {
                Ok(selection) => selection,
                Err(problem) => return Ok(Some(unfilterable(&problem))),
            };
            self.progress.mixed = !begins;
        }
        Ok(None)
    }

    /// Records on the watermark, before a row lands, that a reading of every row begins. If it
    /// never ends, and the selection is later as it was before, nothing else tells of the rows that
    /// landed.
    async fn record_reading(
        &self,
        stored: Option<&Stored<Watermark>>,
        watermark: &Watermark,
    ) -> Result<(), WorkError> {
        if !watermark.is_to_record(self.progress.object, &self.progress.selection) {
            return Ok(());
        }
        let begun = Watermark { begun_by: Some(self.run), ..watermark.clone() };
        let slot = self.generation.keys.watermark(self.progress.object);
        let mut commit = Commit::new();
        commit.save(&slot, stored, &begun)?;
        check_lease(&mut commit, self.generation, self.run)?;
        if self.import.store.commit(commit).await?.is_done() {
            return Ok(());
        }
        Err(WorkError::retry("begin to read an object", "another step came first"))
    }

    async fn ask_for_rows(&mut self, watermark: &Watermark) -> Result<Taken, GrantError> {
        let object = self.progress.object;
        let selection = &self.progress.selection;
        if selection.hides("Id") || selection.hides("SystemModstamp") {
            return Ok(missing(object).into());
        }
        let settings = self.import.settings(self.generation).await?;
        let now = self.asked_at();
        let changed = watermark.calls_for_all_rows(object, selection, &settings, now);
        let whole = self.progress.full || changed;
        self.progress.since = watermark.stamp.filter(|_| !whole);
        let fields = selection.read_fields(object);
        let mut select = selection_query(Select::from(object.name()).fields(fields), selection);
        let first = watermark.stamp.is_none() && !self.progress.full;
        if first && object == SObject::Opportunity && !selection.hides("IsClosed") {
            let part = *self.progress.part.get_or_insert(OpportunityPart::Open);
            select = select.filter(Condition::eq("IsClosed", part == OpportunityPart::Closed));
        }
        let all = Span { from: self.progress.since, until: None };
        let select = within(select, self.progress.span.unwrap_or(all));
        match self.small_change(&select).await? {
            Some(first) => {
                self.progress.rows_expected = first.total_size;
                self.store_read(first, 0).await
            }
            None => self.submit(&select).await,
        }
    }

    /// The first page of a change that is read over REST; none if a bulk job is to read it.
    async fn small_change(&mut self, select: &Select) -> Result<Option<QueryPage>, GrantError> {
        let soql = &build(select)?;
        let is_change = self.progress.since.is_some() && self.progress.span.is_none();
        if !is_change || !soql.fits_rest() {
            return Ok(None);
        }
        let client = self.client();
        let first =
            self.call(|session: Session| async move {
                client.query(&session, QueryScope::All, soql).await
            })
            .await;
        match first {
            Ok(first) => Ok(Some(first.value).filter(|first| first.total_size <= REST_ROWS)),
            Err(GrantError::Call(error)) if error.wants_smaller_query() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates the bulk job of rows.
    async fn submit(&mut self, select: &Select) -> Result<Taken, GrantError> {
        let reply = self.create_job(BulkOperation::QueryAll, select).await?;
        if self.progress.begins() {
            self.progress.asked_at = reply.observed.server_date.or(self.progress.asked_at);
        }
        Ok(Taken::Moved(ObjectEvent::JobCreated { job: reply.value.id }, poll_delay(0)))
    }

    /// Polls the bulk job of rows.
    pub(super) async fn poll(&mut self, job: JobId, polls: u32) -> Result<Taken, GrantError> {
        Ok(match self.ask_job(job, polls).await? {
            Job::Complete(rows) => {
                self.progress.rows_expected += rows;
                ObjectEvent::JobComplete { landed: self.progress.pages }.into()
            }
            Job::Running(delay) => Taken::Moved(ObjectEvent::JobRunning, delay),
            Job::Stuck => {
                let now = self.asked_at();
                // Begun anew either way; by a shorter span if there is one.
                self.progress.narrow(now);
                Taken::Broke(stuck())
            }
        })
    }
}

/// The rows of a query that are stamped within a span.
pub(super) fn within(select: Select, span: Span) -> Select {
    let from = span.from.map(|from| Condition::ge("SystemModstamp", from));
    let until = span.until.map(|until| Condition::lt("SystemModstamp", until));
    from.into_iter().chain(until).fold(select, Select::filter)
}

/// The end of an object that is not imported by choice.
pub(super) fn left_out() -> ObjectEvent {
    ObjectEvent::Skipped { reason: "person accounts are imported, not companies".to_owned() }
}

/// The end of an object whose filter cannot be put to Salesforce.
fn unfilterable(problem: &SelectionProblem) -> ObjectEvent {
    let message = format!("{problem}; change what is imported, or make the field visible");
    ObjectEvent::Failed { code: "FILTER".to_owned(), message }
}
