//! Connecting an org, and authorizing a seat: the two ends of the OAuth web server flow.

mod error;
mod org;
mod regrant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

pub use self::error::ConnectError;
use self::org::Org;
use super::upkeep::{self, Progress};
use crate::capabilities::connecting;
use crate::capabilities::custody::{ConnectionSecret, Custody, Grants, SalesforceApp, StoredGrant};
use crate::capabilities::importing;
use crate::capabilities::importing::{ImportSettings, LONGEST_WINDOW_SECONDS, scheduled_import};
use crate::capabilities::seats;
use crate::capabilities::seats::{Seat, Tenant};
use crate::kernel::{
    AUTHORIZATION_MINUTES, CareMessage, Connection, ConnectionState, Environment, Generation,
    GrantState, Grantee, ImportMessage, ImportRunId, ImportTrigger, Occurrence,
    PendingAuthorization, Scope as DataScope, TenantEnvironment, WritebackMessage,
};
use crate::ports::{Condition, Ports, VersionId, Write};
use crate::salesforce::{
    AuthorizationRequest, HostPolicy, LoginHost, OAuthClient, Pkce, Scope, TokenResponse,
};
use crate::store::{self, Next, Outbox, keys};
use crate::work::WorkError;

/// How many buckets a new generation's items are dealt to.
const BUCKETS: u32 = 16;

/// An authorization that was begun.
#[derive(Debug)]
pub struct Begun {
    /// The address to send the person's browser to.
    pub url: Url,
    /// What the same browser must bring back: to be kept in a cookie of this name.
    pub cookie: (String, SecretString),
}

/// What an authorization ended in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connected {
    /// An org was connected, and its first import begins.
    Org {
        /// The connection.
        connection: Box<Connection>,
    },
    /// The connection's grant was replaced; nothing is imported anew.
    Regranted,
    /// A seat was authorized.
    Seat,
}

/// Connects orgs and authorizes seats.
#[derive(Clone)]
pub struct Connect {
    ports: Ports,
    custody: Custody,
    app: SalesforceApp,
    grants: Grants,
    outbox: Outbox,
}

/// The last generation that a callback claimed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claimed {
    pub(crate) last: u64,
}

