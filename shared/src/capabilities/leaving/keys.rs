//! The keys of purges.

use serde_json::Value;

use super::{KeptGrant, Purge};
use crate::kernel::{Environment, Scope, TenantEnvironment, TenantId};
use crate::ports::Key;
use crate::store::keys::{environment_partition, padded};
use crate::store::{Series, Slot};

/// A generation's purge; it outlives the generation.
#[must_use]
pub fn purge(scope: Scope) -> Slot<Purge> {
    let Scope { tenant, environment, generation } = scope;
    Slot::at(Key::new(
        format!("TEN#{tenant}"),
        format!("PURGE#{environment}#{}", padded(generation)),
    ))
}

/// A tenant's purges.
#[must_use]
pub(crate) fn purges(tenant: TenantId) -> Series<Purge> {
    Series::under(format!("TEN#{tenant}"), "PURGE#".to_owned())
}

/// What is left of a tenant once its connections are purged, but for its purges: they are the
/// proof. Logins that are being given back go by themselves.
#[must_use]
pub(crate) fn rest_of(tenant: TenantId) -> Vec<Series<Value>> {
    let of_tenant = |prefix: &str| Series::under(format!("TEN#{tenant}"), prefix.to_owned());
    let of_environment = |environment| {
        Series::whole(environment_partition(TenantEnvironment { tenant, environment }))
    };
    let environments = Environment::ALL.into_iter().map(of_environment);
    ["SEAT#", "EMAIL#", "VOTE#", "CONSOLE#", "ANSWER#"]
        .map(of_tenant)
        .into_iter()
        .chain(environments)
        .collect()
}

/// A grant that a purge keeps until it is revoked or given up.
#[must_use]
pub(crate) fn kept_grant(scope: Scope, name: &str) -> Slot<KeptGrant> {
    Slot::at(Key::new(kept_partition(scope), format!("{KEPT}{name}")))
}

/// All grants that a purge keeps.
#[must_use]
pub(crate) fn kept_grants(scope: Scope) -> Series<KeptGrant> {
    Series::under(kept_partition(scope), KEPT.to_owned())
}

const KEPT: &str = "KEPT#";

fn kept_partition(scope: Scope) -> String {
    let Scope { tenant, environment, generation } = scope;
    format!("PURGE#{tenant}#{environment}#{generation}")
}
