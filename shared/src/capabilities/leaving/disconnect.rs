//! Disconnecting: the fence goes up, and the steps of the purge follow.

use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::leaving::{Leaver, Purge, keys};
use crate::kernel::{
    Connection, ConnectionState, Occurrence, PurgeMessage, Scope, TenantEnvironment,
};
use crate::ports::{PortError, Ports};
use crate::store::field;
use crate::store::keys::{connection as connection_slot, live};
use crate::store::{Commit, Next, Slot, Store};
use crate::work::{WorkError, boxed};

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

impl From<PortError> for PurgeError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// Disconnects, and shows purges.
#[derive(Clone)]
pub struct Disconnect {
    ports: Ports,
    store: Store,
    audit: AuditLog,
}

impl Disconnect {
    /// Disconnecting over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, audit }
    }

    /// Puts the fence up, and has everything behind it purged. A second call finds the purge of the
    /// first.
    #[must_use]
    #[boxed]
    pub async fn disconnect(&self, at: TenantEnvironment, by: &Actor) -> Result<Purge, PurgeError> {
        // Only what a purge needs is read of the connection: nothing else in it holds up its end.
        let slot = Slot::<Leaver>::at(connection_slot(at).into());
        let connection = self.store.read(&slot).await?.ok_or(PurgeError::NotConnected)?;
        let scope = at.generation(connection.generation);
        if let Some(purge) = self.get(scope).await? {
            return Ok(purge);
        }
        let is_current = field!(Connection, generation).is(&connection.generation)?;
        let fence = field!(Connection, state).set(&ConnectionState::Disconnected)?;
        let purge = Purge::new(scope, connection, self.ports.clock.now());
        let mut commit = Commit::new();
        commit.edit(&connection_slot(at), is_current, [fence]);
        commit.create(&keys::purge(scope), &purge)?;
        commit.delete(&live(at.tenant, at.environment));
        commit.now(PurgeMessage::Purge { scope, step: purge.step });
        commit.then(Next::publish(scope, purge.requested_at, Occurrence::Disconnected));
        let deed = Deed::of(Action::Disconnected, scope);
        if self.audit.commit(commit, at.tenant, by, &deed).await?.is_done() {
            return Ok(purge);
        }
        // Another call was faster.
        self.get(scope).await?.ok_or(PurgeError::NotConnected)
    }

    /// A generation's purge.
    #[must_use]
    #[boxed]
    pub async fn get(&self, scope: Scope) -> Result<Option<Purge>, WorkError> {
        Ok(self.store.read(&keys::purge(scope)).await?)
    }
}
