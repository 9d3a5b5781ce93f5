//! Disconnecting, and forgetting what a generation brought in.
//!
//! The fence goes up first: from then on no function opens the generation. Then the grants are
//! revoked, everything is counted, deleted, and the data key destroyed; and when whatever was in
//! flight at the fence has run out, everything is looked at once more. Only a count of zero makes a
//! certificate.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::leaving;
use crate::capabilities::leaving::{Purge, PurgePhase, REVOKE_TRIES, Revocation};
use crate::kernel::{ConnectionState, Grantee, Occurrence, PurgeMessage, Scope, TenantEnvironment};
use crate::ports::{Change, Condition, Key, PortError, Ports, Range, Write};
use crate::salesforce::{HostPolicy, LoginHost, OAuthError};
use crate::store::keys::{self, GenerationKeys};
use crate::store::{self, Next, Outbox, Records, Series, Store};
use crate::work::{Done, WorkError};

/// How many items one query and one delete take.
const CHUNK: usize = 500;

/// The wait before revoking is tried again: from a minute, doubled each time, to six hours. With
/// [`REVOKE_TRIES`] that is three days; a purge may not wait for an org for ever.
fn revoke_again(tries: u32) -> Duration {
    let minutes = 1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_mins(minutes.min(6 * 60))
}

/// A grant that can be revoked.
enum Revocable {
    Held(Grantee),
    /// By the grant with this number.
    Replaced(u64),
}

/// Why there is nothing to disconnect.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// Nothing is connected.
    #[error("no org is connected in this environment")]
    NotConnected,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// Disconnects and purges.
#[derive(Clone)]
pub struct Disconnect {
    ports: Ports,
    custody: Custody,
    grants: Grants,
    outbox: Outbox,
    grace: Duration,
}

impl Disconnect {
    /// How long a function that was at work when the fence went up may still be: the longest timeout
    /// of all functions.
    pub const GRACE: Duration = Duration::from_mins(15);

