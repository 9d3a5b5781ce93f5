//! Importing an org: one object, one step at a time, never waiting inside an invocation.
//!
//! A step reads the object's progress, does one thing, and replaces the progress under the
//! condition that nobody else has, together with the due item of the next step. A second delivery
//! of a message finds a later step and does nothing; a killed step is done again.

mod hand_over;
mod outcome;
mod pages;

use std::time::Duration;

use serde_json::json;

use self::outcome::{build, failure, is_missing, job_id, missing};
use super::custody::{Custody, Opened};
use super::grants::{GrantError, Grants};
use super::match_runs::MatchRuns;
use super::salesforce_app::SalesforceApp;
use crate::domain::{
    ActiveRun, Counts, Grantee, ImportRun, ImportRunId, ImportTrigger, Message, ObjectImport,
    ObjectPhase, Pipeline, RunState, SObject, Scope, Stage, VISIBILITY_OVERLAP, Watermark,
};
use crate::ports::{Condition, Ports, Write};
use crate::salesforce::{BulkOperation, Condition as Soql, FieldValues, QueryScope, Select};
use crate::store::{self, Next, Outbox};
use crate::work::{Done, WorkError};

/// Rows per result page: small enough to be landed well within a timeout, large enough that a
/// million rows cost 200 calls.
const PAGE_ROWS: u32 = 5_000;

/// How long to wait before the next poll of a bulk job: Salesforce takes seconds for small jobs and
/// minutes for large ones, and every poll costs the org a request.
fn poll_delay(polls: u32) -> Duration {
    Duration::from_secs(match polls {
        0..3 => 1,
        3..8 => 5,
        8..20 => 30,
        _ => 120,
    })
}

/// A job that is not done after this many polls (about a day) is given up.
const MOST_POLLS: u32 = 720;

/// An active run older than this does not keep others out: its steps were lost for good, or
/// Salesforce holds a job of it back. Its late steps find that they are fenced.
const STALE_RUN: jiff::SignedDuration = jiff::SignedDuration::from_hours(36);

/// Imports orgs.
#[derive(Clone)]
pub struct Import {
    ports: Ports,
    custody: Custody,
    grants: Grants,
    runs: MatchRuns,
    outbox: Outbox,
    page_rows: u32,
}

/// What a step leads to.
enum Step {
    /// The object goes on from here, after this long.
    Next(ObjectPhase, Duration),
    /// The object came to an end.
    End(ObjectPhase),
}

