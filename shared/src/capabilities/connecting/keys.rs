//! The keys of connecting.

use super::{Inspection, LastGeneration, UpkeepChain, Wizard};
use crate::kernel::{Asked, Generation, PendingAuthorization, TenantEnvironment};
use crate::ports::Key;
use crate::store::Slot;
use crate::store::keys::{GenerationKeys, Kind, environment_partition};

/// The last generation that was given out.
#[must_use]
pub(crate) fn generations(at: TenantEnvironment) -> Slot<LastGeneration> {
    Slot::at(Key::new(environment_partition(at), "GENERATIONS".to_owned()))
}

/// The wizard of an environment.
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
    /// The chain of the connection's upkeep.
    #[must_use]
    pub(crate) fn upkeep(&self) -> Slot<UpkeepChain> {
        Slot::at(self.single(Kind::Grant, "UPKEEP".to_owned()))
    }

    /// The inspection that was asked for last.
    #[must_use]
    pub(crate) fn asked_inspection(&self) -> Slot<Asked<Generation>> {
        Slot::at(self.single(Kind::Grant, "ASKED".to_owned()))
    }

    /// The last inspection of the org.
    #[must_use]
    pub fn inspection(&self) -> Slot<Inspection> {
        Slot::at(self.single(Kind::Grant, "INSPECTION".to_owned()))
    }
}
