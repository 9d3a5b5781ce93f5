//! Logins whose tokens are not a grant's yet.
//!
//! From the moment when Salesforce gave tokens they must become a grant or be given back, whatever
//! dies in between. So they are kept, sealed under a key of their own, together with the due item
//! that gives them back. The commit that makes a grant of them forgets both.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use std::time::Duration;

use super::{Custody, keys};
use crate::kernel::{Grantee, PendingAuthorization, PurgeMessage, TenantEnvironment};
use crate::ports::{Disposition, KeyContext, PortError, Purpose, WrappedKey};
use crate::salesforce::{LoginHost, TokenResponse};
use crate::seal::Sealer;
use crate::store::{Commit, Draft, Edit, Next, Slot, Stored, When, field};
use crate::work::WorkError;

/// A login becomes a grant within this time, or never: the callback's function ends long before.
const SETTLED: Duration = Duration::from_mins(15);

/// A login whose tokens are not a grant's yet. Its refresh token is sealed beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// For whom.
    pub(crate) grantee: Grantee,
    /// The host that gave the tokens.
    pub(crate) host: LoginHost,
    /// The key that seals the token, wrapped, base64.
    pub(crate) key: String,
    /// Counts the tries to give it back.
    pub(crate) step: u32,
}

/// The name of a login that is kept.
#[derive(Debug, Clone)]
pub(crate) struct KeptLogin {
    at: TenantEnvironment,
    id: String,
}

impl KeptLogin {
    /// The login of this name.
    pub(crate) fn new(at: TenantEnvironment, id: String) -> Self {
        Self { at, id }
    }

    /// The edit that counts a try to give it back.
    pub(crate) fn tried(tries: u32) -> Result<Edit<Login>, PortError> {
        field!(Login, step).set(&tries)
    }

    /// The tokens became a grant's: nothing is to be given back.
    pub(crate) fn forget(&self, commit: &mut Commit) {
        commit.delete(&self.slot());
    }

    /// The step that gives the tokens back, if they did not become a grant's.
    pub(crate) fn give_back(&self, step: u32) -> PurgeMessage {
        PurgeMessage::GiveBack { at: self.at, login: self.id.clone(), step }
    }

    fn slot(&self) -> Slot<Login> {
        keys::login(self.at, &self.id)
    }
}

impl Custody {
    /// Keeps the tokens of a login until they are a grant's or given back.
    pub(crate) async fn keep_login(
        &self,
        pending: &PendingAuthorization,
        token: &TokenResponse,
    ) -> Result<KeptLogin, WorkError> {
        let id = format!("{:032x}", self.ports.entropy.bits());
        let kept = KeptLogin::new(pending.at, id);
        let (key, wrapped) = self.ports.data_keys.generate(&context(pending.at)).await?;
        let login = Login {
            grantee: pending.grantee,
            host: pending.login_host.clone(),
            key: BASE64.encode(&wrapped.0),
            step: 0,
        };
        let slot = kept.slot();
        let token = token.refresh_token.as_ref().unwrap_or(&token.access_token);
        let body = Sealer::new(&key)
            .seal(&slot.place(), token.expose_secret().as_bytes(), &*self.ports.entropy)
            .map_err(|error| PortError::reject("keep a login", error))?;
        let mut commit = Commit::new();
        commit.write(Draft::new(&slot, &login)?.body(body).when(When::absent()))?;
        commit.then(Next::after(SETTLED, kept.give_back(0)));
        self.store.commit(commit).await?.may_lose_to("nobody: the id is new");
        Ok(kept)
    }

    /// A login that is kept, and its token; none when it became a grant's or was given back. The
    /// token is none when it cannot be opened.
    pub(crate) async fn kept_login(
        &self,
        at: TenantEnvironment,
        id: &str,
    ) -> Result<Option<(Stored<Login>, Option<SecretString>)>, WorkError> {
        let Some(login) = self.store.load(&keys::login(at, id)).await? else { return Ok(None) };
        let wrapped = BASE64.decode(&login.key).unwrap_or_default();
        let key = match self.ports.data_keys.unwrap(&WrappedKey(wrapped), &context(at)).await {
            Ok(key) => Sealer::new(&key),
            Err(error) if error.disposition == Disposition::Reject => {
                return Ok(Some((login, None)));
            }
            Err(error) => return Err(error.into()),
        };
        let plain = key.open(&login.slot().place(), login.body().unwrap_or_default()).ok();
        let token = plain.and_then(|plain| String::from_utf8(plain).ok());
        Ok(Some((login, token.map(SecretString::from))))
    }

    /// True if this is the newest token of the live connection: stored there before its callback
    /// died, it will be taken over by the next renewal.
    pub(crate) async fn holds(
        &self,
        at: TenantEnvironment,
        token: &SecretString,
    ) -> Result<bool, WorkError> {
        let Some(connection) = self.connection(at).await? else { return Ok(false) };
        let scope = connection.scope();
        let Some((_, secret)) = self.secret(scope).await? else { return Ok(false) };
        let held = self.open_grant(scope, &secret).await?;
        Ok(held.is_some_and(|held| held.refresh_token.expose_secret() == token.expose_secret()))
    }
}

fn context(at: TenantEnvironment) -> KeyContext {
    KeyContext::new(format!("{}/{}", at.tenant, at.environment), Purpose::Login)
}
