//! The lease of the run under way: its signs of life, its pauses, and how it stands back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{ActiveRun, Import};
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{ImportRunId, Occurrence};
use crate::ports::PortError;
use crate::store::field;
use crate::store::{Commit, Edit, Next};
use crate::work::WorkError;

/// How often a run gives a sign of life.
const HEARTBEAT: SignedDuration = SignedDuration::from_mins(5);

/// The longest wait in one go: a run that waits still gives signs of life.
const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// How long a run leaves the org's API alone when its share is used up. The allowance is of rolling
/// 24 hours: it comes back bit by bit.
const STAND_BACK: SignedDuration = SignedDuration::from_mins(30);

/// Permission to take a step, or the reason to leave it.
pub(super) enum Turn {
    /// The step may be taken, under this lease.
    Go(ActiveRun),
    /// The run stands back: the step is to come again after this long.
    Wait(Duration),
    /// The run lost its lease, or it is paused. Who resumes it sends its steps again.
    Stop,
}

impl Import {
    /// Says if a step of `run` may be taken now. That it is tried is no sign of life: a step that
    /// kills its process each time would give one for ever.
    pub(super) async fn turn(
        &self,
        generation: &OpenGeneration,
        run: ImportRunId,
    ) -> Result<Turn, WorkError> {
        let active = self.active_run(generation, run).await?;
        let Some(active) = active.filter(|active| !active.paused) else {
            return Ok(Turn::Stop);
        };
        let now = self.ports.clock.now();
        match active.stands_back_until {
            Some(until) if until > now => {
                self.beat(generation, &active).await?;
                Ok(Turn::Wait(wait_until(until, now)))
            }
            _ => Ok(Turn::Go(active)),
        }
    }

    /// Gives the sign of life of a run that took a step, or waits with good reason.
    pub(super) async fn beat(
        &self,
        generation: &OpenGeneration,
        active: &ActiveRun,
    ) -> Result<(), WorkError> {
        let now = self.ports.clock.now();
        if active.beat_at + HEARTBEAT <= now {
            let beat = [field!(ActiveRun, beat_at).set(&now)?];
            // A run that lost its lease needs no sign of life.
            self.edit_lease(generation, active.run, beat).await?;
        }
        Ok(())
    }

    /// The lease of `run`; none if the run does not hold it.
    pub(super) async fn active_run(
        &self,
        generation: &OpenGeneration,
        run: ImportRunId,
    ) -> Result<Option<ActiveRun>, WorkError> {
        let active = self.store.read(&generation.keys.active_run()).await?;
        Ok(active.filter(|active| active.run == run))
    }

    /// Changes the lease of a run that still holds it. False if it does not.
    pub(super) async fn edit_lease(
        &self,
        generation: &OpenGeneration,
        run: ImportRunId,
        edits: impl IntoIterator<Item = Edit<ActiveRun>>,
    ) -> Result<bool, WorkError> {
        let mut commit = Commit::new();
        let holds = field!(ActiveRun, run).is(&run)?;
        commit.edit(&generation.keys.active_run(), holds, edits);
        Ok(self.store.commit(commit).await?.is_done())
    }

    /// Has a run leave the org's API alone for a while; says until when.
    pub(super) async fn stand_back(
        &self,
        generation: &OpenGeneration,
        run: ImportRunId,
    ) -> Result<Duration, WorkError> {
        let now = self.ports.clock.now();
        let until = now + STAND_BACK;
        let scope = generation.keys.scope();
        let slot = generation.keys.active_run();
        let stands_back = |active: Option<&ActiveRun>, commit: &mut Commit| {
            let Some(&active) = active.filter(|active| active.run == run) else { return Ok(None) };
            if active.stands_back_until.is_some_and(|until| until > now) {
                return Ok(None); // another object's step stood back first
            }
            tracing::warn!(run.id = %run, "the imports' share of the org's API is used up");
            let stood_back = Occurrence::ImportStoodBack { run, until };
            commit.then(Next::publish(scope, now, stood_back));
            Ok::<_, WorkError>(Some(ActiveRun { stands_back_until: Some(until), ..active }))
        };
        self.store.update(&slot, stands_back).await?;
        Ok(wait_until(until, now))
    }
}

/// Refuses the commit of a run that lost its lease.
pub(super) fn check_lease(
    commit: &mut Commit,
    generation: &OpenGeneration,
    run: ImportRunId,
) -> Result<(), PortError> {
    commit.check(&generation.keys.active_run(), field!(ActiveRun, run).is(&run)?);
    Ok(())
}

/// Gives the lease back; refuses the commit of a run that lost it.
pub(super) fn give_lease_back(
    commit: &mut Commit,
    generation: &OpenGeneration,
    run: ImportRunId,
) -> Result<(), PortError> {
    commit.delete_when(&generation.keys.active_run(), field!(ActiveRun, run).is(&run)?);
    Ok(())
}

/// The time from `now` until `until`, or the longest wait.
fn wait_until(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default().min(LONGEST_WAIT)
}
