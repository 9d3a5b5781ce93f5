//! The state of authorizations: that they hold, since when and until when, or that there are none.

use jiff::Timestamp;

use crate::capabilities::custody::{Custody, LookupError};
use crate::kernel::{GrantState, Grantee, SeatId, TenantEnvironment};
use crate::ports::Ports;
use crate::store::Store;
use crate::work::boxed;

/// A seller's authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatAuthorization {
    /// True if it can be used now.
    pub is_usable: bool,
    /// When the seller authorized; none before the first time.
    pub authorized_at: Option<Timestamp>,
    /// When the seller must authorize again.
    pub ends_at: Option<Timestamp>,
}

/// Shows sellers' authorizations.
#[derive(Clone)]
pub struct SeatAuthorizations {
    ports: Ports,
    store: Store,
    custody: Custody,
}

impl SeatAuthorizations {
    /// Authorizations over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, custody }
    }

    /// The connection's own grant, by which imports read; none where there is no connection.
    #[must_use]
    #[boxed]
    pub async fn of_connection(
        &self,
        at: TenantEnvironment,
    ) -> Result<Option<GrantState>, LookupError> {
        let slot = self.custody.keys(at).await?.admin_grant();
        Ok(self.store.read(&slot).await?)
    }

    /// A seat's authorization in an environment.
    #[must_use]
    #[boxed]
    pub async fn get(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
    ) -> Result<SeatAuthorization, LookupError> {
        let slot = self.custody.keys(at).await?.seat_grant(seat);
        let grant = self.store.read(&slot).await?;
        let (grantee, now) = (Grantee::Seat(seat), self.ports.clock.now());
        Ok(SeatAuthorization {
            is_usable: grant.as_ref().is_some_and(|grant| grant.is_usable(grantee, now)),
            authorized_at: grant.as_ref().map(|grant| grant.authorized_at),
            ends_at: grant.as_ref().and_then(|grant| grant.ends_at(grantee)),
        })
    }
}
