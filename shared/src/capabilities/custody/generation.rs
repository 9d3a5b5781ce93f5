//! Opening a generation: the fence, the keys, the data key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::capabilities::custody::ttl_cache::TtlCache;
use crate::kernel::{Connection, ConnectionState, Occurrence, Scope, TenantEnvironment};
use crate::ports::{
    Change, Condition, Disposition, Key, PortError, Ports, VersionId, WrappedKey, Write,
};
use crate::salesforce::TokenResponse;
use crate::seal::Sealer;
use crate::store::keys::{self, GenerationKeys};
use crate::store::{self, Next, Outbox, Records};
use crate::work::WorkError;

/// A generation that may be read and written.
#[derive(Clone)]
pub struct OpenGeneration {
    /// Its connection.
    pub connection: Connection,
    /// Its keys.
    pub keys: GenerationKeys,
    /// Its data key.
    pub sealer: Sealer,
    /// Its records.
    pub records: Records,
}

/// What the secret of a connection holds: the wrapped data key, and the connection's own grant.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConnectionSecret {
    /// The wrapped data key, base64.
    pub data_key: String,
    /// The number of the grant's token, as in [`crate::kernel::GrantState`].
    pub number: u64,
    /// The grant.
    pub grant: StoredGrant,
}

/// A grant's tokens as they are stored, in a secret or sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredGrant {
    pub access_token: String,
    pub refresh_token: String,
    pub instance_url: String,
}

impl StoredGrant {
    /// A token response as it is stored; without rotation the refresh token stays the one before.
    pub(crate) fn of(token: &TokenResponse, before: Option<&Self>) -> Result<Self, WorkError> {
        let refresh_token = token
            .refresh_token
            .as_ref()
            .map(|t| t.expose_secret().to_owned())
            .or_else(|| before.map(|b| b.refresh_token.clone()))
            .ok_or_else(|| WorkError::reject("keep a grant", "Salesforce gave no refresh token"))?;
        Ok(Self {
            access_token: token.access_token.expose_secret().to_owned(),
            refresh_token,
            instance_url: token.instance_url.to_string(),
        })
    }
}

impl ConnectionSecret {
    pub(crate) fn parse(text: &SecretString) -> Result<Self, PortError> {
        // serde_json's error could quote the value.
        serde_json::from_str(text.expose_secret())
            .map_err(|_| PortError::reject("read a connection's secret", "unknown form"))
    }

    pub(crate) fn to_text(&self) -> Result<SecretString, PortError> {
        serde_json::to_string(self)
            .map(SecretString::from)
            .map_err(|_| PortError::reject("write a connection's secret", "unknown form"))
    }

    pub(crate) fn wrapped(&self) -> Result<WrappedKey, PortError> {
        BASE64
            .decode(&self.data_key)
            .map(WrappedKey)
            .map_err(|error| PortError::reject("read a connection's secret", error))
    }

    pub(crate) fn encode(wrapped: &WrappedKey) -> String {
        BASE64.encode(&wrapped.0)
    }
}

/// Opens generations. The data keys it holds are dropped after five minutes.
#[derive(Clone)]
pub struct Custody {
    ports: Ports,
    secret_prefix: String,
    unwrapped: TtlCache<Scope, Sealer>,
}

impl Custody {
    /// Custody of the secrets under this prefix.
    #[must_use]
    pub fn new(ports: Ports, secret_prefix: String) -> Self {
        Self { ports, secret_prefix, unwrapped: TtlCache::default() }
    }

    /// The name of a generation's secret.
    pub(crate) fn secret_name(&self, scope: Scope) -> String {
        format!("{}{scope}", self.secret_prefix)
    }

    /// A tenant's connection in an environment, whatever its state.
    pub async fn connection(&self, at: TenantEnvironment) -> Result<Option<Connection>, WorkError> {
        Ok(store::get(&*self.ports.table, &keys::connection(at)).await?)
    }

    /// Opens a generation; none when the fence is up: it was disconnected, or is not the current
    /// one. What finds none is to stop without an effect.
    pub async fn open(&self, scope: Scope) -> Result<Option<OpenGeneration>, WorkError> {
        let Some(connection) = self.connection(scope.tenant_environment()).await? else {
            return Ok(None);
        };
        let fenced = connection.state == ConnectionState::Disconnected;
        if fenced || connection.generation != scope.generation {
            return Ok(None);
        }
        if connection.paused_since.is_some() {
            // That a key was unwrapped before the pause does not end it.
            self.unwrapped.remove(&scope);
        }
        // A key that is kept says nothing of how the key service is now.
        let kept = self.unwrapped.get(&scope, self.ports.clock.now());
        let sealer = if let Some(sealer) = kept {
            sealer
        } else {
            let sealer = self.unwrap(scope).await;
            self.note(&connection, sealer.as_ref().err()).await?;
            let Some(sealer) = sealer? else { return Ok(None) };
            sealer
        };
        let keys = GenerationKeys::new(scope, connection.buckets);
        let records = Records::new(self.ports.clone(), keys, sealer.clone());
        Ok(Some(OpenGeneration { connection, keys, sealer, records }))
    }

