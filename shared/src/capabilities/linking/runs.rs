//! Match runs as people see them: which there were, and having one more.

use crate::capabilities::custody::{Custody, LookupError, unfenced};
use crate::capabilities::linking::MatchRun;
use crate::kernel::{MatchMessage, MatchRunId, MatchTrigger, TenantEnvironment};
use crate::ports::{Outcome, Ports};
use crate::store::keys::connection as connection_slot;
use crate::store::{Commit, Store, Stored};

/// Shows match runs, and has everything matched again.
#[derive(Clone)]
pub struct Rematch {
    ports: Ports,
    store: Store,
    custody: Custody,
}

impl Rematch {
    /// Match runs over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, custody }
    }

    /// Has everything that a connection holds matched again; gives the run's id.
    pub async fn ask(&self, at: TenantEnvironment) -> Result<MatchRunId, LookupError> {
        let connection = self.custody.live(at).await?;
        let scope = connection.scope();
        let millis = u64::try_from(self.ports.clock.now().as_millisecond()).unwrap_or(0);
        let run = MatchRunId::new(millis, self.ports.entropy.bits());
        let mut commit = Commit::new();
        commit.now(MatchMessage::Rematch { scope, run, trigger: MatchTrigger::Settings, step: 0 });
        commit.check(&connection_slot(at), unfenced(&connection)?);
        match self.store.commit(commit).await? {
            Outcome::Done => Ok(run),
            Outcome::Refused(_) => Err(LookupError::NotFound("connection")),
        }
    }

    /// A connection's match runs, the newest first.
    pub async fn list(&self, at: TenantEnvironment) -> Result<Vec<MatchRun>, LookupError> {
        let keys = self.custody.keys(at).await?;
        let mut runs = self.store.all(&keys.match_runs()).await?;
        runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
        Ok(runs.into_iter().map(Stored::into_inner).collect())
    }

    /// One of them.
    pub async fn get(
        &self,
        at: TenantEnvironment,
        run: MatchRunId,
    ) -> Result<MatchRun, LookupError> {
        let keys = self.custody.keys(at).await?;
        let found = self.store.read(&keys.match_run(run)).await?;
        found.ok_or(LookupError::NotFound("match run"))
    }
}
