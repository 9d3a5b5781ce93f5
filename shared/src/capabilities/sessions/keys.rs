//! The keys of sessions.

use super::{Logins, PersonName};
use crate::kernel::TenantId;
use crate::ports::Key;
use crate::store::Slot;

/// A person's sessions. The key shows no subject.
#[must_use]
pub fn logins(tenant: TenantId, person: &PersonName) -> Slot<Logins> {
    Slot::at(Key::new(format!("TEN#{tenant}"), format!("CONSOLE#{person}")))
}
