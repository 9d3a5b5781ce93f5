//! Importing an org: one object, one step at a time, never waiting inside an invocation.
//!
//! A step reads the object's progress, does one thing, and replaces the progress under the
//! condition that nobody else has, together with the due item of the next step. A second delivery
//! of a message finds a later step and does nothing; a killed step is done again. What is read is
//! kept before it is landed, so that a step that lands again lands the same. A run without its lease
//! does nothing.

mod begin;
mod calls;
pub(crate) mod deletions;
mod end;
mod follow;
mod hand_over;
mod outcome;
pub(crate) mod pages;
mod query;
mod rows;
mod selected;
mod steer;
pub(crate) mod sweep;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

pub(crate) use self::begin::scheduled_import;
use self::outcome::Ended;
pub use self::rows::record as imported_record;
pub(crate) use self::selected::org_fields;
pub use self::steer::SteerError;
use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::importing::{ActiveRun, ObjectImport, ObjectPhase};
use crate::capabilities::linking::MatchRuns;
use crate::kernel::{ImportMessage, ImportRunId, Reading, SObject, Scope};
use crate::ports::{Change, Condition, Ports, Write};
use crate::store::{self, Next, Outbox};
use crate::work::{Done, WorkError};

/// Rows per result page: small enough to be landed well within a timeout, large enough that a
/// million rows cost 200 calls.
const PAGE_ROWS: u32 = 5_000;

/// How often a run gives a sign of life.
const HEARTBEAT: SignedDuration = SignedDuration::from_mins(5);

/// A run that gave no sign of life for so long does not keep others out: its steps were lost for
/// good. Should one come after all, it finds that it lost its lease. Much longer than a wait or a
/// redelivery: in a backlog a run is silent while its steps wait in the queue, and to take it over
/// would only add to the backlog.
const STALE_RUN: SignedDuration = SignedDuration::from_hours(2);

