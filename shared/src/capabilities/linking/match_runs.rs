//! Match runs: the directory version and the model that a run is made with, and its beginning.
//!
//! The verbs are beside it: [`super::rematch`] plans a match of everything, [`super::batches`]
//! makes batches, [`super::probes`] makes probes and keeps them.

use jiff::{SignedDuration, Timestamp};

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::directory::{DirectoryVersion, keys as directory_keys};
use crate::capabilities::linking::keys::run_folder;
use crate::capabilities::linking::{MatchRun, ModelChoice, UnfinishedRun};
use crate::kernel::{
    AutoSaveMessage, DirectoryVersionId, MatchMessage, MatchRunId, MatchTrigger, Scope,
};
use crate::ports::{PortError, Ports};
use crate::store::keys::GenerationKeys;
use crate::store::{Commit, Draft, Next, Store, Stored, When};
use crate::work::{CLEAR_AFTER, Done, WorkError};

/// Who looks back at a run finds it this long after its end. A batch is kept as long after it was
/// made or scored.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The time (Unix seconds) until which what was written at `now` is kept.
pub(super) fn kept_until(now: Timestamp) -> i64 {
    (now + KEPT).as_second()
}

/// The directory version and the model that a run is made with, from its beginning to its end.
pub(crate) struct Pins {
    pub(crate) directory: DirectoryVersion,
    pub(crate) model: ModelChoice,
}

/// Plans match runs.
#[derive(Clone)]
pub(crate) struct MatchRuns {
    pub(super) ports: Ports,
    pub(super) store: Store,
    pub(super) custody: Custody,
}

impl MatchRuns {
    /// Planning over these ports.
    #[must_use]
    pub(crate) fn new(ports: Ports, custody: Custody) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, custody }
    }

    /// The directory version to match to; none before the first is published.
    pub(crate) async fn current_directory(&self) -> Result<Option<DirectoryVersion>, WorkError> {
        match self.store.read(&directory_keys::directory_current()).await? {
            Some(current) => self.version(current.version).await,
            None => Ok(None),
        }
    }

    /// A directory version.
    pub(crate) async fn version(
        &self,
        id: DirectoryVersionId,
    ) -> Result<Option<DirectoryVersion>, WorkError> {
        Ok(self.store.read(&directory_keys::directory_version(id)).await?)
    }

    /// The pins of a run that begins now; none before the first version is published.
    ///
    /// The directory is read first. If either of the two is replaced in between, its replacement
    /// calls for a re-match, and that re-match has both of them as new as any run before it.
    pub(crate) async fn pins(
        &self,
        generation: &OpenGeneration,
    ) -> Result<Option<Pins>, WorkError> {
        let Some(directory) = self.current_directory().await? else { return Ok(None) };
        let model = self.model_choice(generation).await?;
        Ok(Some(Pins { directory, model }))
    }

    /// The model that the generation matches with.
    pub(crate) async fn model_choice(
        &self,
        generation: &OpenGeneration,
    ) -> Result<ModelChoice, WorkError> {
        let chosen = self.store.read(&generation.keys.model_choice()).await?;
        Ok(chosen.unwrap_or_default())
    }

    /// Adds to the commit of a run that comes to its end by it what follows from that: its objects
    /// are deleted, and once everything is matched to a new directory version, what is saved
    /// follows it.
    pub(crate) fn call_followers(commit: &mut Commit, scope: Scope, run: &MatchRun) {
        if run.finished_at.is_none() {
            return;
        }
        commit.then(Next::after(CLEAR_AFTER, MatchMessage::Clear { scope, run: run.id }));
        if run.trigger == MatchTrigger::Directory {
            commit.now(AutoSaveMessage::Directory { scope, run: run.id, step: 0 });
        }
    }

    /// Adds a run to a commit, as it is after `before`. While it is unfinished it is listed with
    /// the directory version that it needs; once it is complete, it has an end.
    pub(crate) fn save(
        commit: &mut Commit,
        keys: &GenerationKeys,
        before: Option<&Stored<MatchRun>>,
        run: &MatchRun,
    ) -> Result<(), PortError> {
        let draft = match before {
            Some(before) => Draft::after(before, run)?,
            None => Draft::new(&keys.match_run(run.id), run)?.when(When::absent()),
        };
        let unfinished = keys.unfinished_run(run.id);
        if let Some(end) = run.finished_at {
            commit.write(draft.until(kept_until(end)))?;
            if before.is_some() {
                commit.delete(&unfinished);
            }
            return Ok(());
        }
        commit.write(draft)?;
        if before.is_none() {
            commit.put(&unfinished, &UnfinishedRun { directory: run.directory })?;
        }
        Ok(())
    }

    /// Deletes the batches and candidates of a run that is complete.
    pub(super) async fn clear(&self, scope: Scope, run: MatchRunId) -> Result<Done, WorkError> {
        // What was disconnected, the purge deletes.
        if self.custody.open(scope).await?.is_some() {
            self.ports.objects.delete_folder(&run_folder(scope, run)).await?;
        }
        Ok(Done::Finished)
    }

    /// A run that begins now, made with `pins`.
    pub(crate) fn begin(
        id: MatchRunId,
        trigger: MatchTrigger,
        pins: &Pins,
        now: Timestamp,
    ) -> MatchRun {
        MatchRun::begin(id, trigger, pins.directory.id, pins.model, now)
    }
}
