//! Fanning a new version out: every live connection is matched to it.

use super::{CONNECTIONS_PER_STEP, Directory};
use crate::kernel::{
    DirectoryMessage, DirectoryVersionId, MatchMessage, MatchRunId, MatchTrigger, TenantEnvironment,
};
use crate::store::Commit;
use crate::store::keys::{self, GenerationKeys};
use crate::work::WorkError;

impl Directory {
    /// Has every live connection matched to the version, some a step.
    pub(super) async fn fan_out(
        &self,
        id: DirectoryVersionId,
        after: Option<String>,
    ) -> Result<(), WorkError> {
        let live = keys::live_connections();
        let page = self.store.page(&live, after.as_deref(), CONNECTIONS_PER_STEP).await?;
        let mut commit = Commit::new();
        for &at in page.documents.iter().map(|at| &**at) {
            let Some(generation) = self.live_generation(at).await? else { continue };
            let scope = generation.scope();
            let run = MatchRunId::derived(&format!("{scope}|{id}"));
            let trigger = MatchTrigger::Directory;
            commit.now(MatchMessage::Rematch { scope, run, trigger, step: 0 });
        }
        if let Some(after) = page.next {
            commit.now(DirectoryMessage::FanOut { version: id, after: Some(after) });
        }
        if !commit.is_empty() {
            self.store.commit(commit).await?.may_lose_to("nobody: the steps have no condition");
        }
        Ok(())
    }

    /// The keys of the generation that a live connection has now.
    pub(super) async fn live_generation(
        &self,
        at: TenantEnvironment,
    ) -> Result<Option<GenerationKeys>, WorkError> {
        let connection = self.store.read(&keys::connection(at)).await?;
        Ok(connection.map(|connection| GenerationKeys::of(&connection)))
    }
}
