//! Those who want to know what happens: at least once, in any order.

use async_trait::async_trait;

use super::PortError;
use crate::kernel::Event;

/// Tells what happened.
#[async_trait]
pub trait Events: Send + Sync {
    /// Tells it to whoever listens.
    async fn publish(&self, event: &Event) -> Result<(), PortError>;
}
