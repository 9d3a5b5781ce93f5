//! The queues between the functions: at least once, in any order.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;
use crate::kernel::Queue;

/// How often a queue gives a message that fails: then it is a dead letter. `template.yaml` says the
/// same of each queue.
pub const MOST_RECEIVES: u32 = 5;

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Where it goes.
    pub queue: Queue,
    /// The JSON text.
    pub body: String,
    /// The fair-queue group, so that one tenant's backlog does not delay the others'.
    pub group: String,
    /// How long the queue holds it back; at most 15 minutes.
    pub delay: Duration,
}

/// Sends messages.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends all of `messages`, entries that the queue refused in part included.
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), PortError>;
}
