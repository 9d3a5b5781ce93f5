//! The queues between the functions: at least once, in any order.

use std::collections::BTreeMap;
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

/// How many messages a queue holds, about: a distributed queue does not know to the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Those that can be received.
    pub waiting: u64,
    /// Those that were received and are not finished.
    pub in_flight: u64,
    /// Those that wait for their time.
    pub delayed: u64,
    /// Those that failed too often.
    pub dead: u64,
}

/// The queues, as whoever sends to them sees them.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends all of `messages`, entries that the queue refused in part included.
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), PortError>;

    /// How many messages each queue holds that this side knows.
    async fn depths(&self) -> Result<BTreeMap<Queue, QueueDepth>, PortError>;
}
