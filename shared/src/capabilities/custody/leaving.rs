//! The grants of a generation that is purged, and the purge's own key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::Custody;
use super::keys::{ADMIN, REPLACED, SEAT};
use super::secret::ConnectionSecret;
use crate::kernel::{Scope, VersionId};
use crate::ports::{Disposition, Key, KeyContext, PortError, Purpose, WrappedKey};
use crate::seal::Sealer;
use crate::store::Slot;
use crate::store::keys::GenerationKeys;
use crate::work::WorkError;

/// What can still be read of a generation's grants.
#[derive(Default)]
pub(crate) struct LeavingGrants {
    /// True if the connection's secret is there.
    pub(crate) has_secret: bool,
    /// The connection's own refresh tokens: of the newest version, and of the one in use.
    admin: Vec<SecretString>,
    /// What opens the seats' grants.
    seats: Option<Sealer>,
    /// What opens those that were replaced.
    replaced: Option<Sealer>,
}

/// All that is needed of a stored grant to revoke it.
#[derive(Deserialize)]
struct Revocable {
    refresh_token: SecretString,
}

impl LeavingGrants {
    /// True if there is something to read.
    pub(crate) fn is_readable(&self) -> bool {
        !self.admin.is_empty() || self.seats.is_some() || self.replaced.is_some()
    }

    /// True if an item with this sort key, among those of the generation's grants, is a grant.
    pub(crate) fn is_grant(sk: &str) -> bool {
        sk == ADMIN || [SEAT, REPLACED].iter().any(|prefix| sk.starts_with(prefix))
    }

    /// The refresh tokens of a grant; none when it cannot be read.
    pub(crate) fn tokens(&self, key: &Key, body: Option<&[u8]>) -> Vec<SecretString> {
        if key.sk() == ADMIN {
            return self.admin.clone();
        }
        let is_replaced = key.sk().starts_with(REPLACED);
        let sealer = if is_replaced { &self.replaced } else { &self.seats };
        let plain = sealer.as_ref().zip(body);
        let plain = plain.and_then(|(sealer, body)| sealer.open(&key.place(), body).ok());
        let Some(plain) = plain else { return Vec::new() };
        let token = if is_replaced {
            serde_json::from_slice::<SecretString>(&plain).ok()
        } else {
            serde_json::from_slice(&plain).ok().map(|grant: Revocable| grant.refresh_token)
        };
        token.into_iter().collect()
    }
}

impl Custody {
    /// What can be read of the grants of a generation behind the fence, for its purge alone. A
    /// failure that may pass is an error; what will never open is left out.
    pub(crate) async fn leaving_grants(&self, scope: Scope) -> Result<LeavingGrants, WorkError> {
        let name = self.secret_name(scope);
        let Some((newest, text)) = self.ports.secrets.newest(&name).await? else {
            return Ok(LeavingGrants::default());
        };
        let mut leaving = LeavingGrants { has_secret: true, ..LeavingGrants::default() };
        let Ok(secret) = ConnectionSecret::parse(&text) else { return Ok(leaving) };
        leaving.replaced = self.if_it_opens(scope, Purpose::AdminGrant).await?;
        leaving.seats = self.if_it_opens(scope, Purpose::SeatGrants).await?;
        let Some(sealer) = &leaving.replaced else { return Ok(leaving) };
        // A renewed token may be stored and not yet pointed to: then the one before is dead.
        let mut secrets = vec![secret];
        if let Some(version) = self.version_in_use(scope).await?.filter(|v| *v != newest)
            && let Some(text) = self.ports.secrets.get(&name, &version).await?
            && let Ok(secret) = ConnectionSecret::parse(&text)
        {
            secrets.push(secret);
        }
        let grants = secrets.iter().filter_map(|secret| secret.open(sealer, scope).ok());
        leaving.admin = grants.map(|grant| grant.refresh_token).collect();
        Ok(leaving)
    }

    /// What opens grants of a purpose; none when it never will.
    async fn if_it_opens(
        &self,
        scope: Scope,
        purpose: Purpose,
    ) -> Result<Option<Sealer>, WorkError> {
        match self.sealer_for(scope, purpose).await {
            Ok(sealer) => Ok(sealer),
            Err(error) if error.disposition == Disposition::Retry => Err(error),
            Err(error) => {
                tracing::warn!(error = %error, "grants of a generation that leaves do not open");
                Ok(None)
            }
        }
    }

    async fn version_in_use(&self, scope: Scope) -> Result<Option<VersionId>, WorkError> {
        let slot = GenerationKeys::new(scope, 1).admin_grant();
        let state = self.store.read(&Slot::<Value>::at(slot.into())).await?;
        let version = state.and_then(|state| state.get("version")?.as_str().map(str::to_owned));
        Ok(version.map(VersionId))
    }

    /// Makes the key under which a purge seals the grants that it is to revoke.
    pub(crate) async fn make_purge_key(
        &self,
        scope: Scope,
    ) -> Result<(VersionId, Sealer), WorkError> {
        let (key, wrapped) = self.ports.data_keys.generate(&purge_context(scope)).await?;
        let token = format!("{:032x}", self.ports.entropy.bits());
        let text = SecretString::from(BASE64.encode(&wrapped.0));
        let version = self.ports.secrets.put(&self.purge_secret(scope), &text, &token).await?;
        Ok((version, Sealer::new(&key)))
    }

    /// The key of a purge; none when it is destroyed or no key.
    pub(crate) async fn purge_key(
        &self,
        scope: Scope,
        version: &VersionId,
    ) -> Result<Option<Sealer>, WorkError> {
        let text = self.ports.secrets.get(&self.purge_secret(scope), version).await?;
        let wrapped = text.and_then(|text| BASE64.decode(text.expose_secret()).ok());
        let Some(wrapped) = wrapped.map(WrappedKey) else { return Ok(None) };
        match self.ports.data_keys.unwrap(&wrapped, &purge_context(scope)).await {
            Ok(key) => Ok(Some(Sealer::new(&key))),
            Err(error) if error.disposition == Disposition::Reject => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Destroys the key of a purge.
    pub(crate) async fn destroy_purge_secret(&self, scope: Scope) -> Result<(), WorkError> {
        Ok(self.ports.secrets.destroy(&self.purge_secret(scope)).await?)
    }

    /// True if the generation has a secret, whether or not anybody can open it.
    pub(crate) async fn has_secret(&self, scope: Scope) -> Result<bool, PortError> {
        match self.ports.secrets.newest(&self.secret_name(scope)).await {
            Ok(found) => Ok(found.is_some()),
            Err(error) if error.disposition == Disposition::Retry => Err(error),
            Err(_) => Ok(true),
        }
    }

    fn purge_secret(&self, scope: Scope) -> String {
        format!("{}/purge", self.secret_name(scope))
    }
}

fn purge_context(scope: Scope) -> KeyContext {
    KeyContext::new(scope, Purpose::Purge)
}