impl Import {
    /// Imports through `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, grants, runs, outbox, page_rows: PAGE_ROWS }
    }

    /// The same, with so many rows on a result page.
    #[must_use]
    pub fn with_page_rows(self, page_rows: u32) -> Self {
        Self { page_rows, ..self }
    }

    /// Does one message's work.
    pub async fn handle(&self, message: Message) -> Result<Done, WorkError> {
        match message {
            Message::ImportStart { scope, run, trigger } => self.start(scope, run, trigger).await,
            Message::ImportObject { scope, run, object, step } => {
                self.object(scope, run, object, step).await
            }
            Message::ImportHandOver { scope, run, step } => self.hand_over(scope, run, step).await,
            _ => Err(WorkError::reject("import", "a message of another function")),
        }
    }

    /// Begins a run, unless one is under way or this one was begun before.
    async fn start(
        &self,
        scope: Scope,
        id: ImportRunId,
        trigger: ImportTrigger,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let now = self.ports.clock.now();
        if trigger == ImportTrigger::Scheduled {
            // The next slot first: whatever becomes of this run, the schedule goes on.
            let next = super::connect::scheduled_import(&opened.connection, now);
            let claim = store::put(opened.keys.slot(id), &json!({}), Condition::Absent)?;
            let _ = self.outbox.commit(vec![claim], vec![next]).await?;
        }
        match self.read_pipeline(&opened).await {
            Ok(()) => {}
            Err(error @ (GrantError::Dead | GrantError::Missing)) => {
                tracing::warn!(error = %error, "no import without a grant");
                return Ok(Done::Finished);
            }
            Err(error) => return error.into_done("read the org's stages"),
        }
        let objects = u32::try_from(SObject::ALL.len()).unwrap_or(u32::MAX);
        let run = ImportRun {
            id,
            trigger,
            state: RunState::Importing,
            started_at: now,
            finished_at: None,
            objects_left: objects,
            any_failed: false,
            step: 0,
            cursor: (0, String::new()),
            match_run: None,
        };
        let idle = Condition::Any(vec![
            Condition::Absent,
            Condition::Lt("since", json!((now - STALE_RUN).to_string())),
        ]);
        let active = ActiveRun { run: id, since: now };
        let mut writes = vec![
            store::put(opened.keys.run(id), &run, Condition::Absent)?,
            store::put(opened.keys.active_run(), &active, idle)?,
        ];
        let mut next = Vec::new();
        for object in SObject::ALL {
            let key = opened.keys.object_import(id, object);
            writes.push(store::put(key, &ObjectImport::waiting(object), Condition::Always)?);
            next.push(Next::now(Message::ImportObject { scope, run: id, object, step: 0 }));
        }
        if !self.outbox.commit(writes, next).await?.is_done() {
            tracing::info!(run.id = %id, "not begun: begun before, or another run is under way");
        }
        Ok(Done::Finished)
    }

    /// The org's stages in pipeline order, which the auto-save rules need.
    async fn read_pipeline(&self, opened: &Opened) -> Result<(), GrantError> {
        let soql = build(
            &Select::from("OpportunityStage")
                .fields(["MasterLabel", "IsClosed", "IsActive"])
                .order_by("SortOrder", crate::salesforce::Direction::Ascending),
        )?;
        let client = self.grants.app().client();
        let soql = &soql;
        let reply = self
            .grants
            .call(opened, Grantee::Admin, |session| async move {
                client.query(&session, QueryScope::Live, soql).await
            })
            .await?;
        let stages = reply.value.records.iter().filter_map(|row| {
            Some(Stage {
                name: row.text("MasterLabel")?.into_owned(),
                is_closed: row.flag("IsClosed")?,
                is_active: row.flag("IsActive")?,
            })
        });
        let pipeline = Pipeline { stages: stages.collect() };
        let write = store::put(opened.keys.pipeline(), &pipeline, Condition::Always)?;
        let _ = self.ports.table.write(write).await?;
        Ok(())
    }

    /// Takes one step of one object.
    async fn object(
        &self,
        scope: Scope,
        run: ImportRunId,
        object: SObject,
        step: u64,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let key = opened.keys.object_import(run, object);
        let stored: Option<ObjectImport> = store::get(&*self.ports.table, &key).await?;
        let Some(mut progress) = stored.filter(|p| p.step == step && !p.phase.is_terminal()) else {
            return Ok(Done::Finished);
        };
        let taken = match self.step(&opened, run, &mut progress).await {
            Ok(taken) => taken,
            Err(error) => match failure(&error) {
                Some(phase) => Step::End(phase),
                None => return error.into_done("import an object"),
            },
        };
        self.commit(&opened, run, progress, taken).await?;
        Ok(Done::Finished)
    }

    async fn step(
        &self,
        opened: &Opened,
        run: ImportRunId,
        progress: &mut ObjectImport,
    ) -> Result<Step, GrantError> {
        match progress.phase.clone() {
            ObjectPhase::Waiting => self.submit(opened, progress).await,
            ObjectPhase::Submitted { job, polls } => self.poll(opened, progress, job, polls).await,
            ObjectPhase::Fetching { job, locator, page } => {
                self.fetch(opened, run, progress, job, locator, page).await
            }
            ObjectPhase::Landing { job, page, next } => {
                self.land(opened, run, progress, job, page, next).await
            }
            ObjectPhase::Deletions => self.deletions(opened, run, progress).await,
            end => Ok(Step::End(end)),
        }
    }

    /// Creates the bulk job, for the fields that the integration user can see.
    async fn submit(
        &self,
        opened: &Opened,
        progress: &mut ObjectImport,
    ) -> Result<Step, GrantError> {
        let object = progress.object;
        let client = self.grants.app().client();
        let describe = self
            .grants
            .call(opened, Grantee::Admin, |session| async move {
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
        let (fields, hidden): (Vec<&str>, Vec<&str>) =
            object.fields().iter().partition(|name| describe.value.field(name).is_some());
        if !fields.contains(&"Id") || !fields.contains(&"SystemModstamp") {
            return Ok(Step::End(missing(object)));
        }
        let watermark: Option<Watermark> =
            store::get(&*self.ports.table, &opened.keys.watermark(object)).await?;
        let mut select = Select::from(object.name()).fields(&fields);
        if let Some(watermark) = watermark {
            select = select.filter(Soql::ge("SystemModstamp", watermark.stamp));
        }
        let soql = &build(&select)?;
        let reply = self
            .grants
            .call(opened, Grantee::Admin, |session| async move {
                client.create_query_job(&session, BulkOperation::QueryAll, soql).await
            })
            .await?;
        progress.since = watermark.map(|w| w.stamp);
        progress.asked_at = reply.observed.server_date;
        progress.hidden_fields = hidden.into_iter().map(str::to_owned).collect();
        let job = reply.value.id.to_string();
        Ok(Step::Next(ObjectPhase::Submitted { job, polls: 0 }, poll_delay(0)))
    }

    async fn poll(
        &self,
        opened: &Opened,
        progress: &mut ObjectImport,
        job: String,
        polls: u32,
    ) -> Result<Step, GrantError> {
        let id = job_id(&job)?;
        let client = self.grants.app().client();
        let reply =
            self.grants
                .call(opened, Grantee::Admin, |session| async move {
                    client.query_job(&session, id).await
                })
                .await?;
        if reply.value.is_complete().map_err(GrantError::Call)? {
            progress.rows_expected = reply.value.number_records_processed.unwrap_or(0);
            let phase = ObjectPhase::Fetching { job, locator: None, page: 0 };
            return Ok(Step::Next(phase, Duration::ZERO));
        }
        if polls >= MOST_POLLS {
            return Ok(Step::End(ObjectPhase::Failed {
                code: "JOB_STUCK".to_owned(),
                message: "Salesforce did not finish the bulk job within a day".to_owned(),
            }));
        }
        let phase = ObjectPhase::Submitted { job, polls: polls + 1 };
        Ok(Step::Next(phase, poll_delay(polls + 1)))
    }

    /// Finds what was deleted without a trace, counts, and moves the watermark.
    async fn deletions(
        &self,
        opened: &Opened,
        run: ImportRunId,
        progress: &mut ObjectImport,
    ) -> Result<Step, GrantError> {
        let object = progress.object;
        if let (false, Some(since)) = (object.deletions_show(), progress.since) {
            self.land_deletions(opened, run, progress, since).await?;
        }
        // Tasks and events are archived after a year: hidden from `query`, still in the org.
        let archived = matches!(object, SObject::Task | SObject::Event);
        let (rows, count) = if archived {
            let live = Soql::eq("IsDeleted", false);
            (QueryScope::All, Select::count(object.name()).filter(live))
        } else {
            (QueryScope::Live, Select::count(object.name()))
        };
        let soql = &build(&count)?;
        let client = self.grants.app().client();
        let reply = self
            .grants
            .call(opened, Grantee::Admin, |session| async move {
                client.count(&session, rows, soql).await
            })
            .await?;
        progress.salesforce_count = Some(reply.value);
        Ok(Step::End(ObjectPhase::Done))
    }

    /// Replaces the progress, and sends what follows.
    async fn commit(
        &self,
        opened: &Opened,
        run_id: ImportRunId,
        mut progress: ObjectImport,
        taken: Step,
    ) -> Result<(), WorkError> {
        let (scope, object, step) = (opened.keys.scope(), progress.object, progress.step);
        progress.step += 1;
        let key = opened.keys.object_import(run_id, object);
        let same_step = Condition::Eq("step", json!(step));
        match taken {
            Step::Next(phase, delay) => {
                progress.phase = phase;
                let message =
                    Message::ImportObject { scope, run: run_id, object, step: progress.step };
                let write = store::put(key, &progress, same_step)?;
                let _ = self.outbox.commit(vec![write], vec![Next::after(delay, message)]).await?;
                Ok(())
            }
            Step::End(phase) => {
                progress.phase = phase;
                self.end(opened, run_id, progress, same_step).await
            }
        }
    }

    /// Ends an object: its watermark moves when all is well, and the last one ends the run.
    async fn end(
        &self,
        opened: &Opened,
        run_id: ImportRunId,
        mut progress: ObjectImport,
        same_step: Condition,
    ) -> Result<(), WorkError> {
        let scope = opened.keys.scope();
        let failed = matches!(progress.phase, ObjectPhase::Failed { .. });
        let watermark = self.watermark(opened, &mut progress).await?;
        for _ in 0..20 {
            let key = opened.keys.run(run_id);
            let Some(mut run) = store::get::<ImportRun>(&*self.ports.table, &key).await? else {
                return Ok(());
            };
            let left = run.objects_left;
            run.objects_left = left.saturating_sub(1);
            run.any_failed |= failed;
            let mut next = Vec::new();
            if run.objects_left == 0 {
                run.state = RunState::HandingOver;
                next.push(Next::now(Message::ImportHandOver { scope, run: run_id, step: 0 }));
            }
            let object = opened.keys.object_import(run_id, progress.object);
            let mut writes = vec![
                store::put(object.clone(), &progress, same_step.clone())?,
                store::put(key, &run, Condition::Eq("objects_left", json!(left)))?,
            ];
            writes.extend(watermark.clone());
            if self.outbox.commit(writes, next).await?.is_done() {
                return Ok(());
            }
            // Another object ended at the same moment, or this step was taken by another delivery.
            let now: Option<ObjectImport> = store::get(&*self.ports.table, &object).await?;
            if now.is_none_or(|now| now.step >= progress.step) {
                return Ok(());
            }
        }
        Err(WorkError::retry("end an object's import", "too many objects end at once"))
    }

    /// The watermark's move; none unless everything landed.
    async fn watermark(
        &self,
        opened: &Opened,
        progress: &mut ObjectImport,
    ) -> Result<Option<Write>, WorkError> {
        if progress.phase != ObjectPhase::Done {
            return Ok(None);
        }
        let key = opened.keys.watermark(progress.object);
        let before: Option<Watermark> = store::get(&*self.ports.table, &key).await?;
        let live = before.map_or(0, |w| w.live) + progress.counts.new;
        let live = live.saturating_sub(progress.counts.deleted);
        progress.live = Some(live);
        let Some(asked_at) = progress.asked_at else { return Ok(None) };
        let stamp = asked_at - VISIBILITY_OVERLAP;
        let stamp = before.map_or(stamp, |w| w.stamp.max(stamp));
        Ok(Some(store::put(key, &Watermark { stamp, live }, Condition::Always)?))
    }
}
