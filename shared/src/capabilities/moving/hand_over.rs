//! Handing a tenant over to another home, and taking the hand-over back.

use jiff::Timestamp;

use super::{Moving, MovingError};
use crate::capabilities::audit::{Action, Actor, Deed};
use crate::capabilities::seats;
use crate::kernel::{Connection, ConnectionState, Environment, TenantId};
use crate::store::field;
use crate::store::keys::connection as connection_slot;
use crate::store::{Commit, Edit, When};
use crate::work::boxed;

/// A connection of a tenant that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    /// Its environment.
    pub environment: Environment,
    /// Since when nothing is done for it here.
    pub at: Timestamp,
}

impl Moving {
    /// Hands the tenant over. From then on this home sends, reads and takes in nothing for its
    /// connections; their work is kept. A second call finds what the first one did.
    #[must_use]
    #[boxed]
    pub async fn hand_over(&self, tenant: TenantId) -> Result<Vec<HandedOver>, MovingError> {
        self.require(tenant).await?;
        let now = self.ports.clock.now();
        let mark = field!(Connection, handed_over_at);
        for connection in self.live(tenant).await? {
            if connection.handed_over_at.is_none() {
                let edit = mark.set(&Some(now))?;
                self.edit(&connection, mark.is_missing(), edit, Action::HandedOver).await?;
            }
        }
        let live = self.live(tenant).await?;
        let handed_over = live.into_iter().filter_map(|connection| {
            let (environment, at) = (connection.at.environment, connection.handed_over_at?);
            Some(HandedOver { environment, at })
        });
        Ok(handed_over.collect())
    }

    /// Takes the hand-over back: the tenant stays here, and the work that was kept is done. Only
    /// for a tenant that no other home has taken in, or both send its activities.
    #[must_use]
    #[boxed]
    pub async fn take_back(&self, tenant: TenantId) -> Result<(), MovingError> {
        self.require(tenant).await?;
        let mark = field!(Connection, handed_over_at);
        for connection in self.live(tenant).await? {
            if let Some(at) = connection.handed_over_at {
                let is_same = mark.is(&Some(at))?;
                self.edit(&connection, is_same, mark.remove(), Action::TakenBack).await?;
            }
        }
        Ok(())
    }

    /// Edits the mark of a connection, unless it is gone or another call was faster.
    async fn edit(
        &self,
        connection: &Connection,
        when: When<Connection>,
        edit: Edit<Connection>,
        action: Action,
    ) -> Result<(), MovingError> {
        let is_live = field!(Connection, state).is_not(&ConnectionState::Disconnected)?;
        let is_same = field!(Connection, generation).is(&connection.generation)?;
        let mut commit = Commit::new();
        commit.edit(&connection_slot(connection.at), is_live.and(is_same).and(when), [edit]);
        let winner = "a disconnect, after which there is nothing to move, or another such call";
        let (tenant, deed) = (connection.at.tenant, Deed::of(action, connection.scope()));
        self.audit.commit(commit, tenant, &Actor::Service, &deed).await?.may_lose_to(winner);
        Ok(())
    }

    pub(super) async fn require(&self, tenant: TenantId) -> Result<(), MovingError> {
        let found = self.store.load(&seats::keys::tenant(tenant)).await?;
        found.map(drop).ok_or(MovingError::NotFound)
    }
}
