//! The needs of the use cases from the world outside, in words that name no provider.
//!
//! Eight ports: the table, the queues, the object store, the secrets, the data keys, the bus of
//! events, the clock and the source of randomness. The adapters for AWS are in [`crate::aws`]
//! (feature `aws`), the ones in memory in [`crate::testing`] (feature `testing`); one contract
//! suite holds both to the same promises.

mod clock;
mod data_keys;
mod error;
mod events;
mod objects;
mod queues;
mod secrets;
mod table;

use std::sync::Arc;

pub use crate::kernel::VersionId;
pub use clock::{Clock, Entropy};
pub use data_keys::{DataKeys, KeyContext, Purpose, WrappedKey};
pub use error::{Disposition, PortError};
pub use events::Events;
pub use objects::{ObjectStore, StoredObject};
pub use queues::{MOST_RECEIVES, QueueDepth, QueueMessage, Queues};
pub use secrets::Secrets;
pub use table::{
    Change, Condition, Item, Key, MOST_WRITES, Outcome, Page, Range, Table, Write,
    transaction_fault,
};

/// All ports, as a use case takes them.
#[derive(Clone)]
pub struct Ports {
    /// Tenants, connections, runs, records, matches: everything with a key.
    pub table: Arc<dyn Table>,
    /// The queues between the functions.
    pub queues: Arc<dyn Queues>,
    /// Pages, batches, directory parts and shards.
    pub objects: Arc<dyn ObjectStore>,
    /// The app's credentials and each connection's grant and data key.
    pub secrets: Arc<dyn Secrets>,
    /// The key service that wraps data keys.
    pub data_keys: Arc<dyn DataKeys>,
    /// The bus on which others hear what happens.
    pub events: Arc<dyn Events>,
    /// Our own time. Salesforce's time comes with its answers and is never compared with this one.
    pub clock: Arc<dyn Clock>,
    /// Random bytes for ids, nonces, states and verifiers.
    pub entropy: Arc<dyn Entropy>,
}