impl Connect {
    /// Connecting through `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app.clone());
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, app, grants, outbox }
    }

    /// Begins an authorization, in the browser that is to end it.
    pub async fn begin(
        &self,
        at: TenantEnvironment,
        grantee: Grantee,
        my_domain: Option<&str>,
    ) -> Result<Begun, ConnectError> {
        let table = &*self.ports.table;
        let tenant: Option<Tenant> = store::get(table, &seats::keys::tenant(at.tenant)).await?;
        if !tenant.ok_or(ConnectError::NotFound("tenant"))?.entitled {
            return Err(ConnectError::NotEntitled);
        }
        let host = match grantee {
            Grantee::Admin => login_host(at.environment, my_domain)?,
            Grantee::Seat(seat) => {
                let seat: Option<Seat> =
                    store::get(table, &seats::keys::seat(at.tenant, seat)).await?;
                seat.ok_or(ConnectError::NotFound("seat"))?;
                let connection =
                    self.live(at).await?.ok_or(ConnectError::NotFound("connection"))?;
                parse_host(&connection.login_host)?
            }
        };
        let (state, browser) = (self.random_text(), self.random_text());
        let pkce = Pkce::from_entropy(self.random_bytes());
        let expires_at = self.ports.clock.now() + SignedDuration::from_mins(AUTHORIZATION_MINUTES);
        let pending = PendingAuthorization {
            at,
            grantee,
            login_host: host.as_str().to_owned(),
            verifier: pkce.verifier().expose_secret().to_owned(),
            browser: hash(&browser),
            expires_at,
        };
        let mut item = store::item(connecting::keys::authorization(&hash(&state)), &pending)?;
        item.expires_at = Some(expires_at.as_second());
        let _ = self.ports.table.write(Write::Put { item, when: Condition::Absent }).await?;
        let redirect_uri = self.app.redirect_uri(at.environment)?;
        let request = AuthorizationRequest {
            redirect_uri: &redirect_uri,
            state: &state,
            pkce: &pkce,
            scopes: &Scope::NEEDED,
            login_hint: None,
            prompt: None,
        };
        let url = self.app.oauth().await?.authorize_url(&host, &request);
        let cookie = (cookie_name(&state), SecretString::from(browser));
        Ok(Begun { url: self.app.for_browser(url), cookie })
    }

    /// Ends an authorization: what Salesforce sent the browser back with, and what the browser
    /// kept in the cookie of [`cookie_name`].
    pub async fn finish(
        &self,
        environment: Environment,
        state: &str,
        browser: Option<&str>,
        code: Result<SecretString, String>,
    ) -> Result<Connected, ConnectError> {
        let pending = self.consume(environment, state, browser).await?;
        let code = code.map_err(ConnectError::Declined)?;
        let host = parse_host(&pending.login_host)?;
        let pkce = Pkce::from_verifier(pending.verifier.as_str().into())
            .map_err(|error| WorkError::reject("finish an authorization", error))?;
        let redirect_uri = self.app.redirect_uri(environment)?;
        let exchange = async |oauth: &OAuthClient| {
            oauth.exchange(&host, &redirect_uri, &code, &pkce, &Scope::NEEDED).await
        };
        let oauth = self.app.oauth().await?;
        let token = match exchange(&oauth).await {
            Err(error) if self.app.is_outdated(&oauth, &error).await? => {
                exchange(&self.app.oauth().await?).await
            }
            answer => answer,
        };
        let token = token.map_err(ConnectError::OAuth)?;
        match pending.grantee {
            Grantee::Admin => self.connect(pending, token).await,
            Grantee::Seat(_) => self.authorize_seat(pending, token).await,
        }
    }

    /// Takes the pending authorization of a state, once.
    async fn consume(
        &self,
        environment: Environment,
        state: &str,
        browser: Option<&str>,
    ) -> Result<PendingAuthorization, ConnectError> {
        let key = connecting::keys::authorization(&hash(state));
        let pending: Option<PendingAuthorization> = store::get(&*self.ports.table, &key).await?;
        let pending = pending.ok_or(ConnectError::State)?;
        // Somebody else's browser does not use the authorization up: its own may still come.
        if browser.map(hash) != Some(pending.browser.clone()) {
            return Err(ConnectError::Browser);
        }
        let delete = Write::Delete { key: key.into(), when: Condition::Exists };
        if !self.ports.table.write(delete).await?.is_done() {
            return Err(ConnectError::State); // another callback was faster
        }
        let late = pending.expires_at <= self.ports.clock.now();
        if late || pending.at.environment != environment {
            return Err(ConnectError::State);
        }
        Ok(pending)
    }

    async fn connect(
        &self,
        pending: PendingAuthorization,
        token: TokenResponse,
    ) -> Result<Connected, ConnectError> {
        let at = pending.at;
        let org = self.ask_org(&token).await?;
        let found = if org.is_sandbox { Environment::Sandbox } else { Environment::Production };
        if found != at.environment {
            return Err(ConnectError::Environment { asked: at.environment, found });
        }
        let before = self.custody.connection(at).await?;
        if let Some(live) = before.as_ref().filter(|c| c.state != ConnectionState::Disconnected) {
            return self.regrant(live.clone(), pending.login_host, token).await;
        }
        let generation = self.claim_generation(at).await?;
        let connection = self.connection(&pending, generation, &org, &token);
        let version = self.first_secret(connection.scope(), &token).await?;
        let when = match &before {
            None => Condition::Absent,
            Some(old) => Condition::Eq("generation", json!(old.generation)),
        };
        self.begin_generation(&connection, version, when, &token).await?;
        // Generations that callbacks claimed and died over can never go live now.
        for dead in before.map_or(1, |c| c.generation.0 + 1)..generation.0 {
            self.custody.destroy(at.generation(Generation(dead))).await?;
        }
        Ok(Connected::Org { connection: Box::new(connection) })
    }

    /// A generation number that no other callback has, nor ever had.
    async fn claim_generation(&self, at: TenantEnvironment) -> Result<Generation, ConnectError> {
        let key = connecting::keys::generations(at);
        for _ in 0..10 {
            let last: Option<Claimed> = store::get(&*self.ports.table, &key).await?;
            let (last, when) = match last {
                None => (0, Condition::Absent),
                Some(Claimed { last }) => (last, Condition::Eq("last", json!(last))),
            };
            let claim = store::put(key.clone(), &Claimed { last: last + 1 }, when)?;
            if self.ports.table.write(claim).await?.is_done() {
                return Ok(Generation(last + 1));
            }
        }
        Err(WorkError::retry("claim a generation", "too many callbacks at once").into())
    }

    fn connection(
        &self,
        pending: &PendingAuthorization,
        generation: Generation,
        org: &Org,
        token: &TokenResponse,
    ) -> Connection {
        let spread = blake3::hash(pending.at.tenant.to_string().as_bytes());
        let head = spread.as_bytes().first_chunk().copied().unwrap_or_default();
        Connection {
            at: pending.at,
            generation,
            state: ConnectionState::Connected,
            trouble: None,
            paused_since: None,
            degraded_since: None,
            org_id: token.org_id.to_string(),
            org_name: org.name.clone(),
            edition: org.edition.clone(),
            instance_url: token.instance_url.to_string(),
            login_host: pending.login_host.clone(),
            buckets: BUCKETS,
            integration_user: token.user_id.to_string(),
            connected_at: self.ports.clock.now(),
            slot_offset: u32::from_le_bytes(head) % LONGEST_WINDOW_SECONDS,
        }
    }

    /// Writes the connection and everything that makes it live, with its first import, at once.
    async fn begin_generation(
        &self,
        connection: &Connection,
        version: VersionId,
        when: Condition,
        token: &TokenResponse,
    ) -> Result<(), ConnectError> {
        let scope = connection.scope();
        let generation_keys = keys::GenerationKeys::new(scope, connection.buckets);
        let now = self.ports.clock.now();
        let grant = GrantState::new(1, Some(version), token.user_id.to_string(), now);
        let at = connection.at;
        let writes = vec![
            store::put(keys::connection(at), connection, when)?,
            store::put(keys::live(at.tenant, at.environment), &at, Condition::Always)?,
            store::put(generation_keys.admin_grant(), &grant, Condition::Always)?,
            store::put(
                generation_keys.upkeep(),
                &Progress { step: 0, stalled: None },
                Condition::Always,
            )?,
        ];
        let settings: ImportSettings =
            store::get(&*self.ports.table, &importing::keys::import_settings(at))
                .await?
                .unwrap_or_default();
        let first = ImportMessage::Start {
            scope,
            run: ImportRunId::derived(&format!("{scope}|connected")),
            trigger: ImportTrigger::Connected,
        };
        let next = vec![
            Next::now(first),
            scheduled_import(connection, &settings, now),
            Next::now(CareMessage::Inspect { scope }),
            Next::after(upkeep::EACH, CareMessage::Upkeep { scope, step: 0 }),
            Next::publish(scope, now, Occurrence::Connected),
        ];
        if self.outbox.commit(writes, next).await?.is_done() {
            Ok(())
        } else {
            self.custody.destroy(scope).await?;
            Err(ConnectError::OtherOrg) // two callbacks at once: the other one won
        }
    }

    /// A new data key and the first grant, in the generation's secret.
    async fn first_secret(
        &self,
        scope: DataScope,
        token: &TokenResponse,
    ) -> Result<VersionId, ConnectError> {
        let (_, wrapped) = self.ports.data_keys.generate(&scope.to_string()).await?;
        let secret = ConnectionSecret {
            data_key: ConnectionSecret::encode(&wrapped),
            number: 1,
            grant: StoredGrant::of(token, None)?,
        };
        let name = self.custody.secret_name(scope);
        let random = self.random_text();
        Ok(self.ports.secrets.put(&name, &secret.to_text()?, &random).await?)
    }

    async fn authorize_seat(
        &self,
        pending: PendingAuthorization,
        token: TokenResponse,
    ) -> Result<Connected, ConnectError> {
        let live = self.live(pending.at).await?.ok_or(ConnectError::NotFound("connection"))?;
        if live.org_id != token.org_id.to_string() {
            return Err(ConnectError::OtherOrg);
        }
        let scope = live.scope();
        let opened = self.custody.open(scope).await?.ok_or(ConnectError::NotFound("connection"))?;
        let write = self.grants.new_seat_grant(&opened, pending.grantee, &token)?;
        // What the seller did while a login was required is logged now.
        let seat = pending.grantee.seat();
        let release = Next::now(WritebackMessage::Release { scope, seat });
        let _ = self.outbox.commit(vec![write], vec![release]).await?;
        Ok(Connected::Seat)
    }

    async fn live(&self, at: TenantEnvironment) -> Result<Option<Connection>, WorkError> {
        let connection = self.custody.connection(at).await?;
        Ok(connection.filter(|c| c.state != ConnectionState::Disconnected))
    }

    fn random_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.ports.entropy.fill(&mut bytes);
        bytes
    }

    fn random_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random_bytes())
    }
}

/// The host to log in at: a My Domain, or the environment's own login page.
pub fn login_host(
    environment: Environment,
    my_domain: Option<&str>,
) -> Result<LoginHost, ConnectError> {
    match (my_domain.map(str::trim).filter(|d| !d.is_empty()), environment) {
        (Some(domain), _) => {
            let host = parse_host(domain)?;
            if host.is_my_domain() { Ok(host) } else { Err(ConnectError::LoginHost) }
        }
        (None, Environment::Production) => Ok(LoginHost::production()),
        (None, Environment::Sandbox) => Ok(LoginHost::sandbox()),
    }
}

fn parse_host(text: &str) -> Result<LoginHost, ConnectError> {
    LoginHost::parse(text, HostPolicy::Commercial).map_err(|_| ConnectError::LoginHost)
}

/// Only hashes are stored: who reads the table cannot finish an authorization.
fn hash(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

/// The name of the cookie that binds the authorization of `state` to its browser. One for each, so
/// that two tabs do not take each other's; bound to this very host by its prefix.
#[must_use]
pub fn cookie_name(state: &str) -> String {
    format!("__Host-crm-sync-{}", &hash(state)[..16])
}