    /// Purging, with the wait that suits this product's functions.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, grants, outbox, grace: Self::GRACE }
    }

    /// The same, with another wait for whoever was at work when the fence went up.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Puts the fence up, and has everything behind it purged. A second call finds the first one's
    /// purge.
    pub async fn disconnect(&self, at: TenantEnvironment) -> Result<Purge, PurgeError> {
        let connection = self.custody.connection(at).await?.ok_or(PurgeError::NotConnected)?;
        let scope = connection.scope();
        let key = leaving::keys::purge(scope);
        if let Some(purge) = self.get(scope).await? {
            return Ok(purge);
        }
        let purge = Purge {
            scope,
            connection: connection.clone(),
            phase: PurgePhase::Revoke,
            step: 0,
            revoke_tries: 0,
            grants: BTreeMap::new(),
            found: BTreeMap::new(),
            remaining: BTreeMap::new(),
            data_key_destroyed: false,
            requested_at: self.ports.clock.now(),
            completed_at: None,
        };
        let fence = Write::Update {
            key: keys::connection(at).into(),
            changes: vec![Change::Set("state", json!(ConnectionState::Disconnected))],
            when: Condition::Eq("generation", json!(connection.generation)),
        };
        let writes = vec![
            fence,
            store::put(key, &purge, Condition::Absent).map_err(WorkError::from)?,
            store::delete(keys::live(at.tenant, at.environment)),
        ];
        let next = vec![
            Next::now(PurgeMessage::Purge { scope, step: 0 }),
            Next::publish(scope, purge.requested_at, Occurrence::Disconnected),
        ];
        if self.outbox.commit(writes, next).await.map_err(WorkError::from)?.is_done() {
            return Ok(purge);
        }
        // Another call was faster.
        self.get(scope).await?.ok_or(PurgeError::NotConnected)
    }

    /// A generation's purge.
    pub async fn get(&self, scope: Scope) -> Result<Option<Purge>, WorkError> {
        Ok(store::get(&*self.ports.table, &leaving::keys::purge(scope)).await?)
    }

    /// Does one message's work.
    pub async fn handle(&self, message: PurgeMessage) -> Result<Done, WorkError> {
        match message {
            PurgeMessage::Purge { scope, step } => self.step(scope, step).await,
            PurgeMessage::Revoke { scope, grant, step } => {
                self.revoke_replaced(scope, grant, step).await
            }
        }
    }

    async fn step(&self, scope: Scope, step: u64) -> Result<Done, WorkError> {
        let due = |p: &Purge| p.step == step && p.phase != PurgePhase::Complete;
        let Some(mut purge) = self.get(scope).await?.filter(due) else {
            return Ok(Done::Finished);
        };
        let wait = match purge.phase {
            PurgePhase::Revoke => self.revoke(&mut purge).await?,
            PurgePhase::Count => {
                purge.found = self.count(&purge).await?;
                purge.phase = PurgePhase::Sweep;
                Duration::ZERO
            }
            PurgePhase::Sweep => {
                self.sweep(&purge).await?;
                purge.data_key_destroyed = true;
                purge.phase = PurgePhase::Verify;
                self.grace
            }
            PurgePhase::Verify => self.verify(&mut purge).await?,
            PurgePhase::Complete => Duration::ZERO,
        };
        purge.step += 1;
        let next = match purge.completed_at {
            None => Next::after(wait, PurgeMessage::Purge { scope, step: purge.step }),
            Some(at) => Next::publish(scope, at, Occurrence::Purged),
        };
        let same = Condition::Eq("step", json!(step));
        let write = store::put(leaving::keys::purge(scope), &purge, same)?;
        let _ = self.outbox.commit(vec![write], vec![next]).await?;
        Ok(Done::Finished)
    }

    /// Revokes what is not revoked yet; says when to come again.
    async fn revoke(&self, purge: &mut Purge) -> Result<Duration, WorkError> {
        let Some(opened) = self.behind_the_fence(purge).await? else {
            // No data key: nobody can read the grants any more, nor could an earlier step.
            purge.phase = PurgePhase::Count;
            return Ok(Duration::ZERO);
        };
        purge.revoke_tries += 1;
        let last_try = purge.revoke_tries >= REVOKE_TRIES;
        let mut all = true;
        for (name, grant) in self.revocable(&opened).await? {
            if purge.grants.contains_key(&name) {
                continue;
            }
            match self.revoke_one(&opened, grant).await? {
                Some(revocation) => {
                    purge.grants.insert(name, revocation);
                }
                None if last_try => {
                    purge.grants.insert(name, Revocation::Unconfirmed);
                }
                None => all = false,
            }
        }
        if all {
            purge.phase = PurgePhase::Count;
            return Ok(Duration::ZERO);
        }
        Ok(revoke_again(purge.revoke_tries))
    }

    /// Revokes a grant that another user's replaced, however long Salesforce is down. Once the fence
    /// is up, the purge does.
    async fn revoke_replaced(
        &self,
        scope: Scope,
        number: u64,
        step: u32,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let kept = self.grants.replaced_token(&opened, number).await?;
        let Some((_, token)) = kept.filter(|(tries, _)| *tries == step) else {
            return Ok(Done::Finished);
        };
        let key = opened.keys.replaced_grant(number);
        let tries = step + 1;
        let when = Condition::Eq("step", json!(step));
        let (write, next) = match self.revoke_token(&opened, &token).await? {
            None if tries < REVOKE_TRIES => {
                let again = PurgeMessage::Revoke { scope, grant: number, step: tries };
                let changes = vec![Change::Set("step", json!(tries))];
                let next = vec![Next::after(revoke_again(tries), again)];
                (Write::Update { key: key.into(), changes, when }, next)
            }
            outcome => {
                tracing::info!(outcome = ?outcome, "a replaced grant is forgotten");
                (Write::Delete { key: key.into(), when }, Vec::new())
            }
        };
        let _ = self.outbox.commit(vec![write], next).await?;
        Ok(Done::Finished)
    }

    /// Revokes one grant; none when Salesforce cannot be asked now.
    async fn revoke_one(
        &self,
        opened: &OpenGeneration,
        grant: Revocable,
    ) -> Result<Option<Revocation>, WorkError> {
        let token = match grant {
            Revocable::Held(grantee) => self.grants.refresh_token(opened, grantee).await,
            Revocable::Replaced(number) => {
                let kept = self.grants.replaced_token(opened, number).await?;
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
        let host = LoginHost::parse(&opened.connection.login_host, HostPolicy::Commercial)
            .map_err(|error| WorkError::reject("revoke a grant", error))?;
        match self.grants.app().oauth().await?.revoke(&host, token).await {
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
        let mut grants = vec![("admin".to_owned(), Revocable::Held(Grantee::Admin))];
        for name in self.names(opened.keys.seat_grants()).await? {
            if let Ok(seat) = name.parse() {
                grants.push((name, Revocable::Held(Grantee::Seat(seat))));
            }
        }
        for number in self.names(opened.keys.replaced_grants()).await? {
            if let Ok(number) = number.parse() {
                grants.push((format!("replaced by {number}"), Revocable::Replaced(number)));
            }
        }
        Ok(grants)
    }

    /// What follows the prefix in the keys of a list.
    async fn names<T>(&self, series: Series<T>) -> Result<Vec<String>, WorkError>
    where
        T: DeserializeOwned + Send,
    {
        let found = Store::new(self.ports.clone()).all(&series).await?;
        Ok(found.iter().map(|stored| series.name(stored).to_owned()).collect())
    }

    /// The generation as only its purge may open it.
    async fn behind_the_fence(&self, purge: &Purge) -> Result<Option<OpenGeneration>, WorkError> {
        let Some(sealer) = self.custody.sealer(purge.scope).await? else { return Ok(None) };
        let keys = GenerationKeys::new(purge.scope, purge.connection.buckets);
        let records = Records::new(self.ports.clone(), keys, sealer.clone());
        Ok(Some(OpenGeneration { connection: purge.connection.clone(), keys, sealer, records }))
    }

    /// How many things the generation has, by store and kind.
    async fn count(&self, purge: &Purge) -> Result<BTreeMap<String, u64>, WorkError> {
        let mut counts = BTreeMap::new();
        let keys = GenerationKeys::new(purge.scope, purge.connection.buckets);
        for (kind, pk) in keys.partitions() {
            let items = self.items(&pk, |_| true).await?.len() as u64;
            *counts.entry(format!("items {}", kind.as_str())).or_insert(0) += items;
        }
        let objects = self.ports.objects.list(&purge.scope.object_prefix()).await?;
        counts.insert("objects".to_owned(), objects.len() as u64);
        counts.insert("due items".to_owned(), self.due_items(purge).await?.len() as u64);
        let secret = self.custody.secret(purge.scope).await?;
        counts.insert("secrets".to_owned(), u64::from(secret.is_some()));
        Ok(counts)
    }

    /// Deletes everything; the data key last, since without it nothing could be told from noise.
    async fn sweep(&self, purge: &Purge) -> Result<(), WorkError> {
        let keys = GenerationKeys::new(purge.scope, purge.connection.buckets);
        for (_, pk) in keys.partitions() {
            let items = self.items(&pk, |_| true).await?;
            self.ports.table.delete_many(&items).await?;
        }
        let objects = self.ports.objects.list(&purge.scope.object_prefix()).await?;
        let objects: Vec<String> = objects.into_iter().map(|o| o.key).collect();
        self.ports.objects.delete(&objects).await?;
        self.ports.table.delete_many(&self.due_items(purge).await?).await?;
        self.custody.destroy(purge.scope).await
    }

    /// Sweeps what was in flight, counts, and ends the purge when nothing is left.
    async fn verify(&self, purge: &mut Purge) -> Result<Duration, WorkError> {
        let late = self.count(purge).await?;
        if late.values().any(|n| *n > 0) {
            self.sweep(purge).await?;
        }
        purge.remaining = self.count(purge).await?;
        if purge.remaining.values().any(|n| *n > 0) {
            return Ok(self.grace);
        }
        purge.phase = PurgePhase::Complete;
        purge.completed_at = Some(self.ports.clock.now());
        Ok(Duration::ZERO)
    }

    /// The generation's due items but the purge's own.
    async fn due_items(&self, purge: &Purge) -> Result<Vec<Key>, WorkError> {
        let owner = purge.scope.tenant.to_string();
        let path = format!("#{}#", purge.scope);
        let ours = move |item: &crate::ports::Item| {
            let own = item.doc.get("message").and_then(|m| m.get("kind"));
            item.key.sk().contains(&path) && own != Some(&json!("purge"))
        };
        Ok(self.items(&keys::due_partition(&owner), ours).await?)
    }

    async fn items(
        &self,
        pk: &str,
        wanted: impl Fn(&crate::ports::Item) -> bool,
    ) -> Result<Vec<Key>, PortError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.ports.table.query(pk, &Range::All, after.as_deref(), CHUNK).await?;
            found.extend(page.items.into_iter().filter(&wanted).map(|item| item.key));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }
}
