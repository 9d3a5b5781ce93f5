//! How an object's import ends, and with the last one the run.

use super::ObjectStep;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::importing::begin::first_steps;
use crate::capabilities::importing::clear::clear_later;
use crate::capabilities::importing::lease::{check_lease, give_lease_back};
use crate::capabilities::importing::{
    Follows, Import, ImportRun, ObjectImport, ObjectPhase, RunState, Watermark,
};
use crate::kernel::{ImportMessage, Occurrence, SObject};
use crate::ports::PortError;
use crate::store::{Attempt, Commit, Next, Stored, attempts};
use crate::work::WorkError;

impl ObjectStep<'_> {
    /// Commits the progress together with what follows in the run: the object came to its end, or
    /// its open opportunities are there and the run waits for it no longer. Nothing happens to a
    /// run that lost its lease.
    pub(super) async fn commit_with_run(
        &self,
        before: &Stored<ObjectImport>,
    ) -> Result<(), WorkError> {
        attempts(|| self.try_commit_with_run(before)).await
    }

    async fn try_commit_with_run(
        &self,
        before: &Stored<ObjectImport>,
    ) -> Result<Attempt<()>, WorkError> {
        let (store, generation) = (&self.import.store, self.generation);
        let Some(stored) = store.load(&generation.keys.run(self.run)).await? else {
            return Ok(Attempt::Done(()));
        };
        let mut run = ImportRun::clone(&stored);
        let mut progress = self.progress.clone();
        let mut commit = Commit::new();
        run.any_failed |= matches!(progress.phase, ObjectPhase::Failed { .. });
        let ended = progress.phase.is_terminal();
        if ended {
            self.move_watermark(&mut commit, &mut progress).await?;
        } else {
            run.activities_left += 1;
            commit.now(self.message());
        }
        let awaited = !ended || progress.is_awaited();
        self.lead_on(&mut commit, &mut run, awaited)?;
        commit.replace(before, &progress)?.replace(&stored, &run)?;
        if store.commit(commit).await?.is_done() {
            return Ok(Attempt::Done(()));
        }
        // Another object ended at the same moment; or this step was taken by another delivery; or
        // the run lost its lease.
        let now = store.load(&before.slot()).await?;
        let is_taken = now.is_none_or(|now| now.step >= progress.step);
        let is_lost = self.import.active_run(generation, self.run).await?.is_none();
        Ok(if is_taken || is_lost { Attempt::Done(()) } else { Attempt::Overtaken })
    }

    /// Adds what follows in the run from an object that ended, or that is no longer awaited.
    fn lead_on(
        &self,
        commit: &mut Commit,
        run: &mut ImportRun,
        awaited: bool,
    ) -> Result<(), PortError> {
        match run.count_ended(awaited) {
            Follows::End => return self.import.end_run(commit, self.generation, run),
            Follows::HandOver => {
                first_steps(commit, self.generation, run, &SObject::ACTIVITIES)?;
                let scope = self.generation.keys.scope();
                commit.now(ImportMessage::HandOver { scope, run: run.id, step: 0 });
            }
            Follows::Nothing => {}
        }
        check_lease(commit, self.generation, run.id)
    }

    /// Adds the move of the watermark.
    async fn move_watermark(
        &self,
        commit: &mut Commit,
        progress: &mut ObjectImport,
    ) -> Result<(), WorkError> {
        let slot = self.generation.keys.watermark(progress.object);
        let before = self.import.store.load(&slot).await?;
        let after = before.as_deref().cloned().unwrap_or_default();
        let after: Watermark = after.after(self.run, progress);
        progress.live = Some(after.live);
        commit.save(&slot, before.as_ref(), &after)?;
        Ok(())
    }
}

impl Import {
    /// Ends a run: adds the return of its lease and the event of its end.
    pub(in crate::capabilities::importing) fn end_run(
        &self,
        commit: &mut Commit,
        generation: &OpenGeneration,
        run: &mut ImportRun,
    ) -> Result<(), PortError> {
        let now = self.ports.clock.now();
        run.end(now);
        let ended = match run.state {
            RunState::Failed => Occurrence::ImportFailed { run: run.id },
            _ => Occurrence::ImportCompleted { run: run.id },
        };
        commit.then(Next::publish(generation.keys.scope(), now, ended));
        clear_later(commit, generation.keys.scope(), run.id);
        give_lease_back(commit, generation, run.id)
    }
}
