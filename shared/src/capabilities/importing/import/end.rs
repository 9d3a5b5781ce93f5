//! How an object's import ends, and with the last one the run.

use serde_json::json;

use super::Import;
use super::begin::first_steps;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::importing::{
    ImportRun, ObjectImport, ObjectPhase, RunState, VISIBILITY_OVERLAP, Watermark,
};
use crate::kernel::{ImportMessage, ImportRunId, Occurrence, SObject};
use crate::ports::{Condition, Write};
use crate::store::{self, Next};
use crate::work::WorkError;

/// How often an end is tried against others that happen at the same moment.
const TRIES: u32 = 20;

impl Import {
    /// Ends an object: its watermark moves when all is well, and the last one of its wave leads on.
    /// Nothing of it happens to a run that lost its lease.
    pub(super) async fn end(
        &self,
        opened: &OpenGeneration,
        run_id: ImportRunId,
        mut progress: ObjectImport,
        same_step: Condition,
    ) -> Result<(), WorkError> {
        progress.finished_at = Some(self.ports.clock.now());
        self.pass(opened, run_id, progress, same_step).await
    }

    /// Writes an object's progress together with what that leads to in its run, which may no longer
    /// wait for an object that goes on: its open opportunities are there.
    pub(super) async fn pass(
        &self,
        opened: &OpenGeneration,
        run_id: ImportRunId,
        mut progress: ObjectImport,
        same_step: Condition,
    ) -> Result<(), WorkError> {
        let object = opened.keys.object_import(run_id, progress.object);
        for _ in 0..TRIES {
            let key = opened.keys.run(run_id);
            let Some(mut run) = store::get::<ImportRun>(&*self.ports.table, &key).await? else {
                return Ok(());
            };
            let same_run = Condition::Eq("revision", json!(run.revision));
            run.revision += 1;
            run.any_failed |= matches!(progress.phase, ObjectPhase::Failed { .. });
            let mut writes = Vec::new();
            let mut next = Vec::new();
            let ended = progress.phase.is_terminal();
            if ended {
                writes.push(self.watermark(opened, run_id, &mut progress).await?);
            } else {
                run.activities_left += 1;
                let (object, step) = (progress.object, progress.step);
                let scope = opened.keys.scope();
                next.push(Next::now(ImportMessage::Object { scope, run: run_id, object, step }));
            }
            let awaited = !ended || progress.is_awaited();
            next.extend(self.lead_on(opened, &mut run, awaited, &mut writes)?);
            writes.push(store::put(object.clone(), &progress, same_step.clone())?);
            writes.push(store::put(key, &run, same_run)?);
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

    /// What follows when an object ended, or is no longer waited for: the hand-over, when matching
    /// and auto-save have all they need; the end of the run, when it was the last.
    fn lead_on(
        &self,
        opened: &OpenGeneration,
        run: &mut ImportRun,
        awaited: bool,
        writes: &mut Vec<Write>,
    ) -> Result<Vec<Next>, WorkError> {
        if !awaited {
            run.activities_left = run.activities_left.saturating_sub(1);
            if run.activities_left == 0 && run.state == RunState::Activities {
                let (write, told) = self.finish(opened, run);
                writes.push(write);
                return Ok(vec![told]);
            }
            writes.push(fence(opened, run.id));
            return Ok(Vec::new());
        }
        writes.push(fence(opened, run.id));
        run.objects_left = run.objects_left.saturating_sub(1);
        if run.objects_left > 0 {
            return Ok(Vec::new());
        }
        run.state = RunState::HandingOver;
        let mut next = first_steps(opened, run, &SObject::ACTIVITIES, writes)?;
        let scope = opened.keys.scope();
        next.push(Next::now(ImportMessage::HandOver { scope, run: run.id, step: 0 }));
        Ok(next)
    }

    /// Ends the run: its lease is given back, and others are told.
    pub(super) fn finish(&self, opened: &OpenGeneration, run: &mut ImportRun) -> (Write, Next) {
        let (now, id) = (self.ports.clock.now(), run.id);
        let told;
        (run.state, told) = if run.any_failed {
            (RunState::Failed, Occurrence::ImportFailed { run: id })
        } else {
            (RunState::Complete, Occurrence::ImportCompleted { run: id })
        };
        run.finished_at = Some(now);
        let when = Condition::Eq("run", json!(id));
        let given_back = Write::Delete { key: opened.keys.active_run().into(), when };
        (given_back, Next::publish(opened.keys.scope(), now, told))
    }

    /// The watermark's move. What landed counts even when the object failed; the stamp moves only
    /// behind a run that ended well.
    async fn watermark(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
    ) -> Result<Write, WorkError> {
        let key = opened.keys.watermark(progress.object);
        let before: Option<Watermark> = store::get(&*self.ports.table, &key).await?;
        let same = |w: &Watermark| Condition::Eq("revision", json!(w.revision));
        let when = before.as_ref().map_or(Condition::Absent, same);
        let before = before.unwrap_or_default();
        let live = progress.live_after(before.live);
        progress.live = Some(live);
        let mut after = Watermark { live, revision: before.revision + 1, ..before };
        let left_out =
            progress.selection.excluded && matches!(progress.phase, ObjectPhase::Skipped { .. });
        if progress.phase == ObjectPhase::Done || left_out {
            after.selection = progress.selection.digest();
            after.begun_by = progress.mixed.then_some(run);
        }
        if let (ObjectPhase::Done, Some(asked_at)) = (&progress.phase, progress.asked_at) {
            let stamp = asked_at - VISIBILITY_OVERLAP;
            after.stamp = Some(before.stamp.map_or(stamp, |s| s.max(stamp)));
            if progress.since.is_none() {
                after.read_at = Some(asked_at);
            }
            if progress.swept {
                after.swept_at = Some(asked_at);
            }
        }
        Ok(store::put(key, &after, when)?)
    }
}

/// Refuses the transaction of a run that lost its lease.
pub(super) fn fence(opened: &OpenGeneration, run: ImportRunId) -> Write {
    Write::Check { key: opened.keys.active_run().into(), when: Condition::Eq("run", json!(run)) }
}
