//! The directory versions that unfinished match runs use.

use std::pin::pin;

use async_trait::async_trait;
use futures::TryStreamExt;

use crate::capabilities::directory::VersionUse;
use crate::kernel::DirectoryVersionId;
use crate::ports::Ports;
use crate::store::Store;
use crate::store::keys::GenerationKeys;
use crate::work::WorkError;

/// The match runs that are not complete: each needs its directory version to the end.
pub struct UnfinishedRuns {
    store: Store,
}

impl UnfinishedRuns {
    /// The match runs in these ports' table.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { store: Store::new(ports) }
    }
}

#[async_trait]
impl VersionUse for UnfinishedRuns {
    async fn is_in_use(
        &self,
        generation: &GenerationKeys,
        version: DirectoryVersionId,
    ) -> Result<bool, WorkError> {
        let mut pages = pin!(self.store.pages(generation.unfinished_runs()));
        while let Some(runs) = pages.try_next().await? {
            if runs.iter().any(|run| run.directory == version) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
