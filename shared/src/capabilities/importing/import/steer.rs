//! What a person does to a run: starts it, pauses it, has it go on, calls it off.

use serde_json::json;

use super::Import;
use super::begin::scheduled_import;
use super::end::fence;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::importing;
use crate::capabilities::importing::{
    ActiveRun, ImportRun, ImportSettings, ObjectImport, RunState,
};
use crate::kernel::{
    ConnectionState, ImportMessage, ImportRunId, ImportTrigger, Occurrence, TenantEnvironment,
};
use crate::ports::{Change, Condition, PortError, Write};
use crate::store::{self, Next};
use crate::work::WorkError;

/// Why a run cannot be steered so.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(&'static str),
    /// It does not go with the state of things.
    #[error("{0}")]
    Conflict(&'static str),
    /// The settings cannot be so.
    #[error("{0}")]
    Invalid(&'static str),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for SteerError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

impl Import {
    /// Asks for a run, of what changed or of everything. It steps aside when another is under way.
    pub async fn ask(&self, at: TenantEnvironment, full: bool) -> Result<ImportRunId, SteerError> {
        let opened = self.opened(at).await?;
        if opened.connection.state != ConnectionState::Connected {
            let text = "the connection does not work; authorize it again";
            return Err(SteerError::Conflict(text));
        }
        let millis = u64::try_from(self.ports.clock.now().as_millisecond()).unwrap_or(0);
        let run = ImportRunId::new(millis, self.ports.entropy.bits());
        let trigger = if full { ImportTrigger::Full } else { ImportTrigger::Requested };
        let message = ImportMessage::Start { scope: opened.keys.scope(), run, trigger };
        let _ = self.outbox.commit(vec![], vec![Next::now(message)]).await?;
        Ok(run)
    }

    /// Pauses the run under way: what is being done is finished, and no further step is taken.
    pub async fn pause(&self, at: TenantEnvironment, run: ImportRunId) -> Result<(), SteerError> {
        let opened = self.opened(at).await?;
        self.active(&opened, run).await?;
        Ok(self.change_active(&opened, run, Change::Set("paused", json!(true))).await?)
    }

    /// Has a paused run go on where it stopped. Also tells a run that stands back to try again.
    pub async fn resume(&self, at: TenantEnvironment, run: ImportRunId) -> Result<(), SteerError> {
        let opened = self.opened(at).await?;
        let active = self.active(&opened, run).await?;
        let resumed = ActiveRun {
            paused: false,
            stands_back_until: None,
            beat_at: self.ports.clock.now(),
            ..active
        };
        let same = Condition::Eq("run", json!(run));
        let write = store::put(opened.keys.active_run(), &resumed, same)?;
        if !self.outbox.commit(vec![write], vec![]).await?.is_done() {
            return Err(SteerError::Conflict("the run has come to its end"));
        }
        // Read after the pause is over: a step that was dropped for it is in its place by now.
        let next = self.steps(&opened, run).await?;
        let _ = self.outbox.commit(vec![fence(&opened, run)], next).await?;
        Ok(())
    }

    /// Calls a run off: what landed stays, and the next run reads what this one did not.
    pub async fn cancel(&self, at: TenantEnvironment, run: ImportRunId) -> Result<(), SteerError> {
        let opened = self.opened(at).await?;
        self.active(&opened, run).await?;
        for _ in 0..10 {
            let key = opened.keys.run(run);
            let found: Option<ImportRun> = store::get(&*self.ports.table, &key).await?;
            let found = found.ok_or(SteerError::NotFound("run"))?;
            let now = self.ports.clock.now();
            let cancelled = ImportRun {
                state: RunState::Cancelled,
                finished_at: Some(now),
                revision: found.revision + 1,
                ..found
            };
            let same = Condition::Eq("revision", json!(found.revision));
            let when = Condition::Eq("run", json!(run));
            let writes = vec![
                store::put(key, &cancelled, same)?,
                Write::Delete { key: opened.keys.active_run().into(), when },
            ];
            let told = Occurrence::ImportCancelled { run };
            let told = Next::publish(opened.keys.scope(), now, told);
            if self.outbox.commit(writes, vec![told]).await?.is_done() {
                return Ok(());
            }
            self.active(&opened, run).await?;
        }
        Err(WorkError::retry("cancel a run", "too many of its steps end at once").into())
    }

    /// Changes how imports are set up; the next slot is that of the new schedule.
    pub async fn set_up(
        &self,
        at: TenantEnvironment,
        settings: &ImportSettings,
    ) -> Result<(), SteerError> {
        settings.check().map_err(SteerError::Invalid)?;
        let opened = self.opened(at).await?;
        let write = store::put(importing::keys::import_settings(at), settings, Condition::Always)?;
        let next = scheduled_import(&opened.connection, settings, self.ports.clock.now());
        let _ = self.outbox.commit(vec![write], vec![next]).await?;
        Ok(())
    }

    /// The messages of the steps that a run stands before.
    async fn steps(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
    ) -> Result<Vec<Next>, SteerError> {
        let scope = opened.keys.scope();
        let table = &*self.ports.table;
        let objects: Vec<ObjectImport> =
            store::query_all(table, &opened.keys.object_imports(run)).await?;
        let mut next: Vec<Next> = objects
            .iter()
            .filter(|progress| !progress.phase.is_terminal())
            .map(|progress| {
                let (object, step) = (progress.object, progress.step);
                Next::now(ImportMessage::Object { scope, run, object, step })
            })
            .collect();
        let found: Option<ImportRun> = store::get(table, &opened.keys.run(run)).await?;
        if let Some(found) = found.filter(|r| r.state == RunState::HandingOver) {
            next.push(Next::now(ImportMessage::HandOver { scope, run, step: found.step }));
        }
        Ok(next)
    }

    async fn opened(&self, at: TenantEnvironment) -> Result<OpenGeneration, SteerError> {
        let connection = self.custody.connection(at).await?;
        let connection = connection.ok_or(SteerError::NotFound("connection"))?;
        let opened = self.custody.open(connection.scope()).await?;
        opened.ok_or(SteerError::NotFound("connection"))
    }

    async fn active(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
    ) -> Result<ActiveRun, SteerError> {
        let key = opened.keys.active_run();
        let active: Option<ActiveRun> = store::get(&*self.ports.table, &key).await?;
        let text = "the run is not under way";
        active.filter(|a| a.run == run).ok_or(SteerError::Conflict(text))
    }
}
