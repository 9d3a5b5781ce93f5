//! Import runs as people see them: which there were, how far each is, when the next one begins.

use jiff::Timestamp;

use crate::capabilities::custody::{Custody, LookupError};
use crate::capabilities::importing::{
    ActiveRun, ImportRun, ImportSettings, ObjectImport, OrgCalls, RunState, keys,
};
use crate::kernel::{ImportRunId, TenantEnvironment};
use crate::ports::Ports;
use crate::store::keys::GenerationKeys;
use crate::store::{Store, Stored};
use crate::work::{WorkError, boxed};

/// A run, and the lease on it while it is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReport {
    /// The run.
    pub run: ImportRun,
    /// The lease; none when the run is not under way.
    pub active: Option<ActiveRun>,
}

impl RunReport {
    fn new(run: ImportRun, active: Option<ActiveRun>) -> Self {
        let active = active.filter(|active| active.run == run.id);
        Self { run, active }
    }
}

/// A connection's runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunList {
    /// The runs, the newest first.
    pub runs: Vec<RunReport>,
    /// When the last complete run ended.
    pub last_sync_at: Option<Timestamp>,
    /// When the schedule begins the next one; none while it is paused.
    pub next_sync_at: Option<Timestamp>,
}

/// A run, object by object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunWithObjects {
    /// The run.
    pub report: RunReport,
    /// Its objects.
    pub objects: Vec<ObjectImport>,
    /// When they were looked at.
    pub seen_at: Timestamp,
}

impl RunWithObjects {
    /// How many calls of the org's API it made.
    #[must_use]
    pub fn api_calls(&self) -> u64 {
        self.objects.iter().map(|object| object.api_calls).sum()
    }

    /// What the org said last of all calls of its API.
    #[must_use]
    pub fn org_calls(&self) -> Option<OrgCalls> {
        let seen = self.objects.iter().filter_map(|object| object.org_calls);
        seen.max_by_key(|calls| calls.seen_at)
    }

    /// Seconds until the last of its objects is read; none when that is not known.
    #[must_use]
    pub fn seconds_left(&self) -> Option<u64> {
        self.objects.iter().filter_map(|object| object.seconds_left(self.seen_at)).max()
    }
}

/// Shows import runs.
#[derive(Clone)]
pub struct Runs {
    ports: Ports,
    store: Store,
    custody: Custody,
}

impl Runs {
    /// Runs over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, custody }
    }

    /// A connection's runs.
    #[must_use]
    #[boxed]
    pub async fn list(&self, at: TenantEnvironment) -> Result<RunList, LookupError> {
        let connection = self.custody.live(at).await?;
        let keys = GenerationKeys::of(&connection);
        let mut runs = self.store.all(&keys.runs()).await?;
        runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
        let active = self.store.read(&keys.active_run()).await?;
        let settings = self.settings(at).await?;
        let next = settings.next_slot(connection.slot_offset, self.ports.clock.now());
        let last = runs.iter().find(|run| run.state == RunState::Complete);
        Ok(RunList {
            last_sync_at: last.and_then(|run| run.finished_at),
            next_sync_at: (!settings.schedule_paused).then_some(next),
            runs: runs.into_iter().map(|run| RunReport::new(run.into_inner(), active)).collect(),
        })
    }

    /// A run with its objects.
    #[must_use]
    #[boxed]
    pub async fn get(
        &self,
        at: TenantEnvironment,
        run: ImportRunId,
    ) -> Result<RunWithObjects, LookupError> {
        let keys = self.custody.keys(at).await?;
        let found = self.store.read(&keys.run(run)).await?;
        let found = found.ok_or(LookupError::NotFound("run"))?;
        let active = self.store.read(&keys.active_run()).await?;
        let objects = self.store.all(&keys.object_imports(run)).await?;
        Ok(RunWithObjects {
            report: RunReport::new(found, active),
            objects: objects.into_iter().map(Stored::into_inner).collect(),
            seen_at: self.ports.clock.now(),
        })
    }

    /// How an environment's imports are set up.
    #[must_use]
    #[boxed]
    pub async fn settings(&self, at: TenantEnvironment) -> Result<ImportSettings, WorkError> {
        Ok(self.store.read(&keys::import_settings(at)).await?.unwrap_or_default())
    }
}
