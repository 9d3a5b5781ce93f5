//! Envelope encryption: keys that seal data, wrapped by a key that never leaves its service.

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::PortError;

/// A data key as the key service wrapped it; useless without that service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

/// The key service. `context` is bound to the wrapped key: unwrapping under another context fails.
#[async_trait]
pub trait DataKeys: Send + Sync {
    /// Makes a new 256-bit data key: in the clear, and wrapped.
    async fn generate(&self, context: &str)
    -> Result<(Zeroizing<[u8; 32]>, WrappedKey), PortError>;

    /// The data key in the clear.
    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &str,
    ) -> Result<Zeroizing<[u8; 32]>, PortError>;
}
