//! Disconnecting: the fence goes up, and the steps of the purge follow.

use std::time::Duration;

use crate::capabilities::custody::{Custody, Grants, SalesforceApp};
use crate::capabilities::leaving::{Purge, PurgePhase, keys};
use crate::kernel::{
    Connection, ConnectionState, Occurrence, PurgeMessage, Scope, TenantEnvironment,
};
use crate::ports::{PortError, Ports};
use crate::store::field;
use crate::store::keys::{connection as connection_slot, live};
use crate::store::{Commit, Next, Store};
use crate::work::{Done, WorkError};

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

/// Disconnects and purges.
#[derive(Clone)]
pub struct Disconnect {
    pub(super) ports: Ports,
    pub(super) store: Store,
    pub(super) custody: Custody,
    pub(super) grants: Grants,
    pub(super) grace: Duration,
}

impl Disconnect {
    /// The longest timeout of all functions: a function that was at work when the fence went up may
    /// still be at work for so long.
    pub const GRACE: Duration = Duration::from_mins(15);

    /// Purging, with the wait that suits this product's functions.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let store = Store::new(ports.clone());
        Self { ports, store, custody, grants, grace: Self::GRACE }
    }

    /// The same, with another wait for the functions that were at work when the fence went up.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Puts the fence up, and has everything behind it purged. A second call finds the purge of the
    /// first.
    pub async fn disconnect(&self, at: TenantEnvironment) -> Result<Purge, PurgeError> {
        let connection = self.custody.connection(at).await?.ok_or(PurgeError::NotConnected)?;
        let scope = connection.scope();
        if let Some(purge) = self.get(scope).await? {
            return Ok(purge);
        }
        let is_current = field!(Connection, generation).is(&connection.generation)?;
        let fence = field!(Connection, state).set(&ConnectionState::Disconnected)?;
        let purge = Purge::new(connection, self.ports.clock.now());
        let mut commit = Commit::new();
        commit.edit(&connection_slot(at), is_current, [fence]);
        commit.create(&keys::purge(scope), &purge)?;
        commit.delete(&live(at.tenant, at.environment));
        commit.now(PurgeMessage::Purge { scope, step: purge.step });
        commit.then(Next::publish(scope, purge.requested_at, Occurrence::Disconnected));
        if self.store.commit(commit).await?.is_done() {
            return Ok(purge);
        }
        // Another call was faster.
        self.get(scope).await?.ok_or(PurgeError::NotConnected)
    }

    /// A generation's purge.
    pub async fn get(&self, scope: Scope) -> Result<Option<Purge>, WorkError> {
        Ok(self.store.read(&keys::purge(scope)).await?)
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
        let before = self.store.load(&keys::purge(scope)).await?;
        let Some(before) = before.filter(|purge| purge.awaits(step)) else {
            return Ok(Done::Finished);
        };
        let mut purge = (*before).clone();
        let wait = match purge.phase {
            PurgePhase::Revoke => self.revoke(&mut purge).await?,
            PurgePhase::Count => {
                purge.counted(self.count(&purge).await?);
                Duration::ZERO
            }
            PurgePhase::Sweep => {
                self.sweep(&purge).await?;
                purge.swept();
                self.grace
            }
            PurgePhase::Verify => self.verify(&mut purge).await?,
            PurgePhase::Complete => Duration::ZERO,
        };
        purge.step += 1;
        let mut commit = Commit::new();
        commit.replace(&before, &purge)?;
        commit.then(match purge.completed_at {
            None => Next::after(wait, PurgeMessage::Purge { scope, step: purge.step }),
            Some(at) => Next::publish(scope, at, Occurrence::Purged),
        });
        let winner = "another delivery of this message, which took the same step";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(Done::Finished)
    }
}
