//! A table and an object store that count CRM records and pages and let them go, and keep the rest.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use shared::ports::{
    Item, Key, ObjectStore, Outcome, Page, PortError, Ports, Range as SortKeys, StoredObject,
    Table, Write,
};

/// How many records were written.
#[derive(Clone, Default)]
pub(crate) struct Records(Arc<AtomicU64>);

impl Records {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The same ports with a sink before table and objects.
    pub(crate) fn sink(&self, ports: Ports) -> Ports {
        Ports {
            table: Arc::new(Sink(ports.table, self.clone())),
            objects: Arc::new(Pages(ports.objects)),
            ..ports
        }
    }
}

fn is_record(key: &Key) -> bool {
    key.pk().contains("#REC#")
}

struct Sink(Arc<dyn Table>, Records);

#[async_trait]
impl Table for Sink {
    async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError> {
        if keys.iter().all(is_record) { Ok(Vec::new()) } else { self.0.get_many(keys).await }
    }

    async fn query(
        &self,
        pk: &str,
        range: &SortKeys,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, PortError> {
        self.0.query(pk, range, after, limit).await
    }

    async fn write(&self, write: Write) -> Result<Outcome, PortError> {
        if is_record(write.key()) {
            self.1.0.fetch_add(1, Ordering::Relaxed);
            return Ok(Outcome::Done);
        }
        self.0.write(write).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
        self.0.transact(writes).await
    }

    async fn put_many(&self, _edges: Vec<Item>) -> Result<(), PortError> {
        Ok(())
    }

    async fn delete_many(&self, _edges: &[Key]) -> Result<(), PortError> {
        Ok(())
    }
}

/// A page is read once, by the step that lands it.
struct Pages(Arc<dyn ObjectStore>);

#[async_trait]
impl ObjectStore for Pages {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), PortError> {
        if key.contains("/changed/") { Ok(()) } else { self.0.put(key, body).await }
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        let page = self.0.get(key).await?;
        if key.contains("/pages/") {
            self.0.delete(&[key.to_owned()]).await?;
        }
        Ok(page)
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, PortError> {
        self.0.get_range(key, range).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredObject>, PortError> {
        self.0.list(prefix).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), PortError> {
        self.0.delete(keys).await
    }

    async fn presign_put(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        self.0.presign_put(key, valid).await
    }

    async fn presign_get(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        self.0.presign_get(key, valid).await
    }
}
