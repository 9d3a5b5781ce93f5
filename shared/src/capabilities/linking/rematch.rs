//! Re-matching everything that a connection holds, some batches a step.

use super::batches::PROBES_PER_STEP;
use super::match_runs::MatchRuns;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::{MATCHED_OBJECTS, MatchRun, MatchRunState, ProbeEntry};
use crate::kernel::{MatchMessage, MatchRunId, MatchTrigger, Scope};
use crate::store::{Attempt, Commit, attempts};
use crate::work::{Done, WorkError};

impl MatchRuns {
    /// Takes one step of a re-match of everything that a connection holds.
    pub(crate) async fn rematch(
        &self,
        scope: Scope,
        id: MatchRunId,
        trigger: MatchTrigger,
        step: u64,
    ) -> Result<Done, WorkError> {
        // Batches settle while the rest is planned: to wait long each time would make planning
        // last for seconds a bucket.
        attempts(|| self.planned(scope, id, trigger, step)).await
    }

    /// Tries to take a step. It is overtaken when the run moved meanwhile: a batch was settled, or
    /// another delivery was faster. The next try sees which.
    async fn planned(
        &self,
        scope: Scope,
        id: MatchRunId,
        trigger: MatchTrigger,
        step: u64,
    ) -> Result<Attempt<Done>, WorkError> {
        let finished = Ok(Attempt::Done(Done::Finished));
        let Some(generation) = self.custody.open(scope).await? else { return finished };
        let Some(pins) = self.pins(&generation).await? else { return finished };
        let slot = generation.keys.match_run(id);
        let before = self.store.load(&slot).await?;
        let now = self.ports.clock.now();
        let mut run = match &before {
            Some(before) => MatchRun::clone(before),
            None => Self::begin(id, trigger, &pins, now),
        };
        if run.step != step || run.state != MatchRunState::Planning {
            return finished;
        }
        let Some(directory) = self.version(run.directory).await? else {
            return Err(WorkError::reject("re-match", "the run's directory version is gone"));
        };
        // The cursor moves with the probes, and from the last bucket to the next object.
        let object = MATCHED_OBJECTS.get(run.cursor.object).copied();
        let probes = self.next_probes(&generation, &mut run).await?;
        let mut commit = Commit::new();
        if let (Some(probes), Some(object)) = (probes, object) {
            self.batches(&generation, &mut run, &directory, object, &probes, &mut commit).await?;
        }
        run.step += 1;
        if run.cursor.object >= MATCHED_OBJECTS.len() {
            run.end_planning(now);
            Self::call_followers(&mut commit, scope, &run);
        } else {
            commit.now(MatchMessage::Rematch { scope, run: id, trigger, step: run.step });
        }
        Self::save(&mut commit, &generation.keys, before.as_ref(), &run)?;
        Ok(Attempt::of(&self.store.commit(commit).await?, Done::Finished))
    }

    /// The probes of the next planning step, with the cursor moved behind them; none when the place
    /// holds no more.
    async fn next_probes(
        &self,
        generation: &OpenGeneration,
        run: &mut MatchRun,
    ) -> Result<Option<Vec<ProbeEntry>>, WorkError> {
        let cursor = run.cursor;
        let Some(&object) = MATCHED_OBJECTS.get(cursor.object) else { return Ok(None) };
        let probes = self.folded(generation, run.id, object, cursor.bucket).await?;
        let rest = probes.into_iter().skip(cursor.offset);
        let step: Vec<ProbeEntry> = rest.take(PROBES_PER_STEP).collect();
        run.cursor = if step.len() == PROBES_PER_STEP {
            cursor.forward(step.len())
        } else {
            cursor.next_bucket(generation.keys.buckets())
        };
        Ok((!step.is_empty()).then_some(step))
    }
}
