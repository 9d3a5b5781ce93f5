//! The object store: pages, batches, parts, shards.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::PortError;

/// An object's name and size, as a listing gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// The object's whole key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A flat store of immutable objects; a put of the same key replaces the object.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Stores `body` under `key`.
    async fn put(&self, key: &str, body: Bytes) -> Result<(), PortError>;

    /// The object's bytes, or none when there is no such object.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError>;

    /// Part of the object's bytes; the range must lie within the object.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, PortError>;

    /// Every object whose key begins with `prefix`, in key order.
    async fn list(&self, prefix: &str) -> Result<Vec<StoredObject>, PortError>;

    /// Deletes objects; the ones that do not exist are passed over.
    async fn delete(&self, keys: &[String]) -> Result<(), PortError>;

    /// Deletes every object whose key begins with `prefix`.
    async fn delete_folder(&self, prefix: &str) -> Result<(), PortError> {
        let keys: Vec<String> = self.list(prefix).await?.into_iter().map(|o| o.key).collect();
        if keys.is_empty() { Ok(()) } else { self.delete(&keys).await }
    }

    /// An address at which anyone may put this one object until `valid` has passed.
    async fn presign_put(&self, key: &str, valid: Duration) -> Result<String, PortError>;

    /// An address at which anyone may get this one object until `valid` has passed. A browser keeps
    /// what comes as a file, under the last part of the key.
    async fn presign_get(&self, key: &str, valid: Duration) -> Result<String, PortError>;
}
