//! Revoking grants at Salesforce: all of a generation that is purged, and one that was replaced.

use std::time::Duration;

use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::Disconnect;
use crate::capabilities::custody::Replaced;
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::leaving::{Purge, REVOKE_TRIES, Revocation, revoke_again};
use crate::kernel::{Grantee, PurgeMessage, Scope};
use crate::salesforce::OAuthError;
use crate::store::field;
use crate::store::{Commit, Next, Series, When};
use crate::work::{Done, WorkError};

/// A grant that can be revoked.
enum Revocable {
    /// One that is in use.
    InUse(Grantee),
    /// One that the grant with this number replaced.
    Replaced(u64),
}

impl Disconnect {
    /// Revokes each grant that is not revoked yet. Gives the wait before the next try.
    pub(super) async fn revoke(&self, purge: &mut Purge) -> Result<Duration, WorkError> {
        let Some(opened) = self.custody.open_past_the_fence(&purge.connection).await? else {
            // No data key: nobody can read the grants any more, nor could an earlier step.
            purge.revoked();
            return Ok(Duration::ZERO);
        };
        purge.revoke_tries += 1;
        let is_last_try = purge.revoke_tries >= REVOKE_TRIES;
        let mut is_open = false;
        for (name, grant) in self.revocable(&opened).await? {
            if purge.grants.contains_key(&name) {
                continue;
            }
            let outcome = self.revoke_one(&opened, grant).await?;
            match outcome.or(is_last_try.then_some(Revocation::Unconfirmed)) {
                Some(revocation) => {
                    purge.grants.insert(name, revocation);
                }
                None => is_open = true,
            }
        }
        if is_open {
            return Ok(revoke_again(purge.revoke_tries));
        }
        purge.revoked();
        Ok(Duration::ZERO)
    }

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
        match self.revoke_token(&opened, &token).await? {
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

    /// Revokes one grant; none when Salesforce cannot be asked now.
    async fn revoke_one(
        &self,
        opened: &OpenGeneration,
        grant: Revocable,
    ) -> Result<Option<Revocation>, WorkError> {
        let token = match grant {
            Revocable::InUse(grantee) => self.grants.refresh_token(opened, grantee).await,
            Revocable::Replaced(number) => {
                let kept = self.grants.replaced(opened, number).await?;
                Ok(kept.map(|(_, token)| token))
            }
        };
        match token {
            Ok(Some(token)) => self.revoke_token(opened, &token).await,
            Ok(None) => Ok(Some(Revocation::AlreadyDead)),
            Err(GrantError::Work(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    async fn revoke_token(
        &self,
        opened: &OpenGeneration,
        token: &SecretString,
    ) -> Result<Option<Revocation>, WorkError> {
        let host = &opened.connection.login_host;
        match self.grants.app().oauth().await?.revoke(host, token).await {
            Ok(true) => Ok(Some(Revocation::Revoked)),
            Ok(false) | Err(OAuthError::GrantDead { .. }) => Ok(Some(Revocation::AlreadyDead)),
            Err(error) => {
                tracing::warn!(error = %error, "a grant could not be revoked yet");
                Ok(None)
            }
        }
    }

    /// All grants of a generation, by name.
    async fn revocable(
        &self,
        opened: &OpenGeneration,
    ) -> Result<Vec<(String, Revocable)>, WorkError> {
        let mut grants = vec![("admin".to_owned(), Revocable::InUse(Grantee::Admin))];
        for name in self.names(opened.keys.seat_grants()).await? {
            if let Ok(seat) = name.parse() {
                grants.push((name, Revocable::InUse(Grantee::Seat(seat))));
            }
        }
        for number in self.names(opened.keys.replaced_grants()).await? {
            if let Ok(number) = number.parse() {
                grants.push((format!("replaced by {number}"), Revocable::Replaced(number)));
            }
        }
        Ok(grants)
    }

    /// The names of a series' documents.
    async fn names<T>(&self, series: Series<T>) -> Result<Vec<String>, WorkError>
    where
        T: DeserializeOwned + Send,
    {
        let documents = self.store.all(&series).await?;
        Ok(documents.iter().map(|stored| series.name(stored).to_owned()).collect())
    }
}
