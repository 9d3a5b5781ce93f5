//! One step of one object's import.
//!
//! [`ObjectStep`] packs what every phase needs. Its methods do the work of a phase, file by file,
//! and give its result as an [`ObjectEvent`].

mod bulk_job;
mod call;
mod compare_ids;
mod count;
mod deletions;
mod end;
mod outcome;
mod page_parts;
mod pages;
mod query;
mod rows;
mod selection_query;
mod wait;

use std::time::Duration;

use jiff::Timestamp;

#[cfg(test)]
pub(crate) use self::deletions::GoneRow;
pub(super) use self::outcome::{Ended, build};
#[cfg(test)]
pub(crate) use self::page_parts::PageIndex;
pub use self::rows::record as imported_record;
pub(crate) use self::selection_query::{org_fields, org_record_types};
use super::lease::Turn;
use super::{Import, ObjectEvent, ObjectImport, ObjectPhase};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::kernel::{Counts, ImportMessage, ImportRunId, Reading, SObject, Scope};
use crate::salesforce::Client;
use crate::store::{Commit, Next, Stored};
use crate::work::{Done, WorkError};

/// The line of the log that tells how many rows of an object a run read; `template.yaml` measures
/// them.
pub const ROWS_READ: &str = "the rows of an object were read";

/// A step of one object's import, with all that its phases need.
struct ObjectStep<'a> {
    import: &'a Import,
    generation: &'a OpenGeneration,
    run: ImportRunId,
    progress: ObjectImport,
}

/// The result of a step.
enum Taken {
    /// The object moves on, and its next step comes after this long.
    Moved(ObjectEvent, Duration),
    /// An error that asking the same again will not cure.
    Broke(Ended),
}

impl From<ObjectEvent> for Taken {
    /// The next step comes at once.
    fn from(event: ObjectEvent) -> Self {
        Self::Moved(event, Duration::ZERO)
    }
}

impl Import {
    /// Takes one step of one object.
    pub(super) async fn object(
        &self,
        scope: Scope,
        run: ImportRunId,
        object: SObject,
        step: u64,
    ) -> Result<Done, WorkError> {
        let Some(generation) = &self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let active = match self.turn(generation, run).await? {
            Turn::Go(active) => active,
            Turn::Wait(delay) => return Ok(Done::Later(delay)),
            Turn::Stop => return Ok(Done::Finished),
        };
        let stored = self.store.load(&generation.keys.object_import(run, object)).await?;
        let before = stored.filter(|p| p.step == step && !p.phase.is_terminal());
        let Some(before) = before else {
            // Another delivery took this step.
            self.beat(generation, &active).await?;
            return Ok(Done::Finished);
        };
        let progress = ObjectImport::clone(&before);
        let mut step = ObjectStep { import: self, generation, run, progress };
        let taken = match step.take().await {
            Ok(taken) => taken,
            Err(error) => match Ended::of(&error).or_else(|| step.given_up(&error)) {
                Some(ended) => Taken::Broke(ended),
                None => return step.wait(&before, &active, error).await,
            },
        };
        step.commit(&before, taken).await?;
        self.beat(generation, &active).await?;
        Ok(Done::Finished)
    }
}

impl<'a> ObjectStep<'a> {
    /// Does the work of the phase.
    async fn take(&mut self) -> Result<Taken, GrantError> {
        match self.progress.phase.clone() {
            ObjectPhase::Waiting => self.query().await,
            ObjectPhase::Submitted { job, polls } => self.poll(job, polls).await,
            ObjectPhase::Fetching { job, locator, page } => self.fetch(job, locator, page).await,
            ObjectPhase::Landing { job, page, next } => self.land(job, page, next).await,
            ObjectPhase::Reading { locator, page } => self.read_on(locator, page).await,
            ObjectPhase::LandingRead { page, next } => self.land_read(page, next).await,
            ObjectPhase::Deletions => self.fetch_deletions().await,
            ObjectPhase::LandingDeletions { .. } => self.land_deletions().await,
            ObjectPhase::Counting { complete } => self.count(complete).await,
            ObjectPhase::Sweeping { sweep } => self.sweep(sweep).await,
            ObjectPhase::Done | ObjectPhase::Skipped { .. } | ObjectPhase::Failed { .. } => {
                Err(WorkError::reject("import an object", "it came to its end before").into())
            }
        }
    }

    /// Replaces the progress, and sends the message of the next step.
    async fn commit(
        mut self,
        before: &Stored<ObjectImport>,
        taken: Taken,
    ) -> Result<(), WorkError> {
        let now = self.import.ports.clock.now();
        self.progress.step += 1;
        self.progress.started_at.get_or_insert(now);
        let mut leads_on = false;
        let delay = match taken {
            Taken::Moved(event, delay) => {
                (self.progress.unusable, self.progress.unusable_since) = (0, None);
                leads_on = event == ObjectEvent::PartLanded;
                self.advance(event)?;
                delay
            }
            Taken::Broke(ended) => self.recover(ended)?,
        };
        if self.progress.phase.is_terminal() {
            self.progress.finished_at = Some(now);
            leads_on = true;
            self.tell_rows();
        }
        if leads_on {
            return self.commit_with_run(before).await;
        }
        let mut commit = Commit::new();
        commit.replace(before, &self.progress)?;
        commit.then(Next::after(delay, self.message()));
        self.import
            .store
            .commit(commit)
            .await?
            .may_lose_to("another delivery of this message took the same step");
        Ok(())
    }

    /// Tells how much was read of the org. An alarm hears of more than any org should hold.
    fn tell_rows(&self) {
        let (scope, object) = (self.generation.keys.scope(), self.progress.object);
        let Counts { new, updated, unchanged, .. } = self.progress.counts;
        let rows = new + updated + unchanged;
        tracing::info!(connection.id = %scope, import.object = %object, rows, "{ROWS_READ}");
    }

    /// Begins the object anew after an error, or gives it up; says after how long it goes on.
    fn recover(&mut self, ended: Ended) -> Result<Duration, WorkError> {
        let asked_at = self.asked_at();
        self.progress.count_error(&ended.code, &ended.message);
        let cured = ended.cure(&mut self.progress, asked_at);
        if let Some(delay) = cured.map_err(illegal)? {
            return Ok(delay);
        }
        self.progress.live = None;
        self.advance(ended.into_event())?;
        Ok(Duration::ZERO)
    }

    fn advance(&mut self, event: ObjectEvent) -> Result<(), WorkError> {
        self.progress.advance(event).map_err(illegal)
    }

    /// The message of the step that the progress stands before.
    fn message(&self) -> ImportMessage {
        let (scope, run) = (self.generation.keys.scope(), self.run);
        let (object, step) = (self.progress.object, self.progress.step);
        ImportMessage::Object { scope, run, object, step }
    }

    /// When the rows were asked for, by Salesforce's clock.
    fn asked_at(&self) -> Timestamp {
        self.progress.asked_at.unwrap_or_else(|| self.import.ports.clock.now())
    }

    /// The reading of Salesforce that this step is.
    fn reading(&self) -> Reading {
        Reading { run: self.run, step: self.progress.step, at: self.asked_at() }
    }

    fn client(&self) -> &'a Client {
        self.import.grants.app().client()
    }
}

/// A step met an event that its phase does not lead to: a mistake that no retry cures.
fn illegal(error: super::IllegalTransition) -> WorkError {
    WorkError::reject("move an object's import on", error)
}
