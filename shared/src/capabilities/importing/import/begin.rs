//! How a run begins: its slot, its lease, its first steps.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::outcome::{Ended, build};
use super::{Import, STALE_RUN};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing::{
    ActiveRun, ImportRun, ImportSettings, ObjectImport, RunState,
};
use crate::capabilities::importing::{Pipeline, Stage};
use crate::kernel::{
    Connection, Grantee, ImportMessage, ImportRunId, ImportTrigger, Occurrence, SObject, Scope,
};
use crate::ports::{Condition, Write};
use crate::salesforce::{Direction, FieldValues, QueryScope, Select};
use crate::store::{self, Marker, Next};
use crate::work::{Done, WorkError};

impl Import {
    /// Begins a run, unless one is under way or this one was begun before.
    pub(crate) async fn start(
        &self,
        scope: Scope,
        id: ImportRunId,
        trigger: ImportTrigger,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let settings = self.settings(&opened).await?;
        if trigger == ImportTrigger::Scheduled {
            // The next slot first: whatever becomes of this run, the schedule goes on.
            let next = scheduled_import(&opened.connection, &settings, self.ports.clock.now());
            let claim = store::put(opened.keys.slot(id), &Marker {}, Condition::Absent)?;
            let _ = self.outbox.commit(vec![claim], vec![next]).await?;
            if settings.schedule_paused {
                return Ok(Done::Finished);
            }
        }
        let known: Option<ImportRun> = store::get(&*self.ports.table, &opened.keys.run(id)).await?;
        if known.is_some() {
            return Ok(Done::Finished);
        }
        match self.read_pipeline(&opened).await {
            Ok(()) => {}
            Err(error @ (GrantError::Dead | GrantError::Missing)) => {
                tracing::warn!(error = %error, "no import without a grant");
                let now = self.ports.clock.now();
                let run = ImportRun {
                    state: RunState::Failed,
                    finished_at: Some(now),
                    any_failed: true,
                    ..ImportRun::begin(id, trigger, false, now)
                };
                let write = store::put(opened.keys.run(id), &run, Condition::Absent)?;
                let told = Next::publish(scope, now, Occurrence::ImportFailed { run: id });
                let _ = self.outbox.commit(vec![write], vec![told]).await?;
                return Ok(Done::Finished);
            }
            // Auto-save goes on with the stages that it knows; the objects say for themselves what
            // is wrong.
            Err(error) if Ended::of(&error).is_some() => {
                tracing::warn!(error = %error, "the org's stages cannot be read");
            }
            Err(error) => return error.into_done("read the org's stages"),
        }
        self.lease(&opened, id, trigger).await
    }

    /// Takes the lease and sends the first steps; or steps aside for the run that holds it.
    async fn lease(
        &self,
        opened: &OpenGeneration,
        id: ImportRunId,
        trigger: ImportTrigger,
    ) -> Result<Done, WorkError> {
        let now = self.ports.clock.now();
        let key = opened.keys.active_run();
        let held: Option<ActiveRun> = store::get(&*self.ports.table, &key).await?;
        let full = trigger == ImportTrigger::Full;
        let mut run = ImportRun::begin(id, trigger, full, now);
        if let Some(other) = held.filter(|a| a.paused || a.beat_at + STALE_RUN > now) {
            run.state = RunState::SteppedAside;
            run.finished_at = Some(now);
            run.aside_of = Some(other.run);
            let write = store::put(opened.keys.run(id), &run, Condition::Absent)?;
            let _ = self.outbox.commit(vec![write], vec![]).await?;
            return Ok(Done::Finished);
        }
        let active =
            ActiveRun { run: id, since: now, beat_at: now, paused: false, stands_back_until: None };
        let same = match held {
            None => Condition::Absent,
            Some(dead) => Condition::All(vec![
                Condition::Eq("run", json!(dead.run)),
                Condition::Eq("beat_at", json!(dead.beat_at)),
            ]),
        };
        let mut writes = vec![
            store::put(opened.keys.run(id), &run, Condition::Absent)?,
            store::put(key, &active, same)?,
        ];
        let mut next = first_steps(opened, &run, &SObject::MATCHED_FIRST, &mut writes)?;
        let scope = opened.keys.scope();
        if let Some(ActiveRun { run: dead, .. }) = held
            && let Some(write) = self.given_up(opened, dead, now).await?
        {
            writes.push(write);
            next.push(Next::publish(scope, now, Occurrence::ImportFailed { run: dead }));
        }
        next.push(Next::publish(scope, now, Occurrence::ImportStarted { run: id, trigger }));
        if self.outbox.commit(writes, next).await?.is_done() {
            return Ok(Done::Finished);
        }
        // Another delivery of this message was faster, or another run: the next look tells.
        Ok(Done::Later(Duration::from_secs(1)))
    }

    /// The end of a run whose lease another one takes.
    async fn given_up(
        &self,
        opened: &OpenGeneration,
        dead: ImportRunId,
        now: Timestamp,
    ) -> Result<Option<Write>, WorkError> {
        let key = opened.keys.run(dead);
        let Some(run) = store::get::<ImportRun>(&*self.ports.table, &key).await? else {
            return Ok(None);
        };
        let same = Condition::Eq("revision", json!(run.revision));
        let state = RunState::Failed;
        let run = ImportRun { state, finished_at: Some(now), revision: run.revision + 1, ..run };
        Ok(Some(store::put(key, &run, same)?))
    }

    /// The org's stages in pipeline order, which the auto-save rules need.
    async fn read_pipeline(&self, opened: &OpenGeneration) -> Result<(), GrantError> {
        let soql = build(
            &Select::from("OpportunityStage")
                .fields(["MasterLabel", "IsClosed", "IsActive"])
                .order_by("SortOrder", Direction::Ascending),
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
}

/// The first steps of some objects.
pub(crate) fn first_steps(
    opened: &OpenGeneration,
    run: &ImportRun,
    objects: &[SObject],
    writes: &mut Vec<Write>,
) -> Result<Vec<Next>, WorkError> {
    let scope = opened.keys.scope();
    let mut next = Vec::with_capacity(objects.len());
    for &object in objects {
        let key = opened.keys.object_import(run.id, object);
        let progress = ObjectImport { full: run.full, ..ObjectImport::waiting(object) };
        writes.push(store::put(key, &progress, Condition::Always)?);
        next.push(Next::now(ImportMessage::Object { scope, run: run.id, object, step: 0 }));
    }
    Ok(next)
}

/// The import of the connection's next slot.
pub(crate) fn scheduled_import(
    connection: &Connection,
    settings: &ImportSettings,
    now: Timestamp,
) -> Next {
    let slot = settings.next_slot(connection.slot_offset, now);
    let scope = connection.scope();
    let message = ImportMessage::Start {
        scope,
        run: ImportRunId::derived(&format!("{scope}|slot|{slot}")),
        trigger: ImportTrigger::Scheduled,
    };
    Next::after(Duration::try_from(slot.duration_since(now)).unwrap_or_default(), message)
}
