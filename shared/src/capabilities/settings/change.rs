//! Showing and replacing an environment's settings.

use crate::capabilities::settings::{Settings, keys};
use crate::kernel::TenantEnvironment;
use crate::ports::Ports;
use crate::store::{Commit, Store};
use crate::work::WorkError;

/// Shows and replaces settings.
#[derive(Clone)]
pub struct ChangeSettings {
    store: Store,
}

impl ChangeSettings {
    /// Settings over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { store: Store::new(ports) }
    }

    /// An environment's settings; the defaults before anybody set them.
    pub async fn get(&self, at: TenantEnvironment) -> Result<Settings, WorkError> {
        Ok(self.store.read(&keys::settings(at)).await?.unwrap_or_default())
    }

    /// Replaces them, all at once.
    pub async fn replace(
        &self,
        at: TenantEnvironment,
        settings: &Settings,
    ) -> Result<(), WorkError> {
        let mut commit = Commit::new();
        commit.put(&keys::settings(at), settings)?;
        self.store.commit(commit).await?.may_lose_to("nobody: the settings are put whole");
        Ok(())
    }
}
