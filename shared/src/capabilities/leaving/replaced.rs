//! Giving back one grant that another one replaced.

use super::steps::PurgeSteps;
use crate::capabilities::custody::Replaced;
use crate::capabilities::leaving::{REVOKE_TRIES, revoke_again};
use crate::kernel::{PurgeMessage, Scope};
use crate::store::field;
use crate::store::{Commit, Next, When};
use crate::work::{Done, WorkError};

impl PurgeSteps {
    /// Revokes a grant that another user's replaced, however long Salesforce is down. Once the
    /// fence is up, this is the purge's to do.
    pub(super) async fn revoke_replaced(
        &self,
        scope: Scope,
        number: u64,
        step: u32,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let kept = self.grants.replaced(&opened, number).await?;
        let Some((replaced, token)) = kept.filter(|(replaced, _)| replaced.step == step) else {
            return Ok(Done::Finished);
        };
        let tries = step + 1;
        let slot = replaced.slot();
        let unchanged = When::unchanged(&replaced);
        let mut commit = Commit::new();
        match self.revoke_token(&opened.connection.login_host, &token).await {
            None if tries < REVOKE_TRIES => {
                commit.edit(&slot, unchanged, [field!(Replaced, step).set(&tries)?]);
                let again = PurgeMessage::Revoke { scope, grant: number, step: tries };
                commit.then(Next::after(revoke_again(tries), again));
            }
            outcome => {
                tracing::info!(outcome = ?outcome, "a replaced grant is forgotten");
                commit.delete_when(&slot, unchanged);
            }
        }
        let winner = "another delivery of this message, which revoked or tried the same grant";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(Done::Finished)
    }
}
