//! Access tokens: read at use, and called with.

mod circuit;
mod renewal;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use self::circuit::Circuits;
use crate::capabilities::custody::generation::{
    ConnectionSecret, Custody, OpenGeneration, StoredGrant,
};
use crate::capabilities::custody::salesforce_app::SalesforceApp;
use crate::kernel::{ConnectionState, GrantState, Grantee};
use crate::ports::{Condition, Key, PortError, Ports, Write};
use crate::salesforce::{
    HostPolicy, InstanceUrl, OAuthError, SalesforceError, Session, TokenResponse,
};
use crate::store;
use crate::store::Slot;
use crate::work::{Done, WorkError};

/// When to come again while another one renews the token.
const BUSY: Duration = Duration::from_secs(2);

/// Why no call could be made, or why it failed.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// There is no grant: the person has not authorized.
    #[error("there is no grant")]
    Missing,
    /// The grant cannot be used until a person acts: authorizes again, or mends what the org's
    /// admin has set.
    #[error("the grant cannot be used until a person acts")]
    Dead,
    /// Another one is renewing the token.
    #[error("the token is being renewed")]
    Busy,
    /// Too little of the invocation is left for a renewal.
    #[error("too little time is left to renew the token")]
    TooLate,
    /// The org did not answer the last calls: none is made for so long.
    #[error("Salesforce does not answer; it is asked again in {0:?}")]
    CircuitOpen(Duration),
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
            Self::Busy | Self::TooLate => return Ok(Done::Later(BUSY)),
            Self::CircuitOpen(left) => return Ok(Done::Later(*left)),
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
pub(crate) struct Held {
    state: GrantState,
    grant: StoredGrant,
}

/// A grant that another one replaced and that is to be revoked.
#[derive(Serialize, Deserialize)]
pub(crate) struct Replaced {
    /// How often that was tried.
    pub(crate) step: u32,
}

/// The grants of connections and seats.
#[derive(Clone)]
pub struct Grants {
    ports: Ports,
    custody: Custody,
    app: SalesforceApp,
    circuits: Circuits,
}