    /// Says on the connection whether its data key could be unwrapped: that the operator's key is gone, which others are told
    /// as well, or that the key service did not answer.
    async fn note(
        &self,
        connection: &Connection,
        failed: Option<&WorkError>,
    ) -> Result<(), WorkError> {
        let now = self.ports.clock.now();
        let (paused, degraded) = match failed.map(|error| error.disposition) {
            None => (false, false),
            Some(Disposition::Pause) => (true, false),
            // Who does not answer does not say that the key is back.
            Some(Disposition::Retry) => (connection.paused_since.is_some(), true),
            Some(Disposition::Reject) => return Ok(()),
        };
        let pause = noted("paused_since", connection.paused_since, paused, now);
        let told = pause.is_some().then_some(match connection.paused_since {
            None => Occurrence::Paused { since: now },
            Some(since) => Occurrence::Resumed { since },
        });
        let degradation = noted("degraded_since", connection.degraded_since, degraded, now);
        let (changes, mut same): (Vec<_>, Vec<_>) = pause.into_iter().chain(degradation).unzip();
        if changes.is_empty() {
            return Ok(());
        }
        same.push(Condition::Eq("generation", json!(connection.generation)));
        let key = keys::connection(connection.at);
        let write = Write::Update { key: key.into(), changes, when: Condition::All(same) };
        let told = told.map(|told| Next::publish(connection.scope(), now, told));
        let told = told.into_iter().collect();
        let _ = Outbox::new(self.ports.clone()).commit(vec![write], told).await?;
        Ok(())
    }

    /// The generation's data key; none when it is destroyed.
    pub(crate) async fn sealer(&self, scope: Scope) -> Result<Option<Sealer>, WorkError> {
        match self.unwrapped.get(&scope, self.ports.clock.now()) {
            Some(sealer) => Ok(Some(sealer)),
            None => self.unwrap(scope).await,
        }
    }

    /// The generation's data key, unwrapped by the key service.
    async fn unwrap(&self, scope: Scope) -> Result<Option<Sealer>, WorkError> {
        let now = self.ports.clock.now();
        let Some((_, secret)) = self.secret(scope).await? else { return Ok(None) };
        let key = self.ports.data_keys.unwrap(&secret.wrapped()?, &scope.to_string()).await?;
        let sealer = Sealer::new(&key);
        self.unwrapped.insert(scope, sealer.clone(), now);
        Ok(Some(sealer))
    }

    /// The newest value of a generation's secret.
    pub(crate) async fn secret(
        &self,
        scope: Scope,
    ) -> Result<Option<(VersionId, ConnectionSecret)>, WorkError> {
        let newest = self.ports.secrets.newest(&self.secret_name(scope)).await?;
        Ok(newest
            .map(|(version, text)| ConnectionSecret::parse(&text).map(|secret| (version, secret)))
            .transpose()?)
    }

    /// Destroys a generation's secret, and with it its data key and its grant.
    pub(crate) async fn destroy(&self, scope: Scope) -> Result<(), WorkError> {
        self.unwrapped.remove(&scope);
        self.ports.secrets.destroy(&self.secret_name(scope)).await?;
        Ok(())
    }
}

/// The change of a note that something is so since a time, and what must still hold for it; none when the note is right.
fn noted(
    name: &'static str,
    since: Option<Timestamp>,
    is_so: bool,
    now: Timestamp,
) -> Option<(Change, Condition)> {
    match since {
        None if is_so => Some((Change::Set(name, json!(now)), Condition::Missing(name))),
        Some(since) if !is_so => Some((Change::Remove(name), Condition::Eq(name, json!(since)))),
        _ => None,
    }
}

impl OpenGeneration {
    /// Seals a value for an item of the generation.
    pub(crate) fn sealed<T: Serialize>(
        &self,
        ports: &Ports,
        key: &Key,
        value: &T,
    ) -> Result<Vec<u8>, PortError> {
        let plain = serde_json::to_vec(value).map_err(|e| PortError::reject("seal a value", e))?;
        let sealed = self.sealer.seal(&key.place(), &plain, &*ports.entropy);
        sealed.map_err(|error| PortError::reject("seal a value", error))
    }

    /// Opens it again.
    pub(crate) fn unsealed<T: for<'de> Deserialize<'de>>(
        &self,
        key: &Key,
        body: &[u8],
    ) -> Result<T, PortError> {
        let plain = self.sealer.open(&key.place(), body);
        let plain = plain.map_err(|error| PortError::reject("open a value", error))?;
        serde_json::from_slice(&plain).map_err(|error| PortError::reject("open a value", error))
    }

    /// Seals an object for its key and stores it.
    pub(crate) async fn put_object(
        &self,
        ports: &Ports,
        key: &str,
        plain: &[u8],
    ) -> Result<(), PortError> {
        let sealed = self
            .sealer
            .seal(key, plain, &*ports.entropy)
            .map_err(|error| PortError::reject("seal an object", error))?;
        ports.objects.put(key, sealed.into()).await
    }

    /// Fetches an object and opens it; none when there is no such object.
    pub(crate) async fn get_object(
        &self,
        ports: &Ports,
        key: &str,
    ) -> Result<Option<Vec<u8>>, PortError> {
        let Some(sealed) = ports.objects.get(key).await? else { return Ok(None) };
        self.sealer
            .open(key, &sealed)
            .map(Some)
            .map_err(|error| PortError::reject("open an object", error))
    }
}
