//! The keys of sessions, and of the links that open them.

use super::{LinkText, LoginLink, Logins, PersonName};
use crate::kernel::TenantId;
use crate::ports::Key;
use crate::store::Slot;

/// The partition of those who run the product.
pub const OPERATORS: &str = "OPERATORS";

/// A person's sessions. The key shows no subject.
#[must_use]
pub fn logins(tenant: Option<TenantId>, person: &PersonName) -> Slot<Logins> {
    Slot::at(Key::new(home(tenant), format!("CONSOLE#{person}")))
}

/// A link that was not followed yet. The key does not tell the link.
#[must_use]
pub fn link(text: &LinkText) -> Slot<LoginLink> {
    Slot::at(Key::new(home(text.tenant), format!("CONSOLE#LINK#{}", text.name())))
}

fn home(tenant: Option<TenantId>) -> String {
    tenant.map_or_else(|| OPERATORS.to_owned(), |tenant| format!("TEN#{tenant}"))
}
