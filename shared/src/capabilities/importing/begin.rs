//! How a run begins: its slot, its lease, its first steps.

use std::time::Duration;

use jiff::Timestamp;

use super::clear::clear_later;
use super::object::{Ended, build};
use super::{
    ActiveRun, Import, ImportRun, ImportSettings, ObjectImport, Pipeline, RunState, Stage, keys,
};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::kernel::{
    Connection, Grantee, ImportMessage, ImportRunId, ImportTrigger, Occurrence, SObject, Scope,
};
use crate::ports::PortError;
use crate::salesforce::{Direction, FieldValues, QueryScope, Select};
use crate::store::{Commit, Marker, Next};
use crate::work::{Done, WorkError};

impl Import {
    /// Begins a run, unless one is under way or this one was begun before.
    pub(super) async fn start(
        &self,
        scope: Scope,
        id: ImportRunId,
        trigger: ImportTrigger,
    ) -> Result<Done, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let settings = self.settings(&generation).await?;
        if trigger == ImportTrigger::Scheduled {
            self.plan_next_slot(&generation, id, &settings).await?;
            if settings.schedule_paused {
                return Ok(Done::Finished);
            }
        }
        if self.store.load(&generation.keys.run(id)).await?.is_some() {
            return Ok(Done::Finished);
        }
        match self.read_pipeline(&generation).await {
            Ok(()) => {}
            Err(error @ (GrantError::Dead | GrantError::Missing)) => {
                tracing::warn!(error = %error, "no import without a grant");
                return self.refuse(&generation, id, trigger).await;
            }
            // Auto-save goes on with the stages that it has; the objects report the error
            // themselves.
            Err(error) if Ended::of(&error).is_some() => {
                tracing::warn!(error = %error, "the org's stages cannot be read");
            }
            Err(error) => return error.into_done("read the org's stages"),
        }
        self.take_lease(&generation, id, trigger).await
    }

    /// The settings of the connection's imports.
    pub(super) async fn settings(
        &self,
        generation: &OpenGeneration,
    ) -> Result<ImportSettings, WorkError> {
        let slot = keys::import_settings(generation.connection.at);
        Ok(self.store.read(&slot).await?.unwrap_or_default())
    }

    /// Plans the slot after that of `id`. It comes first: the schedule goes on, whatever becomes of
    /// this run.
    async fn plan_next_slot(
        &self,
        generation: &OpenGeneration,
        id: ImportRunId,
        settings: &ImportSettings,
    ) -> Result<(), WorkError> {
        let now = self.ports.clock.now();
        let mut commit = Commit::new();
        commit.create(&generation.keys.slot(id), &Marker {})?;
        commit.then(scheduled_import(&generation.connection, settings, now));
        self.store
            .commit(commit)
            .await?
            .may_lose_to("another delivery of this slot's message planned the same next slot");
        Ok(())
    }

    /// Records a run that failed before it began, since the connection has no grant.
    async fn refuse(
        &self,
        generation: &OpenGeneration,
        id: ImportRunId,
        trigger: ImportTrigger,
    ) -> Result<Done, WorkError> {
        let now = self.ports.clock.now();
        let run = ImportRun {
            state: RunState::Failed,
            finished_at: Some(now),
            any_failed: true,
            ..ImportRun::begin(id, trigger, false, now)
        };
        let failed = Occurrence::ImportFailed { run: id };
        let mut commit = Commit::new();
        commit.create(&generation.keys.run(id), &run)?;
        commit.then(Next::publish(generation.keys.scope(), now, failed));
        self.store
            .commit(commit)
            .await?
            .may_lose_to("another delivery of this message recorded the run, and told of it");
        Ok(Done::Finished)
    }

    /// Takes the lease and sends the first steps; or steps aside for the run that holds it.
    async fn take_lease(
        &self,
        generation: &OpenGeneration,
        id: ImportRunId,
        trigger: ImportTrigger,
    ) -> Result<Done, WorkError> {
        let now = self.ports.clock.now();
        let slot = generation.keys.active_run();
        let holder = self.store.load(&slot).await?;
        let run = ImportRun::begin(id, trigger, trigger == ImportTrigger::Full, now);
        if let Some(other) = holder.as_ref().filter(|active| active.is_alive(now)) {
            return self.step_aside(generation, run, other.run).await;
        }
        let mut commit = Commit::new();
        commit.create(&generation.keys.run(id), &run)?;
        commit.save(&slot, holder.as_ref(), &ActiveRun::begin(id, now))?;
        first_steps(&mut commit, generation, &run, &SObject::MATCHED_FIRST)?;
        let scope = generation.keys.scope();
        if let Some(dead) = holder {
            self.give_up(&mut commit, generation, dead.run, now).await?;
        }
        commit.then(Next::publish(scope, now, Occurrence::ImportStarted { run: id, trigger }));
        if self.store.commit(commit).await?.is_done() {
            return Ok(Done::Finished);
        }
        // Another delivery of this message was faster, or another run: the next look tells.
        Ok(Done::Later(Duration::from_secs(1)))
    }

    /// Records that a run stepped aside for another one.
    async fn step_aside(
        &self,
        generation: &OpenGeneration,
        run: ImportRun,
        other: ImportRunId,
    ) -> Result<Done, WorkError> {
        let aside = ImportRun {
            aside_of: Some(other),
            ..run.stopped(RunState::SteppedAside, run.started_at)
        };
        let mut commit = Commit::new();
        commit.create(&generation.keys.run(run.id), &aside)?;
        self.store
            .commit(commit)
            .await?
            .may_lose_to("another delivery of this message began the run, or stepped aside");
        Ok(Done::Finished)
    }

    /// Ends a run whose lease another one takes.
    async fn give_up(
        &self,
        commit: &mut Commit,
        generation: &OpenGeneration,
        dead: ImportRunId,
        now: Timestamp,
    ) -> Result<(), WorkError> {
        let Some(run) = self.store.load(&generation.keys.run(dead)).await? else { return Ok(()) };
        commit.replace(&run, &run.stopped(RunState::Failed, now))?;
        clear_later(commit, generation.keys.scope(), dead);
        let failed = Occurrence::ImportFailed { run: dead };
        commit.then(Next::publish(generation.keys.scope(), now, failed));
        Ok(())
    }

    /// Reads the org's stages in pipeline order, which the auto-save rules need.
    async fn read_pipeline(&self, generation: &OpenGeneration) -> Result<(), GrantError> {
        let soql = build(
            &Select::from("OpportunityStage")
                .fields(["ApiName", "MasterLabel", "IsClosed", "IsActive"])
                .order_by("SortOrder", Direction::Ascending),
        )?;
        let client = self.grants.app().client();
        let soql = &soql;
        let reply = self
            .grants
            .call(generation, Grantee::Admin, |session| async move {
                client.query(&session, QueryScope::Live, soql).await
            })
            .await?;
        let stages = reply.value.records.iter().filter_map(|row| {
            Some(Stage {
                name: row.text("ApiName")?.into_owned(),
                label: row.text("MasterLabel")?.into_owned(),
                is_closed: row.flag("IsClosed")?,
                is_active: row.flag("IsActive")?,
            })
        });
        let mut commit = Commit::new();
        commit.put(&generation.keys.pipeline(), &Pipeline { stages: stages.collect() })?;
        self.store.commit(commit).await?.may_lose_to("nobody: the write has no condition");
        Ok(())
    }
}

/// Adds the first steps of some objects.
pub(super) fn first_steps(
    commit: &mut Commit,
    generation: &OpenGeneration,
    run: &ImportRun,
    objects: &[SObject],
) -> Result<(), PortError> {
    let scope = generation.keys.scope();
    for &object in objects {
        let progress = ObjectImport { full: run.full, ..ObjectImport::waiting(object) };
        commit.create(&generation.keys.object_import(run.id, object), &progress)?;
        commit.now(ImportMessage::Object { scope, run: run.id, object, step: 0 });
    }
    Ok(())
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
