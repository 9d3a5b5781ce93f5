//! Match runs as people see them: which there were, and having one more.

use jiff::Timestamp;

use crate::capabilities::custody::{Custody, LookupError, unfenced};
use crate::capabilities::directory::keys as directory_keys;
use crate::capabilities::linking::MatchRun;
use crate::kernel::{Asked, MatchMessage, MatchRunId, MatchTrigger, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::store::keys::{GenerationKeys, connection as connection_slot};
use crate::store::{Attempt, Commit, Store, Stored, attempts};
use crate::work::boxed;

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

    /// Has everything that a connection holds matched again; gives the run's id. Who asks for what
    /// is under way gets that run.
    #[must_use]
    #[boxed]
    pub async fn ask(&self, at: TenantEnvironment) -> Result<MatchRunId, LookupError> {
        attempts(|| async {
            let connection = self.custody.live(at).await?;
            let (keys, scope) = (GenerationKeys::of(&connection), connection.scope());
            let (slot, now) = (keys.asked_rematch(), self.ports.clock.now());
            let before = self.store.load(&slot).await?;
            if let Some(asked) = &before
                && self.is_under_way(&keys, asked, now).await?
            {
                return Ok(Attempt::Done(asked.work));
            }
            let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
            let run = MatchRunId::new(millis, self.ports.entropy.bits());
            let trigger = MatchTrigger::Settings;
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &Asked { work: run, asked_at: now })?;
            commit.now(MatchMessage::Rematch { scope, run, trigger, step: 0 });
            commit.check(&connection_slot(at), unfenced(&connection)?);
            // A refusal is somebody who asked at the same moment, or the end of the connection.
            Ok(Attempt::of(&self.store.commit(commit).await?, run))
        })
        .await
    }

    /// True if a re-match that begins now would do what the asked one does: it waits for its first
    /// step, or is made with the directory and the model of today. What an import brings meanwhile
    /// is matched by the import's own run.
    async fn is_under_way(
        &self,
        keys: &GenerationKeys,
        asked: &Asked<MatchRunId>,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        if !asked.is_awaited(now) {
            return Ok(false);
        }
        let Some(run) = self.store.read(&keys.match_run(asked.work)).await? else {
            return Ok(true);
        };
        let current = self.store.read(&directory_keys::directory_current()).await?;
        let model = self.store.read(&keys.model_choice()).await?.unwrap_or_default();
        let is_of_today = current.is_some_and(|current| current.version == run.directory);
        Ok(run.finished_at.is_none() && is_of_today && run.model == model)
    }

    /// A connection's match runs, the newest first.
    #[must_use]
    #[boxed]
    pub async fn list(&self, at: TenantEnvironment) -> Result<Vec<MatchRun>, LookupError> {
        let keys = self.custody.keys(at).await?;
        let mut runs = self.store.all(&keys.match_runs()).await?;
        runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
        Ok(runs.into_iter().map(Stored::into_inner).collect())
    }

    /// One of them.
    #[must_use]
    #[boxed]
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