impl Grants {
    /// Grants given to `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        Self { ports, custody, app, circuits: Circuits::default() }
    }

    /// The app that they were given to.
    #[must_use]
    pub fn app(&self) -> &SalesforceApp {
        &self.app
    }

    /// Makes a call with the grantee's token, and once more with a renewed one when Salesforce does
    /// not know the first any more. While the connection does not work nothing is called at all:
    /// what Salesforce refused once is not asked for again by every piece of work. Nor is an org that
    /// does not answer.
    pub async fn call<T, F>(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        call: impl Fn(Session) -> F + Send + Sync,
    ) -> Result<T, GrantError>
    where
        F: Future<Output = Result<T, SalesforceError>> + Send,
    {
        if opened.connection.state != ConnectionState::Connected {
            return Err(GrantError::Dead);
        }
        let held = self.held(opened, grantee).await?;
        if !held.state.is_usable(grantee, self.ports.clock.now()) {
            return Err(GrantError::Dead);
        }
        let scope = opened.keys.scope();
        self.circuits.admit(scope, self.ports.clock.now()).map_err(GrantError::CircuitOpen)?;
        let mut answer = call(session(&held.grant)?).await;
        if let Err(SalesforceError::Unauthorized { .. }) = answer {
            let renewed = self.renew(opened, grantee, held.state.number).await?;
            answer = call(session(&renewed.grant)?).await;
        }
        self.circuits.learn(scope, self.ports.clock.now(), &answer);
        answer.map_err(GrantError::Call)
    }

    /// What is known of a grant; none when there is none.
    pub async fn state(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
    ) -> Result<Option<GrantState>, WorkError> {
        Ok(store::get(&*self.ports.table, &state_key(opened, grantee)).await?)
    }

    /// The seat's grant as items of a new authorization: written by the caller's transaction.
    pub(crate) fn new_seat_grant(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        token: &TokenResponse,
    ) -> Result<Write, WorkError> {
        let key = state_key(opened, grantee);
        let now = self.ports.clock.now();
        let state = GrantState::new(1, None, token.user_id.to_string(), now);
        let grant = StoredGrant::of(token, None)?;
        let mut item = store::item(key.clone(), &state)?;
        item.body = Some(self.sealed(opened, &key, &grant)?);
        Ok(Write::Put { item, when: Condition::Always })
    }

    /// The refresh token of a grant, for revoking it.
    pub(crate) async fn refresh_token(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
    ) -> Result<Option<SecretString>, GrantError> {
        match self.held(opened, grantee).await {
            Ok(held) => Ok(Some(held.grant.refresh_token.into())),
            Err(GrantError::Missing | GrantError::Dead) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The item that keeps a grant's refresh token from when the grant `number` replaces it until it
    /// is revoked.
    pub(crate) fn replaced(
        &self,
        opened: &OpenGeneration,
        number: u64,
        refresh_token: &SecretString,
    ) -> Result<Write, WorkError> {
        let key = opened.keys.replaced_grant(number);
        let plain = refresh_token.expose_secret().as_bytes();
        let sealed = opened.sealer.seal(&key.place(), plain, &*self.ports.entropy);
        let mut item = store::item(key, &Replaced { step: 0 })?;
        item.body = Some(sealed.map_err(|error| WorkError::reject("seal a grant", error))?);
        Ok(Write::Put { item, when: Condition::Absent })
    }

    /// How often revoking a replaced grant was tried, and its refresh token; none when that is done.
    pub(crate) async fn replaced_token(
        &self,
        opened: &OpenGeneration,
        number: u64,
    ) -> Result<Option<(u32, SecretString)>, WorkError> {
        let key = opened.keys.replaced_grant(number);
        let Some(mut item) = self.ports.table.get(&key).await? else { return Ok(None) };
        let body = item.body.take().unwrap_or_default();
        let plain = opened.sealer.open(&key.place(), &body);
        let plain = plain.map_err(|error| WorkError::reject("open a grant", error))?;
        let token = String::from_utf8(plain)
            .map_err(|_| WorkError::reject("read a grant", "unknown form"))?;
        let Replaced { step } = store::typed(item)?;
        Ok(Some((step, token.into())))
    }

    async fn held(&self, opened: &OpenGeneration, grantee: Grantee) -> Result<Held, GrantError> {
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
        opened: &OpenGeneration,
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
        opened: &OpenGeneration,
        key: &Key,
        body: Option<&[u8]>,
    ) -> Result<StoredGrant, GrantError> {
        let body = body.ok_or(GrantError::Missing)?;
        let plain = opened
            .sealer
            .open(&key.place(), body)
            .map_err(|error| PortError::reject("open a grant", error))?;
        serde_json::from_slice(&plain)
            .map_err(|_| PortError::reject("read a grant", "unknown form").into())
    }

    fn sealed(
        &self,
        opened: &OpenGeneration,
        key: &Key,
        grant: &StoredGrant,
    ) -> Result<Vec<u8>, WorkError> {
        let plain = serde_json::to_vec(grant)
            .map_err(|_| WorkError::reject("write a grant", "unknown form"))?;
        opened
            .sealer
            .seal(&key.place(), &plain, &*self.ports.entropy)
            .map_err(|error| WorkError::reject("seal a grant", error))
    }
}

fn state_key(opened: &OpenGeneration, grantee: Grantee) -> Slot<GrantState> {
    match grantee {
        Grantee::Admin => opened.keys.admin_grant(),
        Grantee::Seat(seat) => opened.keys.seat_grant(seat),
    }
}

fn session(grant: &StoredGrant) -> Result<Session, GrantError> {
    let instance = InstanceUrl::parse(&grant.instance_url, HostPolicy::Commercial)
        .map_err(|error| WorkError::reject("use a grant", error))?;
    Ok(Session { instance, access_token: grant.access_token.as_str().into() })
}
