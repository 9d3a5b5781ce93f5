//! Connecting an org, and authorizing a seat: the two ends of the OAuth web server flow.

mod begin_generation;
mod error;
mod org;
mod regrant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use self::error::ConnectError;
use super::keys;
use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{
    Custody, Grants, KeptLogin, OpenGeneration, SalesforceApp, unfenced,
};
use crate::capabilities::seats::{self, Seat};
use crate::kernel::{
    AUTHORIZATION_MINUTES, Author, Connection, ConnectionState, Environment, Grantee,
    PendingAuthorization, SObject, SeatId, TenantEnvironment, WritebackMessage,
};
use crate::ports::{PortError, Ports};
use crate::salesforce::{
    AuthorizationRequest, HostPolicy, LoginHost, OAuthClient, Pkce, Prompt, SalesforceId, Scope,
    Session, TokenResponse,
};
use crate::store::keys::connection as connection_slot;
use crate::store::{Attempt, Commit, Draft, Store, When, attempts};
use crate::work::{WorkError, boxed};

/// An authorization that was begun.
#[derive(Debug)]
pub struct Begun {
    /// The address to send the person's browser to.
    pub url: Url,
    /// The name and value of the cookie that the same browser must bring back.
    pub cookie: (String, SecretString),
}

/// The end of an authorization.
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
    store: Store,
    custody: Custody,
    app: SalesforceApp,
    grants: Grants,
    audit: AuditLog,
}

