//! The keys of settings.

use super::Settings;
use crate::kernel::TenantEnvironment;
use crate::ports::Key;
use crate::store::Slot;
use crate::store::keys::environment_partition;

/// The settings of an environment.
#[must_use]
pub fn settings(at: TenantEnvironment) -> Slot<Settings> {
    Slot::at(Key::new(environment_partition(at), "SETTINGS".to_owned()))
}
