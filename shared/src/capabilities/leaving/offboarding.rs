//! Offboarding: one authorization ends, a seat is removed, a tenant's contract is over.
//!
//! Each is decided in one commit, with the steps that do the rest. Who is killed after the commit
//! has done it, and who is killed before has done nothing: so each may be repeated.

use super::keys;
use super::steps::PurgeSteps;
use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, LookupError, end_seat_grant};
use crate::capabilities::leaving::{Purge, PurgePhase};
use crate::capabilities::{seats, settings};
use crate::kernel::{
    AutoSaveMessage, Connection, ConnectionState, Environment, GrantState, PurgeMessage, Scope,
    SeatId, TenantEnvironment, TenantId, WritebackMessage,
};
use crate::ports::{PortError, Ports};
use crate::store::keys::{GenerationKeys, connection as connection_slot};
use crate::store::{Attempt, Commit, Store, Stored, When, attempts};
use crate::work::{Done, WorkError, boxed};

/// Why something is not offboarded.
#[derive(Debug, thiserror::Error)]
pub enum OffboardingError {
    /// There is no such connection.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// An org of the tenant is connected.
    #[error("an org is connected in {0}; disconnect it, and wait for the certificate of its purge")]
    Connected(Environment),
    /// What an org of the tenant brought in is still being purged.
    #[error("the purge of {0} is still at work; remove the tenant once its certificate is there")]
    Purging(String),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for OffboardingError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

impl From<LookupError> for OffboardingError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NotFound(what) => Self::NotFound(what),
            LookupError::Work(error) => Self::Work(error),
        }
    }
}

/// Ends authorizations, removes seats and tenants.
#[derive(Clone)]
pub struct Offboarding {
    store: Store,
    custody: Custody,
    audit: AuditLog,
}

