//! All tenants with their connections, for who runs the product.

use crate::capabilities::seats::{Tenant, TenantError, Tenants, keys};
use crate::kernel::{Connection, ConnectionState, Environment, TenantEnvironment, TenantId};
use crate::store::keys::connection;
use crate::work::boxed;

/// So many tenants are read at once, and are on a page at the most.
const PAGE: usize = 50;

/// So many tenants are looked through for a page at the most: a state that few connections are in
/// costs no more than this.
const LOOKED_THROUGH: usize = 1_000;

/// A tenant, and its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantWithConnections {
    /// The contract.
    pub tenant: Tenant,
    /// One for each environment at the most; one that is disconnected stays until its purge is
    /// done.
    pub connections: Vec<Connection>,
}

/// A page of tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPage {
    /// The one that was made first at the begin. A page may be short, or empty, before the last:
    /// few of many may be what was asked for.
    pub tenants: Vec<TenantWithConnections>,
    /// The tenant to go on after; none on the last page.
    pub next: Option<TenantId>,
}

impl Tenants {
    /// The tenants after `after`; with `state` those alone that have a connection in it.
    #[must_use]
    #[boxed]
    pub async fn list(
        &self,
        after: Option<TenantId>,
        state: Option<ConnectionState>,
    ) -> Result<TenantPage, TenantError> {
        let series = keys::tenant_entries();
        let mut page = TenantPage { tenants: Vec::new(), next: None };
        let mut place = after.map(|after| after.to_string());
        let mut seen = 0;
        loop {
            let entries = self.store.page(&series, place.as_deref(), PAGE).await?;
            let names = entries.documents.iter().map(|entry| series.name(entry).parse());
            let tenants: Vec<TenantId> = names.filter_map(Result::ok).collect();
            seen += tenants.len();
            let is_asked_for = |found: &TenantWithConnections| {
                state.is_none_or(|state| found.connections.iter().any(|c| c.state == state))
            };
            page.tenants.extend(self.found(&tenants).await?.into_iter().filter(is_asked_for));
            place = entries.next;
            let Some(last) = tenants.last().filter(|_| place.is_some()) else { return Ok(page) };
            if page.tenants.len() >= PAGE || seen >= LOOKED_THROUGH {
                page.next = Some(*last);
                return Ok(page);
            }
        }
    }

    /// Those of these tenants that are there, in their order.
    async fn found(&self, of: &[TenantId]) -> Result<Vec<TenantWithConnections>, TenantError> {
        let places = of.iter().flat_map(|&tenant| {
            Environment::ALL.map(|environment| TenantEnvironment { tenant, environment })
        });
        let mut connections = self.store.load_many(places.map(connection)).await?;
        connections.sort_unstable_by_key(|connection| connection.at.environment);
        let mut tenants = self.store.load_many(of.iter().copied().map(keys::tenant)).await?;
        tenants.sort_unstable_by_key(|tenant| tenant.id);
        let with_connections = |tenant: Tenant| TenantWithConnections {
            connections: connections
                .iter()
                .filter(|connection| connection.at.tenant == tenant.id)
                .map(|connection| Connection::clone(connection))
                .collect(),
            tenant,
        };
        Ok(tenants.into_iter().map(|tenant| with_connections(tenant.into_inner())).collect())
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::store::Store;
    use crate::testing::{Memory, product};

    async fn listed(
        tenants: &Tenants,
        state: Option<ConnectionState>,
    ) -> Vec<(String, Vec<ConnectionState>)> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = tenants.list(after, state).await.unwrap();
            let lines = page.tenants.into_iter().map(|found| {
                let states = found.connections.iter().map(|connection| connection.state);
                (found.tenant.name, states.collect())
            });
            all.extend(lines);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    #[tokio::test]
    async fn every_tenant_is_listed_once_and_those_of_a_state_are_found() {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let tenants = product(memory.ports(), "test/").tenants();
        let store = Store::new(memory.ports());
        let mut ids = Vec::new();
        for n in 0..120 {
            memory.clock.advance(SignedDuration::from_millis(1));
            let made = tenants.create(format!("Tenant {n:03}"), true, None).await.unwrap();
            ids.push(made.id);
        }
        for (n, environment, state) in [
            (7, Environment::Production, ConnectionState::Connected),
            (7, Environment::Sandbox, ConnectionState::ReconnectRequired),
            (110, Environment::Production, ConnectionState::ReconnectRequired),
        ] {
            let at = TenantEnvironment { tenant: ids[n], environment };
            let there = Connection { at, state, ..Connection::sample() };
            store.put(&connection(at), &there).await.unwrap();
        }
        let all = listed(&tenants, None).await;
        let names: Vec<_> = all.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(names, (0..120).map(|n| format!("Tenant {n:03}")).collect::<Vec<_>>());
        let (connected, reconnect) =
            (ConnectionState::Connected, ConnectionState::ReconnectRequired);
        assert_eq!(all[7].1, [connected, reconnect]);
        let found = listed(&tenants, Some(reconnect)).await;
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Tenant 007", "Tenant 110"]);
        assert_eq!(listed(&tenants, Some(ConnectionState::Lapsed)).await, []);
    }
}
