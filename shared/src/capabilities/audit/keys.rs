//! The keys of audit logs.

use super::{AuditEntry, AuditHead};
use crate::kernel::TenantId;
use crate::ports::Key;
use crate::store::{Series, Slot};

/// The head of a tenant's chain.
#[must_use]
pub fn head(tenant: TenantId) -> Slot<AuditHead> {
    Slot::at(Key::new(partition(tenant), "HEAD".to_owned()))
}

/// An entry of a tenant's chain. They sort by number.
#[must_use]
pub fn entry(tenant: TenantId, number: u64) -> Slot<AuditEntry> {
    Slot::at(Key::new(partition(tenant), format!("ENTRY#{}", name(number))))
}

/// The entries of a tenant's chain.
#[must_use]
pub fn entries(tenant: TenantId) -> Series<AuditEntry> {
    Series::under(partition(tenant), "ENTRY#".to_owned())
}

/// An entry's number as its key has it.
pub(super) fn name(number: u64) -> String {
    format!("{number:012}")
}

fn partition(tenant: TenantId) -> String {
    format!("AUDIT#{tenant}")
}
