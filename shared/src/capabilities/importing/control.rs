//! How a person controls imports: requests a run, pauses, resumes and cancels it, changes the
//! settings.

use super::begin::scheduled_import;
use super::clear::clear_later;
use super::lease::{check_lease, give_lease_back};
use super::{ActiveRun, Import, ImportSettings, RunState, keys};
use crate::capabilities::audit::{Action, Actor, Deed};
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{
    Asked, ConnectionState, ImportMessage, ImportRunId, ImportTrigger, Occurrence,
    TenantEnvironment,
};
use crate::ports::PortError;
use crate::store::field;
use crate::store::{Attempt, Commit, Next, attempts};
use crate::work::{WorkError, boxed};

/// Why a person's request cannot be met.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(&'static str),
    /// The connection or the run is in another state.
    #[error("{0}")]
    Conflict(&'static str),
    /// The settings are out of their limits.
    #[error("{0}")]
    Invalid(&'static str),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for ControlError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

impl Import {
    /// Requests a run over the rows that changed, or over every row. It steps aside if another one
    /// is under way.
    #[must_use]
    #[boxed]
    pub async fn request_run(
        &self,
        at: TenantEnvironment,
        full: bool,
    ) -> Result<ImportRunId, ControlError> {
        let generation = self.generation(at).await?;
        if generation.connection.state != ConnectionState::Connected {
            let text = "the connection does not work; authorize it again";
            return Err(ControlError::Conflict(text));
        }
        let (keys, scope) = (&generation.keys, generation.keys.scope());
        let trigger = if full { ImportTrigger::Full } else { ImportTrigger::Requested };
        let slot = keys.asked_run(full);
        attempts(|| async {
            let now = self.ports.clock.now();
            let before = self.store.load(&slot).await?;
            if let Some(asked) = before.as_ref().filter(|asked| asked.is_awaited(now))
                && self.store.load(&keys.run(asked.work)).await?.is_none()
            {
                return Ok(Attempt::Done(asked.work));
            }
            let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
            let run = ImportRunId::new(millis, self.ports.entropy.bits());
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &Asked { work: run, asked_at: now })?;
            commit.now(ImportMessage::Start { scope, run, trigger });
            Ok(Attempt::of(&self.store.commit(commit).await?, run))
        })
        .await
    }

    /// Pauses the run under way: a step that is being taken is finished, and no further one is
    /// taken.
    #[must_use]
    #[boxed]
    pub async fn pause(&self, at: TenantEnvironment, run: ImportRunId) -> Result<(), ControlError> {
        let generation = self.generation(at).await?;
        self.require_active(&generation, run).await?;
        let now = self.ports.clock.now();
        let paused = [field!(ActiveRun, paused).set(&true)?, field!(ActiveRun, beat_at).set(&now)?];
        // A run that ended meanwhile takes no further step either.
        self.edit_lease(&generation, run, paused).await?;
        Ok(())
    }

    /// Has a paused run go on where it stopped. A run that stands back tries again at once.
    #[must_use]
    #[boxed]
    pub async fn resume(
        &self,
        at: TenantEnvironment,
        run: ImportRunId,
    ) -> Result<(), ControlError> {
        let generation = self.generation(at).await?;
        self.require_active(&generation, run).await?;
        let resumed = [
            field!(ActiveRun, paused).set(&false)?,
            field!(ActiveRun, stands_back_until).remove(),
            field!(ActiveRun, beat_at).set(&self.ports.clock.now())?,
        ];
        if !self.edit_lease(&generation, run, resumed).await? {
            return Err(ControlError::Conflict("the run has come to its end"));
        }
        // Read after the pause is over: the progress of a step that the pause dropped is stored by
        // now.
        let mut commit = Commit::new();
        check_lease(&mut commit, &generation, run)?;
        self.add_steps(&mut commit, &generation, run).await?;
        self.store
            .commit(commit)
            .await?
            .may_lose_to("the end of the run, or another one: no step of it is to be taken");
        Ok(())
    }

    /// Calls a run off. What landed stays; the next run reads the rest.
    #[must_use]
    #[boxed]
    pub async fn cancel(
        &self,
        at: TenantEnvironment,
        run: ImportRunId,
    ) -> Result<(), ControlError> {
        let generation = &self.generation(at).await?;
        attempts(|| async move {
            self.require_active(generation, run).await?;
            let found = self.store.load(&generation.keys.run(run)).await?;
            let found = found.ok_or(ControlError::NotFound("run"))?;
            let now = self.ports.clock.now();
            let cancelled = Occurrence::ImportCancelled { run };
            let mut commit = Commit::new();
            commit.replace(&found, &found.stopped(RunState::Cancelled, now))?;
            give_lease_back(&mut commit, generation, run)?;
            clear_later(&mut commit, generation.keys.scope(), run);
            commit.then(Next::publish(generation.keys.scope(), now, cancelled));
            // A refusal is a step that ended at the same moment, or the end of the run.
            Ok(Attempt::of(&self.store.commit(commit).await?, ()))
        })
        .await
    }

    /// Changes the settings of imports, and plans the next slot by them.
    #[must_use]
    #[boxed]
    pub async fn change_settings(
        &self,
        at: TenantEnvironment,
        settings: &ImportSettings,
        by: &Actor,
    ) -> Result<(), ControlError> {
        settings.check().map_err(ControlError::Invalid)?;
        let generation = self.generation(at).await?;
        let now = self.ports.clock.now();
        let mut commit = Commit::new();
        commit.put(&keys::import_settings(at), settings)?;
        commit.then(scheduled_import(&generation.connection, settings, now));
        let deed = Deed::at(Action::ImportSettingsChanged, at);
        let done = self.audit.commit(commit, at.tenant, by, &deed).await?;
        done.may_lose_to("nobody: the write has no condition");
        Ok(())
    }

    /// Adds the messages of the steps that a run is to take next.
    async fn add_steps(
        &self,
        commit: &mut Commit,
        generation: &OpenGeneration,
        run: ImportRunId,
    ) -> Result<(), ControlError> {
        let scope = generation.keys.scope();
        let objects = self.store.all(&generation.keys.object_imports(run)).await?;
        for progress in objects.iter().filter(|progress| !progress.phase.is_terminal()) {
            let (object, step) = (progress.object, progress.step);
            commit.now(ImportMessage::Object { scope, run, object, step });
        }
        let found = self.store.read(&generation.keys.run(run)).await?;
        if let Some(found) = found.filter(|found| found.state == RunState::HandingOver) {
            commit.now(ImportMessage::HandOver { scope, run, step: found.step });
        }
        Ok(())
    }

    async fn generation(&self, at: TenantEnvironment) -> Result<OpenGeneration, ControlError> {
        let connection = self.custody.connection(at).await?;
        let connection = connection.ok_or(ControlError::NotFound("connection"))?;
        let generation = self.custody.open(connection.scope()).await?;
        generation.ok_or(ControlError::NotFound("connection"))
    }

    async fn require_active(
        &self,
        generation: &OpenGeneration,
        run: ImportRunId,
    ) -> Result<(), ControlError> {
        match self.active_run(generation, run).await? {
            Some(_) => Ok(()),
            None => Err(ControlError::Conflict("the run is not under way")),
        }
    }
}
