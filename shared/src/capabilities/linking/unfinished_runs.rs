//! The directory versions that unfinished match runs use.

use std::pin::pin;

use async_trait::async_trait;
use futures::TryStreamExt;

use crate::capabilities::directory::VersionUse;
use crate::kernel::DirectoryVersionId;
use crate::ports::Ports;
use crate::store::Store;
use crate::store::keys::GenerationKeys;
use crate::work::WorkError;

/// The match runs that are not complete: each needs its directory version to the end.
pub struct UnfinishedRuns {
    store: Store,
}

impl UnfinishedRuns {
    /// The match runs in these ports' table.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { store: Store::new(ports) }
    }
}

#[async_trait]
impl VersionUse for UnfinishedRuns {
    async fn is_in_use(
        &self,
        generation: &GenerationKeys,
        version: DirectoryVersionId,
    ) -> Result<bool, WorkError> {
        let mut pages = pin!(self.store.pages(generation.unfinished_runs()));
        while let Some(runs) = pages.try_next().await? {
            if runs.iter().any(|run| run.directory == version) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::capabilities::linking::match_runs::MatchRuns;
    use crate::capabilities::linking::{MatchRun, ModelChoice};
    use crate::kernel::TenantEnvironment;
    use crate::kernel::{Environment, Generation, MatchRunId, MatchTrigger, TenantId};
    use crate::ports::Item;
    use crate::store::{Commit, item};
    use crate::testing::{Fuse, Memory};

    fn run(name: &str, directory: DirectoryVersionId) -> MatchRun {
        let (id, trigger) = (MatchRunId::derived(name), MatchTrigger::Import);
        MatchRun::begin(id, trigger, directory, ModelChoice::default(), Timestamp::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn whether_a_version_is_in_use_is_one_read_however_many_runs_there_were() {
        let memory = Memory::new(Timestamp::UNIX_EPOCH, 1);
        let (ports, fuse) = (memory.ports(), Fuse::default());
        let tenant = TenantId::derived("acme");
        let at = TenantEnvironment { tenant, environment: Environment::Production };
        let keys = GenerationKeys::new(at.generation(Generation(1)), 16);
        let [old, new, never] = [1, 2, 3].map(|n| DirectoryVersionId::new(n, 1));
        let finished = |n: u32| MatchRun {
            finished_at: Some(Timestamp::UNIX_EPOCH),
            ..run(&n.to_string(), old)
        };
        let runs = (0..10_000).map(finished);
        let items: Vec<Item> =
            runs.map(|run| item(keys.match_run(run.id), &run).unwrap()).collect();
        ports.table.put_many(items).await.unwrap();
        let store = Store::new(ports.clone());
        let mut commit = Commit::new();
        MatchRuns::save(&mut commit, &keys, None, &run("last", new)).unwrap();
        assert!(store.commit(commit).await.unwrap().is_done());

        let in_use = UnfinishedRuns::new(fuse.guard(&ports));
        for (version, expected) in [(old, false), (new, true), (never, false)] {
            let before = fuse.calls();
            assert_eq!(in_use.is_in_use(&keys, version).await.unwrap(), expected);
            assert_eq!(fuse.calls() - before, 1);
        }
        // At its end the run leaves the list, and has an end itself.
        let before = store.load(&keys.match_run(MatchRunId::derived("last"))).await.unwrap();
        let before = before.unwrap();
        assert_eq!(before.expires_at(), None, "an unfinished run stays");
        let finished_at = Some(Timestamp::UNIX_EPOCH);
        let ended = MatchRun { finished_at, ..MatchRun::clone(&before) };
        let mut commit = Commit::new();
        MatchRuns::save(&mut commit, &keys, Some(&before), &ended).unwrap();
        assert!(store.commit(commit).await.unwrap().is_done());
        assert!(!in_use.is_in_use(&keys, new).await.unwrap());
        let after = store.load(&keys.match_run(ended.id)).await.unwrap().unwrap();
        assert_eq!(after.expires_at(), Some(90 * 24 * 3600));
    }
}