impl Offboarding {
    /// Offboarding over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports));
        Self { store, custody, audit }
    }

    /// Ends a seat's authorization in an environment: nobody uses it from now on, and Salesforce is
    /// told to end it. What the seller did waits for another login. Where there is none, nothing is
    /// done.
    #[must_use]
    #[boxed]
    pub async fn end_authorization(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        by: &Actor,
    ) -> Result<(), OffboardingError> {
        let keys = self.custody.keys(at).await?;
        attempts(|| async {
            let grant = self.store.load(&keys.seat_grant(seat)).await?;
            let Some(grant) = grant.filter(|grant| grant.alive) else {
                return Ok(Attempt::Done(()));
            };
            let mut commit = Commit::new();
            end_seat_grant(&mut commit, &keys, seat, Some(&grant))?;
            let deed = Deed::of(Action::AuthorizationEnded, keys.scope()).seat(seat);
            Ok(Attempt::of(&self.audit.commit(commit, at.tenant, by, &deed).await?, ()))
        })
        .await
    }

    /// Removes a seat: its address is free again, its authorizations end, what it did and was not
    /// logged fails and says why, and what was saved for it goes. A seat that is not there is
    /// removed.
    #[must_use]
    #[boxed]
    pub async fn remove_seat(
        &self,
        tenant: TenantId,
        seat: SeatId,
        by: &Actor,
    ) -> Result<(), OffboardingError> {
        attempts(|| self.try_remove_seat(tenant, seat, by)).await
    }

    async fn try_remove_seat(
        &self,
        tenant: TenantId,
        id: SeatId,
        by: &Actor,
    ) -> Result<Attempt<()>, OffboardingError> {
        let Some(seat) = self.store.load(&seats::keys::seat(tenant, id)).await? else {
            return Ok(Attempt::Done(()));
        };
        let mut commit = Commit::new();
        commit.delete_when(&seat.slot(), When::unchanged(&seat));
        seats::free_addresses(&self.store, tenant, id, &seat.addresses(), &mut commit).await?;
        for environment in Environment::ALL {
            let at = TenantEnvironment { tenant, environment };
            commit.delete(&settings::keys::seat_switch(at, id));
            commit.delete(&settings::keys::seat_choices(at, id));
            let Some(connection) = self.custody.connection(at).await? else { continue };
            if connection.state != ConnectionState::Disconnected {
                self.leave(&connection, id, &mut commit).await?;
            }
        }
        let deed = Deed::new(Action::SeatRemoved).seat(id);
        Ok(Attempt::of(&self.audit.commit(commit, tenant, by, &deed).await?, ()))
    }

    /// Adds to the commit what a seat leaves behind in a connection.
    async fn leave(
        &self,
        connection: &Connection,
        seat: SeatId,
        commit: &mut Commit,
    ) -> Result<(), OffboardingError> {
        let keys = &GenerationKeys::of(connection);
        let scope = keys.scope();
        let grant: Option<Stored<GrantState>> = self.store.load(&keys.seat_grant(seat)).await?;
        end_seat_grant(commit, keys, seat, grant.as_ref())?;
        // What no key opens any more, the purge deletes.
        if let Some(opened) = self.custody.open_past_the_fence(connection).await?
            && let Some(chosen) = opened.store.load(&keys.seat_mapping(seat)).await?
        {
            commit.delete_when(&chosen.slot(), When::unchanged(&chosen));
            commit.delete(&opened.store.slot(&keys.user_mapping(chosen.user)));
            // Who shares the user's address may be meant now.
            commit.now(AutoSaveMessage::Owner { scope, user: chosen.user });
        }
        commit.now(AutoSaveMessage::Seat { scope, seat });
        commit.now(WritebackMessage::Release { scope, seat: Some(seat) });
        Ok(())
    }

    /// Removes a tenant whose connections are gone, purged and certified. The certificates stay. A
    /// tenant that is not there is removed.
    #[must_use]
    #[boxed]
    pub async fn remove_tenant(&self, tenant: TenantId) -> Result<(), OffboardingError> {
        attempts(|| self.try_remove_tenant(tenant)).await
    }

    async fn try_remove_tenant(&self, tenant: TenantId) -> Result<Attempt<()>, OffboardingError> {
        let Some(found) = self.store.load(&seats::keys::tenant(tenant)).await? else {
            return Ok(Attempt::Done(()));
        };
        let mut commit = Commit::new();
        for environment in Environment::ALL {
            let slot = connection_slot(TenantEnvironment { tenant, environment });
            let connection: Option<Stored<Connection>> = self.store.load(&slot).await?;
            let is_left = |c: &Stored<Connection>| c.state == ConnectionState::Disconnected;
            if !connection.as_ref().is_none_or(is_left) {
                return Err(OffboardingError::Connected(environment));
            }
            commit.check(&slot, connection.as_ref().map_or_else(When::absent, When::unchanged));
        }
        let purges = self.store.all(&keys::purges(tenant)).await?;
        let at_work = |purge: &&Stored<Purge>| purge.phase != PurgePhase::Complete;
        if let Some(Scope { environment, generation, .. }) =
            purges.iter().find(at_work).map(|purge| purge.scope)
        {
            let name = format!("{environment}-{generation}");
            return Err(OffboardingError::Purging(name));
        }
        commit.delete_when(&found.slot(), When::unchanged(&found));
        commit.delete(&seats::keys::tenant_entry(tenant));
        commit.now(PurgeMessage::RemoveTenant { tenant });
        let deed = Deed::new(Action::TenantRemoved);
        Ok(Attempt::of(&self.audit.commit(commit, tenant, &Actor::Service, &deed).await?, ()))
    }
}

impl PurgeSteps {
    /// Deletes what is left of a tenant that was removed.
    pub(super) async fn sweep_tenant(&self, tenant: TenantId) -> Result<Done, WorkError> {
        for series in keys::rest_of(tenant) {
            self.delete_all(series).await?;
        }
        tracing::info!(tenant.id = %tenant, "a tenant is removed");
        Ok(Done::Finished)
    }
}
