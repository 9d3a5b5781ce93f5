//! The keys of connecting.

use super::connect::Claimed;
use super::upkeep::Progress;
use super::{Inspection, Wizard};
use crate::kernel::{PendingAuthorization, TenantEnvironment};
use crate::ports::Key;
use crate::store::Slot;
use crate::store::keys::{GenerationKeys, Kind, environment_partition};

/// Which generations were given out.
#[must_use]
pub(crate) fn generations(at: TenantEnvironment) -> Slot<Claimed> {
    Slot::at(Key::new(environment_partition(at), "GENERATIONS".to_owned()))
}

/// How far the wizard of an environment is.
#[must_use]
pub fn wizard(at: TenantEnvironment) -> Slot<Wizard> {
    Slot::at(Key::new(environment_partition(at), "WIZARD".to_owned()))
}

/// A pending authorization, by the hash of its state.
#[must_use]
pub fn authorization(state_hash: &str) -> Slot<PendingAuthorization> {
    Slot::at(Key::new(format!("STATE#{state_hash}"), "STATE".to_owned()))
}

impl GenerationKeys {
    /// How far the upkeep of the connection is.
    #[must_use]
    pub(crate) fn upkeep(&self) -> Slot<Progress> {
        Slot::at(self.single(Kind::Grant, "UPKEEP".to_owned()))
    }

    /// What the org said of its integration user and their permissions.
    #[must_use]
    pub fn inspection(&self) -> Slot<Inspection> {
        Slot::at(self.single(Kind::Grant, "INSPECTION".to_owned()))
    }
}
