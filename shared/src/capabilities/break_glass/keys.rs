//! The keys of broken glass.

use super::{Glass, GlassId};
use crate::kernel::TenantEnvironment;
use crate::ports::Key;
use crate::store::Slot;

/// An operator's leave to look at the records of an environment.
#[must_use]
pub fn glass(at: TenantEnvironment, id: GlassId) -> Slot<Glass> {
    Slot::at(Key::new(format!("TEN#{}", at.tenant), format!("GLASS#{}#{id}", at.environment)))
}
