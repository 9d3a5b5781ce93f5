//! Access tokens: read at use, renewed by one at a time, stored before use.
//!
//! Under rotation a refresh token works once, and a second use kills the grant. So a renewal needs
//! the grant's lease; the new tokens are stored, then pointed to, then used; and whoever gets the
//! lease next adopts what a dead predecessor stored but did not point to (salesforce.md 1.7).

use std::time::Duration;

use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::custody::{ConnectionSecret, Custody, Opened, StoredGrant};
use super::salesforce_app::SalesforceApp;
use crate::domain::{ConnectionState, GrantState, Grantee, LeaseToken};
use crate::ports::{Change, Condition, Key, PortError, Ports, Write};
use crate::salesforce::{
    HostPolicy, InstanceUrl, LoginHost, OAuthError, SalesforceError, Scope, Session, TokenResponse,
};
use crate::store::{self, keys};
use crate::work::{Done, WorkError};

/// How long a renewal may take: longer than the token endpoint's timeout.
const LEASE: SignedDuration = SignedDuration::from_secs(40);

/// When to come again while another one renews the token.
const BUSY: Duration = Duration::from_secs(2);

/// Why no call could be made, or why it failed.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// There is no grant: the person has not authorized.
    #[error("there is no grant")]
    Missing,
    /// The grant is dead: the person must authorize again.
    #[error("the grant is no longer valid")]
    Dead,
    /// Another one is renewing the token.
    #[error("the token is being renewed")]
    Busy,
    /// The token endpoint failed.
    #[error("renewing the token failed")]
    Renewal(#[source] OAuthError),
    /// The call itself failed.
    #[error("Salesforce refused or failed")]
    Call(#[source] SalesforceError),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for GrantError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

impl GrantError {
    /// What a queue's handler does about it, when it has nothing better to do: come again later, or
    /// fail with the right disposition.
    pub fn into_done(self, action: &'static str) -> Result<Done, WorkError> {
        use crate::salesforce::Disposition as Advice;
        let advice = match &self {
            Self::Busy => return Ok(Done::Later(BUSY)),
            Self::Renewal(error) => error.disposition(),
            Self::Call(error) => error.disposition(),
            Self::Work(_) | Self::Missing | Self::Dead => Advice::Reject,
        };
        if let Self::Work(error) = self {
            return Err(error);
        }
        match advice {
            Advice::Retry { after } => Ok(Done::Later(after.unwrap_or(Duration::from_secs(5)))),
            Advice::StandBack { after } => Ok(Done::Later(after.unwrap_or(Duration::from_mins(5)))),
            Advice::Reauthorize | Advice::Reject => Err(WorkError::reject(action, self)),
        }
    }
}

/// A grant as it is stored.
struct Held {
    state: GrantState,
    grant: StoredGrant,
}

/// The grants of connections and seats.
#[derive(Clone)]
pub struct Grants {
    ports: Ports,
    custody: Custody,
    app: SalesforceApp,
}

impl Grants {
    /// Grants given to `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        Self { ports, custody, app }
    }

    /// The app that they were given to.
    #[must_use]
    pub fn app(&self) -> &SalesforceApp {
        &self.app
    }

    /// Makes a call with the grantee's token, and once more with a renewed one when Salesforce does
    /// not know the first any more.
    pub async fn call<T, F>(
        &self,
        opened: &Opened,
        grantee: Grantee,
        call: impl Fn(Session) -> F + Send + Sync,
    ) -> Result<T, GrantError>
    where
        F: Future<Output = Result<T, SalesforceError>> + Send,
    {
        let held = self.held(opened, grantee).await?;
        match call(session(&held.grant)?).await {
            Err(SalesforceError::Unauthorized { .. }) => {
                let renewed = self.renew(opened, grantee, held.state.number).await?;
                call(session(&renewed.grant)?).await.map_err(GrantError::Call)
            }
            other => other.map_err(GrantError::Call),
        }
    }

    /// What is known of a grant; none when there is none.
    pub async fn state(
        &self,
        opened: &Opened,
        grantee: Grantee,
    ) -> Result<Option<GrantState>, WorkError> {
        Ok(store::get(&*self.ports.table, &state_key(opened, grantee)).await?)
    }

    /// The seat's grant as items of a new authorization: written by the caller's transaction.
    pub(super) fn new_seat_grant(
        &self,
        opened: &Opened,
        grantee: Grantee,
        token: &TokenResponse,
    ) -> Result<Write, WorkError> {
        let key = state_key(opened, grantee);
        let state = GrantState {
            number: 1,
            version: None,
            alive: true,
            user_id: token.user_id.to_string(),
            renewed_at: self.ports.clock.now(),
            lease: None,
            lease_until: 0,
        };
        let grant = stored(token, None)?;
        let mut item = store::item(key.clone(), &state)?;
        item.body = Some(self.sealed(opened, &key, &grant)?);
        Ok(Write::Put { item, when: Condition::Always })
    }

    /// The refresh token of a grant, for revoking it.
    pub(super) async fn refresh_token(
        &self,
        opened: &Opened,
        grantee: Grantee,
    ) -> Result<Option<SecretString>, GrantError> {
        match self.held(opened, grantee).await {
            Ok(held) => Ok(Some(held.grant.refresh_token.into())),
            Err(GrantError::Missing | GrantError::Dead) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn held(&self, opened: &Opened, grantee: Grantee) -> Result<Held, GrantError> {
        let key = state_key(opened, grantee);
        let item = self.ports.table.get(&key).await?.ok_or(GrantError::Missing)?;
        let body = item.body.clone();
        let state: GrantState = store::typed(item)?;
        if !state.alive {
            return Err(GrantError::Dead);
        }
        let grant = match grantee {
            Grantee::Admin => self.admin_grant(opened, &state).await?,
            Grantee::Seat(_) => Self::opened_grant(opened, &key, body.as_deref())?,
        };
        Ok(Held { state, grant })
    }

    async fn admin_grant(
        &self,
        opened: &Opened,
        state: &GrantState,
    ) -> Result<StoredGrant, GrantError> {
        let name = self.custody.secret_name(opened.keys.scope());
        let version = state.version.as_ref().ok_or(GrantError::Missing)?;
        // Never "the newest": that one may be stored and not yet pointed to.
        match self.ports.secrets.get(&name, version).await? {
            Some(text) => Ok(ConnectionSecret::parse(&text)?.grant),
            None => Err(GrantError::Missing),
        }
    }

    fn opened_grant(
        opened: &Opened,
        key: &Key,
        body: Option<&[u8]>,
    ) -> Result<StoredGrant, GrantError> {
        let body = body.ok_or(GrantError::Missing)?;
        let plain = opened
            .sealer
            .open(&place(key), body)
            .map_err(|error| PortError::reject("open a grant", error))?;
        serde_json::from_slice(&plain)
            .map_err(|_| PortError::reject("read a grant", "unknown form").into())
    }

    fn sealed(
        &self,
        opened: &Opened,
        key: &Key,
        grant: &StoredGrant,
    ) -> Result<Vec<u8>, WorkError> {
        let plain = serde_json::to_vec(grant)
            .map_err(|_| WorkError::reject("write a grant", "unknown form"))?;
        opened
            .sealer
            .seal(&place(key), &plain, &*self.ports.entropy)
            .map_err(|error| WorkError::reject("seal a grant", error))
    }

    /// Renews the token that carries the number `failed`, unless somebody else has.
    async fn renew(
        &self,
        opened: &Opened,
        grantee: Grantee,
        failed: u64,
    ) -> Result<Held, GrantError> {
        let held = self.held(opened, grantee).await?;
        if held.state.number > failed {
            return Ok(held);
        }
        let lease = self.acquire(opened, grantee, failed).await?;
        let renewed = self.renew_leased(opened, grantee, lease, held).await;
        if renewed.is_err() {
            self.release(opened, grantee, lease).await?;
        }
        renewed
    }

    async fn renew_leased(
        &self,
        opened: &Opened,
        grantee: Grantee,
        lease: LeaseToken,
        held: Held,
    ) -> Result<Held, GrantError> {
        if let Some(adopted) = self.adopt(opened, grantee, lease, &held.state).await? {
            return Ok(adopted);
        }
        let host = LoginHost::parse(&opened.connection.login_host, HostPolicy::Commercial)
            .map_err(|error| WorkError::reject("renew a token", error))?;
        let refresh = SecretString::from(held.grant.refresh_token.as_str());
        let scopes = Scope::NEEDED.iter().map(|scope| scope.as_str()).collect();
        let answer = self.app.oauth().await?.refresh(&host, &refresh, &scopes).await;
        match answer {
            Ok(token) => {
                let grant = stored(&token, Some(&held.grant))?;
                self.store(opened, grantee, lease, held.state, grant).await
            }
            Err(OAuthError::GrantDead { .. } | OAuthError::InactiveUser { .. }) => {
                self.bury(opened, grantee).await?;
                Err(GrantError::Dead)
            }
            Err(error) => Err(GrantError::Renewal(error)),
        }
    }

    /// What a predecessor stored before it died is the grant now.
    async fn adopt(
        &self,
        opened: &Opened,
        grantee: Grantee,
        lease: LeaseToken,
        state: &GrantState,
    ) -> Result<Option<Held>, GrantError> {
        if grantee != Grantee::Admin {
            return Ok(None); // a seat's tokens are stored and pointed to by one write
        }
        let Some((version, secret)) = self.custody.secret(opened.keys.scope()).await? else {
            return Ok(None);
        };
        if secret.number <= state.number {
            return Ok(None);
        }
        let state = GrantState { number: secret.number, version: Some(version), ..state.clone() };
        self.point(opened, grantee, lease, &state, None).await?;
        Ok(Some(Held { state, grant: secret.grant }))
    }

    async fn store(
        &self,
        opened: &Opened,
        grantee: Grantee,
        lease: LeaseToken,
        state: GrantState,
        grant: StoredGrant,
    ) -> Result<Held, GrantError> {
        let number = state.number + 1;
        let renewed_at = self.ports.clock.now();
        let (version, body) = match grantee {
            Grantee::Admin => (Some(self.store_secret(opened, lease, number, &grant).await?), None),
            Grantee::Seat(_) => {
                let key = state_key(opened, grantee);
                (None, Some(self.sealed(opened, &key, &grant)?))
            }
        };
        let state = GrantState { number, version, renewed_at, ..state };
        self.point(opened, grantee, lease, &state, body).await?;
        Ok(Held { state, grant })
    }

    async fn store_secret(
        &self,
        opened: &Opened,
        lease: LeaseToken,
        number: u64,
        grant: &StoredGrant,
    ) -> Result<crate::ports::VersionId, GrantError> {
        let scope = opened.keys.scope();
        let Some((_, old)) = self.custody.secret(scope).await? else {
            return Err(GrantError::Missing);
        };
        let grant = StoredGrant {
            access_token: grant.access_token.clone(),
            refresh_token: grant.refresh_token.clone(),
            instance_url: grant.instance_url.clone(),
        };
        let text = ConnectionSecret { data_key: old.data_key, number, grant }.to_text()?;
        let name = self.custody.secret_name(scope);
        Ok(self.ports.secrets.put(&name, &text, &format!("{number}-{lease}")).await?)
    }

    /// Makes the stored token the one to use, and gives the lease back.
    async fn point(
        &self,
        opened: &Opened,
        grantee: Grantee,
        lease: LeaseToken,
        state: &GrantState,
        body: Option<Vec<u8>>,
    ) -> Result<(), GrantError> {
        let mut changes = vec![
            Change::Set("number", json!(state.number)),
            Change::Set("renewed_at", json!(state.renewed_at)),
            Change::Remove("lease"),
            Change::Set("lease_until", json!(0)),
        ];
        changes.extend(state.version.iter().map(|v| Change::Set("version", json!(v))));
        changes.extend(body.map(Change::Body));
        let when = Condition::Eq("lease", json!(lease.to_string()));
        let key = state_key(opened, grantee);
        let outcome = self.ports.table.write(Write::Update { key, changes, when }).await?;
        if outcome.is_done() { Ok(()) } else { Err(GrantError::Busy) }
    }

    async fn acquire(
        &self,
        opened: &Opened,
        grantee: Grantee,
        number: u64,
    ) -> Result<LeaseToken, GrantError> {
        let now = self.ports.clock.now();
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let lease = LeaseToken::new(millis, self.ports.entropy.bits());
        let write = Write::Update {
            key: state_key(opened, grantee),
            changes: vec![
                Change::Set("lease", json!(lease)),
                Change::Set("lease_until", json!((now + LEASE).as_second())),
            ],
            when: Condition::All(vec![
                Condition::Eq("number", json!(number)),
                Condition::Lt("lease_until", json!(now.as_second())),
            ]),
        };
        let outcome = self.ports.table.write(write).await?;
        if outcome.is_done() { Ok(lease) } else { Err(GrantError::Busy) }
    }

    async fn release(
        &self,
        opened: &Opened,
        grantee: Grantee,
        lease: LeaseToken,
    ) -> Result<(), GrantError> {
        let write = Write::Update {
            key: state_key(opened, grantee),
            changes: vec![Change::Remove("lease"), Change::Set("lease_until", json!(0))],
            when: Condition::Eq("lease", json!(lease.to_string())),
        };
        let _ = self.ports.table.write(write).await?;
        Ok(())
    }

    /// Notes that a grant is dead; a connection without its grant waits for its admin.
    async fn bury(&self, opened: &Opened, grantee: Grantee) -> Result<(), GrantError> {
        let write = Write::Update {
            key: state_key(opened, grantee),
            changes: vec![Change::Set("alive", json!(false))],
            when: Condition::Exists,
        };
        let _ = self.ports.table.write(write).await?;
        if grantee == Grantee::Admin {
            let write = Write::Update {
                key: keys::connection(opened.connection.at),
                changes: vec![Change::Set("state", json!(ConnectionState::ReconnectRequired))],
                when: Condition::All(vec![
                    Condition::Eq("generation", json!(opened.connection.generation)),
                    Condition::Eq("state", json!(ConnectionState::Connected)),
                ]),
            };
            let _ = self.ports.table.write(write).await?;
        }
        Ok(())
    }
}

fn state_key(opened: &Opened, grantee: Grantee) -> Key {
    match grantee {
        Grantee::Admin => opened.keys.admin_grant(),
        Grantee::Seat(seat) => opened.keys.seat_grant(seat),
    }
}

fn place(key: &Key) -> String {
    format!("{}|{}", key.pk(), key.sk())
}

fn session(grant: &StoredGrant) -> Result<Session, GrantError> {
    let instance = InstanceUrl::parse(&grant.instance_url, HostPolicy::Commercial)
        .map_err(|error| WorkError::reject("use a grant", error))?;
    Ok(Session { instance, access_token: grant.access_token.as_str().into() })
}

/// A token response as it is stored; without rotation the refresh token stays the one before.
pub(super) fn stored(
    token: &TokenResponse,
    before: Option<&StoredGrant>,
) -> Result<StoredGrant, WorkError> {
    let refresh_token = token
        .refresh_token
        .as_ref()
        .map(|t| t.expose_secret().to_owned())
        .or_else(|| before.map(|b| b.refresh_token.clone()))
        .ok_or_else(|| WorkError::reject("keep a grant", "Salesforce gave no refresh token"))?;
    Ok(StoredGrant {
        access_token: token.access_token.expose_secret().to_owned(),
        refresh_token,
        instance_url: token.instance_url.to_string(),
    })
}