impl Connect {
    /// Connecting through `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app.clone());
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, app, grants, audit }
    }

    /// Begins an authorization, in the browser that is to end it.
    #[must_use]
    #[boxed]
    pub async fn begin(
        &self,
        at: TenantEnvironment,
        grantee: Grantee,
        my_domain: Option<&str>,
        by: &Author,
    ) -> Result<Begun, ConnectError> {
        let tenant = self.store.read(&seats::keys::tenant(at.tenant)).await?;
        if !tenant.ok_or(ConnectError::NotFound("tenant"))?.entitled {
            return Err(ConnectError::NotEntitled);
        }
        let host = self.host(at, grantee, my_domain).await?;
        let (state, browser) = (self.random_text(), self.random_text());
        let pkce = Pkce::from_entropy(self.random_bytes());
        let expires_at = self.ports.clock.now() + SignedDuration::from_mins(AUTHORIZATION_MINUTES);
        let pending = PendingAuthorization {
            at,
            grantee,
            by: by.clone(),
            login_host: host.clone(),
            verifier: pkce.verifier().expose_secret().to_owned(),
            browser: hash(&browser),
            expires_at,
        };
        let mut commit = Commit::new();
        let draft = Draft::new(&keys::authorization(&hash(&state)), &pending)?;
        commit.write(draft.until(expires_at.as_second()).when(When::absent()))?;
        if !self.store.commit(commit).await?.is_done() {
            return Err(
                PortError::retry("begin an authorization", "its state was drawn before").into()
            );
        }
        let redirect_uri = self.app.redirect_uri(at.environment)?;
        let request = AuthorizationRequest {
            redirect_uri: &redirect_uri,
            state: &state,
            pkce: &pkce,
            scopes: &Scope::NEEDED,
            login_hint: None,
            // Whatever session the browser has is not the person's who authorizes now.
            prompt: Some(Prompt::Login),
        };
        let url = self.app.authorize_url(&host, &request).await?;
        let cookie = (cookie_name(&state), SecretString::from(browser));
        Ok(Begun { url, cookie })
    }

    /// The host to log in at. A seat logs in where the connection's own grant was given.
    async fn host(
        &self,
        at: TenantEnvironment,
        grantee: Grantee,
        my_domain: Option<&str>,
    ) -> Result<LoginHost, ConnectError> {
        let Grantee::Seat(seat) = grantee else { return login_host(at.environment, my_domain) };
        let seat = self.store.read(&seats::keys::seat(at.tenant, seat)).await?;
        seat.ok_or(ConnectError::NotFound("seat"))?;
        let connection = self.live(at).await?.ok_or(ConnectError::NotFound("connection"))?;
        Ok(connection.login_host)
    }

    /// Ends an authorization by the `state` and `code` that Salesforce sent the browser back with.
    /// `browser` is the value of the cookie of [`cookie_name`].
    #[must_use]
    #[boxed]
    pub async fn finish(
        &self,
        environment: Environment,
        state: &str,
        browser: Option<&str>,
        code: Result<SecretString, String>,
    ) -> Result<Connected, ConnectError> {
        let pending = self.consume(environment, state, browser).await?;
        let code = code.map_err(ConnectError::Declined)?;
        let host = &pending.login_host;
        let pkce = Pkce::from_verifier(pending.verifier.as_str().into())
            .map_err(|error| WorkError::reject("finish an authorization", error))?;
        let redirect_uri = self.app.redirect_uri(environment)?;
        let exchange = async |oauth: &OAuthClient| {
            oauth.exchange(host, &redirect_uri, &code, &pkce, &Scope::NEEDED).await
        };
        let oauth = self.app.oauth().await?;
        let token = match exchange(&oauth).await {
            Err(error) if self.app.is_outdated(&oauth, &error).await? => {
                exchange(&self.app.oauth().await?).await
            }
            answer => answer,
        };
        let token = token.map_err(ConnectError::OAuth)?;
        let login = match self.custody.keep_login(&pending, &token).await {
            Ok(login) => login,
            Err(error) => {
                // Nothing is kept, so it is given back at once, as well as can be.
                let token = token.refresh_token.as_ref().unwrap_or(&token.access_token);
                let revoked = self.app.revoke(host, token).await;
                tracing::warn!(is_revoked = revoked.is_ok(), "a login could not be kept");
                return Err(error.into());
            }
        };
        let connected = match pending.grantee {
            _ if !is_enough(&token) => Err(ConnectError::Scopes),
            Grantee::Admin => self.connect(pending, token, &login).await,
            Grantee::Seat(seat) => self.authorize_seat(&pending, seat, &token, &login).await,
        };
        if connected.is_err() {
            let mut commit = Commit::new();
            commit.now(login.give_back(0));
            // When this fails, the step that waits does it.
            if let Err(error) = self.store.commit(commit).await {
                tracing::warn!(error = %error, "a login is given back a little later");
            }
        }
        connected
    }

    /// Takes the pending authorization of a state, once.
    async fn consume(
        &self,
        environment: Environment,
        state: &str,
        browser: Option<&str>,
    ) -> Result<PendingAuthorization, ConnectError> {
        let slot = keys::authorization(&hash(state));
        let pending = self.store.read(&slot).await?.ok_or(ConnectError::State)?;
        // Somebody else's browser does not use the authorization up: its own may still come.
        if browser.map(hash) != Some(pending.browser.clone()) {
            return Err(ConnectError::Browser);
        }
        let mut commit = Commit::new();
        commit.delete_when(&slot, When::exists());
        if !self.store.commit(commit).await?.is_done() {
            return Err(ConnectError::State); // another callback was faster
        }
        let late = pending.expires_at <= self.ports.clock.now();
        if late || pending.at.environment != environment {
            return Err(ConnectError::State);
        }
        Ok(pending)
    }

    async fn authorize_seat(
        &self,
        pending: &PendingAuthorization,
        seat: SeatId,
        token: &TokenResponse,
        login: &KeptLogin,
    ) -> Result<Connected, ConnectError> {
        let (at, by) = (pending.at, Actor::from(&pending.by));
        let live = self.live(at).await?.ok_or(ConnectError::NotFound("connection"))?;
        if live.org_id != token.org_id {
            return Err(ConnectError::OtherOrg);
        }
        let seat_slot = seats::keys::seat(at.tenant, seat);
        let of = self.store.read(&seat_slot).await?.ok_or(ConnectError::NotFound("seat"))?;
        let email = self.email_of(token).await?;
        let scope = live.scope();
        let opened = self.custody.open(scope).await?.ok_or(ConnectError::NotFound("connection"))?;
        let grantee = Grantee::Seat(seat);
        attempts(|| async {
            let mut commit = Commit::new();
            self.check_user(&opened, &of, (token.user_id, &email), &mut commit).await?;
            self.grants.add_seat_grant(&mut commit, &opened, grantee, token).await?;
            // Activities that waited for this login are logged now.
            commit.now(WritebackMessage::Release { scope, seat: Some(seat) });
            commit.check(&connection_slot(at), unfenced(&live)?);
            commit.check(&seat_slot, When::exists());
            login.forget(&mut commit);
            let deed = Deed::of(Action::SeatAuthorized, scope).seat(seat);
            let log = self.audit.through(&opened.store);
            let outcome = log.commit(commit, at.tenant, &by, &deed).await?;
            if !outcome.is_done() && self.custody.open(scope).await?.is_none() {
                return Err(ConnectError::NotFound("connection")); // disconnected meanwhile
            }
            Ok(Attempt::of(&outcome, Connected::Seat))
        })
        .await
    }

    async fn email_of(&self, token: &TokenResponse) -> Result<String, ConnectError> {
        let session = Session {
            instance: token.instance_url.clone(),
            access_token: token.access_token.clone(),
        };
        let identity = self.app.oauth().await?.identity(&token.id_url, &session).await;
        Ok(identity.map_err(ConnectError::Salesforce)?.value.email.unwrap_or_default())
    }

    /// Refuses a login as somebody else: all that the seat does would be done in that user's name.
    /// The user whom an admin chose for the seat is the right one, and nobody else then; without a
    /// choice it is the one of the seat's address, unless an admin chose that one for another seat.
    /// The commit is done only while the choices are so.
    async fn check_user(
        &self,
        opened: &OpenGeneration,
        seat: &Seat,
        (user, email): (SalesforceId, &str),
        commit: &mut Commit,
    ) -> Result<(), ConnectError> {
        let (own, claim) = (opened.keys.seat_mapping(seat.id), opened.keys.user_mapping(user));
        let chosen = opened.store.load(&own).await?;
        let claimed = opened.store.load(&claim).await?;
        if let Some(chosen) = chosen.as_deref().filter(|chosen| chosen.user != user) {
            let found = opened.records.one(SObject::User, chosen.user).await?;
            let name = found.as_ref().and_then(|user| user.fields.get("Name"));
            let user = name.map_or_else(|| chosen.user.to_string(), str::to_owned);
            return Err(ConnectError::NotChosenUser { user });
        }
        if claimed.as_deref().is_some_and(|claimed| claimed.seat != seat.id) {
            return Err(ConnectError::UserOfAnotherSeat);
        }
        let environment = opened.keys.scope().environment;
        let is_own_address =
            seat.addresses().contains(&seats::folded_user_email(environment, email));
        if chosen.is_none() && !is_own_address {
            return Err(ConnectError::OtherUser { seat: seat.email.clone() });
        }
        commit.check(&own, chosen.as_ref().map_or_else(When::absent, When::unchanged));
        commit.check(&claim, claimed.as_ref().map_or_else(When::absent, When::unchanged));
        Ok(())
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

/// A grant with fewer scopes would fail at its first call, or could not be renewed; nor could one
/// without a refresh token.
fn is_enough(token: &TokenResponse) -> bool {
    let is_granted = |scope: &Scope| token.scope.contains(scope.as_str());
    token.refresh_token.is_some() && Scope::NEEDED.iter().all(is_granted)
}

/// Only hashes are stored: whoever reads the table cannot finish an authorization.
fn hash(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

/// The name of the cookie that binds the authorization of `state` to its browser. Each
/// authorization has its own, so that two tabs do not take each other's. The prefix binds it to
/// this very host.
#[must_use]
pub fn cookie_name(state: &str) -> String {
    format!("__Host-crm-sync-{}", &hash(state)[..16])
}
