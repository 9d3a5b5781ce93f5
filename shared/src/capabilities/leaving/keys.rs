//! The keys of purges.

use super::Purge;
use crate::kernel::Scope;
use crate::ports::Key;
use crate::store::Slot;
use crate::store::keys::padded;

/// A generation's purge; it outlives the generation.
#[must_use]
pub fn purge(scope: Scope) -> Slot<Purge> {
    let Scope { tenant, environment, generation } = scope;
    Slot::at(Key::new(
        format!("TEN#{tenant}"),
        format!("PURGE#{environment}#{}", padded(generation)),
    ))
}
