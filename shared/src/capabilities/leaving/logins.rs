//! Giving back the tokens of a login that did not become a grant.

use super::steps::PurgeSteps;
use crate::capabilities::custody::KeptLogin;
use crate::capabilities::leaving::{REVOKE_TRIES, revoke_again};
use crate::kernel::{Grantee, TenantEnvironment};
use crate::store::{Commit, Next, When};
use crate::work::{Done, WorkError};

impl PurgeSteps {
    /// Revokes the tokens, however long Salesforce is down, unless they became a grant's.
    pub(super) async fn give_back_login(
        &self,
        at: TenantEnvironment,
        id: String,
        step: u32,
    ) -> Result<Done, WorkError> {
        let kept = self.custody.kept_login(at, &id).await?;
        let Some((login, token)) = kept.filter(|(login, _)| login.step == step) else {
            return Ok(Done::Finished);
        };
        let unchanged = When::unchanged(&login);
        let mut commit = Commit::new();
        let is_held = match (&token, login.grantee) {
            (Some(token), Grantee::Admin) => self.custody.holds(at, token).await?,
            _ => false,
        };
        let is_over = match &token {
            Some(token) if !is_held => self.revoke_token(&login.host, token).await.is_some(),
            _ => true,
        };
        let tries = step.saturating_add(1);
        if is_over || tries >= REVOKE_TRIES {
            tracing::info!(is_over, is_held, "a login is forgotten");
            commit.delete_when(&login.slot(), unchanged);
        } else {
            commit.edit(&login.slot(), unchanged, [KeptLogin::tried(tries)?]);
            let again = KeptLogin::new(at, id).give_back(tries);
            commit.then(Next::after(revoke_again(tries), again));
        }
        let winner = "another delivery of this message, or the commit of the grant";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(Done::Finished)
    }
}
