//! The keys of purges.

use super::{KeptGrant, Purge};
use crate::kernel::Scope;
use crate::ports::Key;
use crate::store::keys::padded;
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
