//! The keys of stored answers.

use super::KeyedCall;
use crate::kernel::TenantId;
use crate::ports::Key;
use crate::store::Slot;
use crate::store::keys::{GenerationKeys, Kind};

/// A call under its key that is about no connection; it goes with its tenant, if it is about one.
#[must_use]
pub fn answer(tenant: Option<TenantId>, name: &str) -> Slot<KeyedCall> {
    let pk = tenant.map_or_else(|| "ANSWERS".to_owned(), |tenant| format!("TEN#{tenant}"));
    Slot::at(Key::new(pk, format!("ANSWER#{name}")))
}

impl GenerationKeys {
    /// A call under its key that is about a connection.
    #[must_use]
    pub fn answer(&self, name: &str) -> Slot<KeyedCall> {
        Slot::at(self.by(Kind::Activity, name, format!("ANSWER#{name}")))
    }
}
