//! Finding the connection that a question is about.

use crate::capabilities::custody::Custody;
use crate::kernel::{Connection, TenantEnvironment};
use crate::ports::PortError;
use crate::store::keys::GenerationKeys;
use crate::work::WorkError;

/// Why something cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for LookupError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

impl Custody {
    /// A tenant's connection in an environment, whatever its state.
    pub async fn find(&self, at: TenantEnvironment) -> Result<Connection, LookupError> {
        self.connection(at).await?.ok_or(LookupError::NotFound("connection"))
    }

    /// The keys of what an environment's connection holds.
    pub(crate) async fn keys(&self, at: TenantEnvironment) -> Result<GenerationKeys, LookupError> {
        Ok(GenerationKeys::of(&self.find(at).await?))
    }
}
