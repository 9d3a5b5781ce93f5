//! Giving the grants of a generation that is purged back to Salesforce.

use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::steps::{PurgeSteps, Stop, Turn};
use crate::capabilities::leaving::{
    KeptGrant, Purge, PurgePhase, REVOKE_TRIES, Revocation, keys, revoke_again,
};
use crate::salesforce::{LoginHost, OAuthError};
use crate::seal::Sealer;
use crate::store::field;
use crate::store::{Commit, Stored, When};
use crate::work::WorkError;

/// How many grants Salesforce is asked about at once.
const TOGETHER: usize = 8;

impl PurgeSteps {
    /// Revokes the grants whose turn it is. Gives the time to go on; none when no grant is open.
    ///
    /// While there is something to sweep only some are revoked in a step, and none of the others
    /// after a round that Salesforce did not answer: it is down for all of them.
    pub(super) async fn give_back(&self, turn: &mut Turn) -> Result<Option<Timestamp>, Stop> {
        if turn.purge.grants.open == 0 {
            return Ok(None);
        }
        let (scope, now) = (turn.purge.scope, self.ports.clock.now());
        let key = self.key_of(&turn.purge).await;
        let (mut next, mut after) = (None::<Timestamp>, None::<String>);
        loop {
            let page =
                self.store.page(&keys::kept_grants(scope), after.as_deref(), TOGETHER).await?;
            let (due, waiting): (Vec<_>, Vec<_>) =
                page.documents.into_iter().partition(|grant| grant.next_at <= now);
            let soonest = waiting.iter().map(|grant| grant.next_at);
            next = soonest.chain(next).min();
            let was_asked = !due.is_empty();
            let answered = self.ask_round(turn, due, &key, &mut next).await?;
            let Some(place) = page.next else { break };
            after = Some(place);
            let is_down = was_asked && !answered && now < turn.purge.gives_up_at();
            if is_down {
                break;
            }
            if (was_asked && turn.purge.phase == PurgePhase::Sweep) || self.is_late() {
                next = Some(now);
                break;
            }
        }
        Ok(next.or((turn.purge.grants.open > 0).then_some(now + SignedDuration::from_mins(1))))
    }

    /// Asks about some grants at once, and notes what became of them. False when none came to its
    /// end.
    async fn ask_round(
        &self,
        turn: &mut Turn,
        due: Vec<Stored<KeptGrant>>,
        key: &Result<Option<Sealer>, WorkError>,
        next: &mut Option<Timestamp>,
    ) -> Result<bool, Stop> {
        if due.is_empty() {
            return Ok(false);
        }
        let now = self.ports.clock.now();
        let is_over = now >= turn.purge.gives_up_at();
        let purge = &turn.purge;
        let asked = stream::iter(due).map(|grant| async move {
            let outcome = self.ask(purge, &grant, key).await;
            (grant, outcome)
        });
        let asked: Vec<_> = asked.buffered(TOGETHER).collect().await;
        let (mut commit, mut ended) = (Commit::new(), false);
        for (grant, outcome) in asked {
            let tries = grant.tries.saturating_add(1);
            let is_last = is_over || tries >= REVOKE_TRIES;
            let unchanged = When::unchanged(&grant);
            if let Some(end) = outcome.or(is_last.then_some(Revocation::Unconfirmed)) {
                turn.purge.grants.end(end);
                commit.delete_when(&grant.slot(), unchanged);
                ended = true;
                continue;
            }
            let wait = SignedDuration::try_from(revoke_again(tries)).unwrap_or_default();
            let next_at = (now + wait).min(turn.purge.gives_up_at());
            let edits =
                [field!(KeptGrant, tries).set(&tries)?, field!(KeptGrant, next_at).set(&next_at)?];
            commit.edit(&grant.slot(), unchanged, edits);
            *next = Some(next.map_or(next_at, |soonest| soonest.min(next_at)));
        }
        self.note(turn, commit).await?;
        Ok(ended)
    }

    async fn key_of(&self, purge: &Purge) -> Result<Option<Sealer>, WorkError> {
        match &purge.grants_key {
            Some(version) => self.custody.purge_key(purge.scope, version).await,
            None => Ok(None),
        }
    }

    /// The end of one grant; none when nobody can be asked now.
    async fn ask(
        &self,
        purge: &Purge,
        grant: &Stored<KeptGrant>,
        key: &Result<Option<Sealer>, WorkError>,
    ) -> Option<Revocation> {
        let key = match key {
            Ok(Some(key)) => key,
            Ok(None) => return Some(Revocation::Unconfirmed),
            Err(error) => {
                tracing::warn!(error = %error, "the key of a purge cannot be had now");
                return None;
            }
        };
        let token = key.open(&grant.slot().place(), grant.body().unwrap_or_default()).ok();
        let token = token.and_then(|token| String::from_utf8(token).ok());
        let host = purge.connection.login_host.parse::<LoginHost>().ok();
        let Some((token, host)) = token.zip(host) else { return Some(Revocation::Unconfirmed) };
        self.revoke_token(&host, &token.into()).await
    }

    /// Revokes a token; none when Salesforce, or our app's secret, cannot be asked now.
    pub(super) async fn revoke_token(
        &self,
        host: &LoginHost,
        token: &SecretString,
    ) -> Option<Revocation> {
        let oauth = match self.grants.app().oauth().await {
            Ok(oauth) => oauth,
            Err(error) => {
                tracing::warn!(error = %error, "the app's credentials cannot be had now");
                return None;
            }
        };
        match oauth.revoke(host, token).await {
            Ok(true) => Some(Revocation::Revoked),
            Ok(false) | Err(OAuthError::GrantDead { .. }) => Some(Revocation::AlreadyDead),
            Err(error) => {
                tracing::warn!(error = %error, "a grant could not be revoked yet");
                None
            }
        }
    }
}