/// The longest wait in one go: a run that waits still gives signs of life.
const LONGEST_WAIT: Duration = Duration::from_mins(15);

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
    /// What the run waits for is there: the rest of the object comes while that is handed over.
    Meanwhile(ObjectPhase),
    /// The object is begun anew.
    Restart(Ended),
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
    pub async fn handle(&self, message: ImportMessage) -> Result<Done, WorkError> {
        match message {
            ImportMessage::Start { scope, run, trigger } => self.start(scope, run, trigger).await,
            ImportMessage::Object { scope, run, object, step } => {
                self.object(scope, run, object, step).await
            }
            ImportMessage::HandOver { scope, run, step } => self.hand_over(scope, run, step).await,
        }
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
        match self.turn(&opened, run).await? {
            Turn::Go => {}
            Turn::Wait(delay) => return Ok(Done::Later(delay)),
            Turn::Stop => return Ok(Done::Finished),
        }
        let key = opened.keys.object_import(run, object);
        let stored: Option<ObjectImport> = store::get(&*self.ports.table, &key).await?;
        let Some(mut progress) = stored.filter(|p| p.step == step && !p.phase.is_terminal()) else {
            return Ok(Done::Finished);
        };
        let taken = match self.step(&opened, run, &mut progress).await {
            Ok(taken) => taken,
            Err(error) => match Ended::of(&error) {
                Some(ended) => Step::Restart(ended),
                None => return self.wait(&opened, run, error).await,
            },
        };
        self.commit(&opened, run, progress, taken).await?;
        Ok(Done::Finished)
    }

    /// Whether a step of `run` may be taken now; gives the run's sign of life.
    async fn turn(&self, opened: &OpenGeneration, run: ImportRunId) -> Result<Turn, WorkError> {
        let key = opened.keys.active_run();
        let active: Option<ActiveRun> = store::get(&*self.ports.table, &key).await?;
        let Some(active) = active.filter(|a| a.run == run && !a.paused) else {
            return Ok(Turn::Stop);
        };
        let now = self.ports.clock.now();
        if active.beat_at + HEARTBEAT <= now {
            self.change_active(opened, run, Change::Set("beat_at", json!(now))).await?;
        }
        Ok(match active.stands_back_until {
            Some(until) if until > now => Turn::Wait(wait_until(until, now)),
            _ => Turn::Go,
        })
    }

    /// Changes the lease of a run that still holds it.
    async fn change_active(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        change: Change,
    ) -> Result<(), WorkError> {
        let write = Write::Update {
            key: opened.keys.active_run().into(),
            changes: vec![change],
            when: Condition::Eq("run", json!(run)),
        };
        let _ = self.ports.table.write(write).await?;
        Ok(())
    }

    async fn step(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
    ) -> Result<Step, GrantError> {
        match progress.phase.clone() {
            ObjectPhase::Waiting => self.query(opened, run, progress).await,
            ObjectPhase::Reading { locator, page } => {
                self.read_on(opened, run, progress, locator, page).await
            }
            ObjectPhase::LandingRead { page, next } => {
                self.land_read(opened, run, progress, page, next).await
            }
            ObjectPhase::Submitted { job, polls } => {
                self.poll(opened, run, progress, job, polls).await
            }
            ObjectPhase::Fetching { job, locator, page } => {
                self.fetch(opened, run, progress, job, locator, page).await
            }
            ObjectPhase::Landing { job, page, next } => {
                self.land(opened, run, progress, job, page, next).await
            }
            ObjectPhase::Deletions => self.deletions(opened, run, progress).await,
            ObjectPhase::LandingDeletions { complete } => {
                self.land_deletions(opened, run, progress, complete).await
            }
            ObjectPhase::Counting { complete } => self.count(opened, run, progress, complete).await,
            ObjectPhase::Sweeping { sweep } => self.sweep(opened, run, progress, sweep).await,
            end => Ok(Step::End(end)),
        }
    }

    /// Replaces the progress, and sends what follows.
    async fn commit(
        &self,
        opened: &OpenGeneration,
        run_id: ImportRunId,
        mut progress: ObjectImport,
        taken: Step,
    ) -> Result<(), WorkError> {
        let (scope, object, step) = (opened.keys.scope(), progress.object, progress.step);
        progress.step += 1;
        progress.started_at.get_or_insert(self.ports.clock.now());
        let key = opened.keys.object_import(run_id, object);
        let same_step = Condition::Eq("step", json!(step));
        let delay = match taken {
            Step::Next(phase, delay) => {
                progress.phase = phase;
                delay
            }
            Step::Meanwhile(phase) => {
                progress.phase = phase;
                return self.pass(opened, run_id, progress, same_step).await;
            }
            Step::Restart(ended) => {
                progress.note_error(&ended.code, &ended.message);
                let now = self.asked_at(&progress);
                let Some(delay) = ended.cure(&mut progress, now) else {
                    progress.live = None;
                    progress.phase = ended.into_phase();
                    return self.end(opened, run_id, progress, same_step).await;
                };
                delay
            }
            Step::End(phase) => {
                progress.phase = phase;
                return self.end(opened, run_id, progress, same_step).await;
            }
        };
        let message = ImportMessage::Object { scope, run: run_id, object, step: progress.step };
        let write = store::put(key, &progress, same_step)?;
        let _ = self.outbox.commit(vec![write], vec![Next::after(delay, message)]).await?;
        Ok(())
    }
}

/// Whether a step may be taken.
enum Turn {
    /// Yes.
    Go,
    /// Not now.
    Wait(Duration),
    /// Not any more, or not until somebody resumes the run, who sends its steps again.
    Stop,
}

fn wait_until(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default().min(LONGEST_WAIT)
}

/// The reading that a step of an object's import is.
fn reading(run: ImportRunId, progress: &ObjectImport, at: Timestamp) -> Reading {
    Reading { run, step: progress.step, at }
}
