//! Opening a generation: the fence, the keys, the data key.

use jiff::Timestamp;

use super::OpenGeneration;
use super::model::KeyHealth;
use super::secret::{ConnectionSecret, StoredGrant, WrappedKeys};
use super::ttl_cache::TtlCache;
use crate::kernel::{Connection, ConnectionState, Scope, TenantEnvironment};
use crate::ports::{KeyContext, PortError, Ports, Purpose, VersionId};
use crate::seal::Sealer;
use crate::store::field;
use crate::store::keys::{GenerationKeys, connection as connection_slot};
use crate::store::{Commit, Edit, Field, Next, Records, Store, When};
use crate::work::{WorkError, boxed};

/// Why a generation of a tenant that was handed over is not opened.
const HANDED_OVER: &str = "the tenant is handed over to another home";

/// Opens generations. The data keys it holds are dropped after five minutes.
#[derive(Clone)]
pub struct Custody {
    pub(super) ports: Ports,
    pub(super) store: Store,
    secret_prefix: String,
    unwrapped: TtlCache<(Scope, Purpose), Sealer>,
}

impl Custody {
    /// Custody of the secrets under this prefix.
    #[must_use]
    pub fn new(ports: Ports, secret_prefix: String) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, secret_prefix, unwrapped: TtlCache::default() }
    }

    /// The name of a generation's secret.
    pub(crate) fn secret_name(&self, scope: Scope) -> String {
        format!("{}{scope}", self.secret_prefix)
    }

    /// A tenant's connection in an environment, whatever its state.
    #[must_use]
    #[boxed]
    pub async fn connection(&self, at: TenantEnvironment) -> Result<Option<Connection>, WorkError> {
        Ok(self.store.read(&connection_slot(at)).await?)
    }

    /// Opens a generation. None when the fence is up: the generation was disconnected, or is not
    /// the current one. A caller that gets none stops without an effect. A tenant that was handed
    /// over to another home has its work wait. A live connection's secret that is not there is not
    /// readable yet, or is being destroyed this moment: the next try reads it, or finds the fence.
    #[must_use]
    #[boxed]
    pub async fn open(&self, scope: Scope) -> Result<Option<OpenGeneration>, WorkError> {
        let Some(connection) = self.connection(scope.tenant_environment()).await? else {
            return Ok(None);
        };
        let fenced = connection.state == ConnectionState::Disconnected;
        if fenced || connection.generation != scope.generation {
            return Ok(None);
        }
        if connection.handed_over_at.is_some() {
            return Err(WorkError::pause("open a generation", HANDED_OVER));
        }
        if connection.paused_since.is_some() {
            // A key that was unwrapped before the pause does not end it.
            self.forget_keys(scope);
        }
        // A cached key tells nothing of the key service as it is now.
        let cached = self.unwrapped.get(&(scope, Purpose::Records), self.ports.clock.now());
        let sealer = if let Some(sealer) = cached {
            sealer
        } else {
            let sealer = self.unwrap(scope, Purpose::Records).await;
            self.mark_key_health(&connection, sealer.as_ref().err()).await?;
            sealer?.ok_or_else(|| unread("open a generation"))?
        };
        Ok(Some(self.opened_by(connection, sealer)))
    }

    /// The generation of a connection, opened for its move alone: no fence stops
    /// it. None when its data key is destroyed.
    pub(crate) async fn open_past_the_fence(
        &self,
        connection: &Connection,
    ) -> Result<Option<OpenGeneration>, WorkError> {
        let scope = connection.scope();
        let sealer = self.sealer_for(scope, Purpose::Records).await?;
        Ok(sealer.map(|sealer| self.opened_by(connection.clone(), sealer)))
    }

    fn opened_by(&self, connection: Connection, sealer: Sealer) -> OpenGeneration {
        let keys = GenerationKeys::of(&connection);
        let records = Records::new(self.ports.clone(), keys, sealer.clone());
        let store = Store::opening(self.ports.clone(), sealer.clone());
        OpenGeneration { connection, keys, sealer, records, store }
    }

    /// Marks on the connection since when the operator's key is gone, or since when the key service
    /// does not answer. An event tells when a pause begins or ends.
    async fn mark_key_health(
        &self,
        connection: &Connection,
        failure: Option<&WorkError>,
    ) -> Result<(), WorkError> {
        let now = self.ports.clock.now();
        let failure = failure.map(|error| error.disposition);
        let Some(health) = KeyHealth::after(connection, failure) else { return Ok(()) };
        let (paused, degraded) =
            (field!(Connection, paused_since), field!(Connection, degraded_since));
        let marks = [
            mark(&paused, connection.paused_since, health.is_paused, now)?,
            mark(&degraded, connection.degraded_since, health.is_degraded, now)?,
        ];
        let mut when = field!(Connection, generation).is(&connection.generation)?;
        let mut edits = Vec::new();
        for (edit, unmoved) in marks.into_iter().flatten() {
            edits.push(edit);
            when = when.and(unmoved);
        }
        if edits.is_empty() {
            return Ok(());
        }
        let mut commit = Commit::new();
        commit.edit(&connection_slot(connection.at), when, edits);
        if let Some(occurrence) = health.occurrence(connection, now) {
            commit.then(Next::publish(connection.scope(), now, occurrence));
        }
        let winner = "another attempt, which marked what it saw as freshly as this one";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }

    /// What seals for a purpose, unwrapped by the key service; none when it is destroyed.
    async fn unwrap(&self, scope: Scope, purpose: Purpose) -> Result<Option<Sealer>, WorkError> {
        let now = self.ports.clock.now();
        let Some((_, secret)) = self.secret(scope).await? else { return Ok(None) };
        let (wrapped, context) = (secret.keys.of(purpose)?, KeyContext::new(scope, purpose));
        let sealer = Sealer::new(&self.ports.data_keys.unwrap(&wrapped, &context).await?);
        self.unwrapped.insert((scope, purpose), sealer.clone(), now);
        Ok(Some(sealer))
    }

    /// What seals for a purpose; none when it is destroyed. A process keeps it for five minutes.
    pub(super) async fn sealer_for(
        &self,
        scope: Scope,
        purpose: Purpose,
    ) -> Result<Option<Sealer>, WorkError> {
        match self.unwrapped.get(&(scope, purpose), self.ports.clock.now()) {
            Some(sealer) => Ok(Some(sealer)),
            None => self.unwrap(scope, purpose).await,
        }
    }

    /// Makes the secret of a new generation: its data keys, and the connection's first grant.
    pub(crate) async fn make_secret(
        &self,
        scope: Scope,
        grant: &StoredGrant,
        token: &str,
    ) -> Result<VersionId, WorkError> {
        let make =
            async |purpose| self.ports.data_keys.generate(&KeyContext::new(scope, purpose)).await;
        let (_, records) = make(Purpose::Records).await?;
        let (key, admin_grant) = make(Purpose::AdminGrant).await?;
        let (_, seat_grants) = make(Purpose::SeatGrants).await?;
        let keys = WrappedKeys {
            records: WrappedKeys::encode(&records),
            admin_grant: WrappedKeys::encode(&admin_grant),
            seat_grants: WrappedKeys::encode(&seat_grants),
        };
        self.put_secret((scope, token), keys, (1, grant), &Sealer::new(&key)).await
    }

    /// Stores the connection's next grant beside the keys that `secret` has.
    pub(crate) async fn put_grant(
        &self,
        (scope, token): (Scope, &str),
        secret: ConnectionSecret,
        grant: (u64, &StoredGrant),
    ) -> Result<VersionId, WorkError> {
        let sealer = self.sealer_for(scope, Purpose::AdminGrant).await?;
        let sealer =
            sealer.ok_or_else(|| WorkError::retry("store a grant", "the org was disconnected"))?;
        self.put_secret((scope, token), secret.keys, grant, &sealer).await
    }

    async fn put_secret(
        &self,
        (scope, token): (Scope, &str),
        keys: WrappedKeys,
        grant: (u64, &StoredGrant),
        sealer: &Sealer,
    ) -> Result<VersionId, WorkError> {
        let entropy = &*self.ports.entropy;
        let secret = ConnectionSecret::with(keys, grant, (sealer, scope), entropy)?;
        Ok(self.ports.secrets.put(&self.secret_name(scope), &secret.to_text()?, token).await?)
    }

    /// The grant in a secret; none when its key is destroyed.
    pub(super) async fn open_grant(
        &self,
        scope: Scope,
        secret: &ConnectionSecret,
    ) -> Result<Option<StoredGrant>, WorkError> {
        let sealer = self.sealer_for(scope, Purpose::AdminGrant).await?;
        Ok(sealer.map(|sealer| secret.open(&sealer, scope)).transpose()?)
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

    fn forget_keys(&self, scope: Scope) {
        for purpose in Purpose::ALL {
            self.unwrapped.remove(&(scope, purpose));
        }
    }

    /// Destroys a generation's secret, and with it its data keys and its grant.
    pub(crate) async fn destroy(&self, scope: Scope) -> Result<(), WorkError> {
        self.forget_keys(scope);
        self.ports.secrets.destroy(&self.secret_name(scope)).await?;
        Ok(())
    }
}

/// The secret of a live connection cannot be read. Secret stores show some seconds late what was
/// written, so this is never taken for the connection's end: only the fence is.
pub(crate) fn unread(action: &'static str) -> WorkError {
    WorkError::retry(action, "the connection's secret is not readable yet")
}

/// An edit of a mark, and the condition that nobody else moved the mark.
type MarkMove = (Edit<Connection>, When<Connection>);

/// The edit that makes a mark say so since `now`, or removes it, with the condition that nobody
/// moved the mark. None when the mark is right.
fn mark(
    field: &Field<Connection, Option<Timestamp>>,
    since: Option<Timestamp>,
    is_so: bool,
    now: Timestamp,
) -> Result<Option<MarkMove>, PortError> {
    Ok(match since {
        None if is_so => Some((field.set(&Some(now))?, field.is_missing())),
        Some(_) if !is_so => Some((field.remove(), field.is(&since)?)),
        None | Some(_) => None,
    })
}
