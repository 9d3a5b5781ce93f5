//! A table that counts the calls to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::ports::{Item, Key, Outcome, Page, PortError, Range, Table, Write};

/// Calls to a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calls {
    reads: u64,
    queries: u64,
    writes: u64,
    deletes: u64,
}

impl Calls {
    /// Those that came after `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            reads: self.reads - earlier.reads,
            queries: self.queries - earlier.queries,
            writes: self.writes - earlier.writes,
            deletes: self.deletes - earlier.deletes,
        }
    }

    /// As they are printed.
    pub(crate) fn to_json(self) -> Value {
        let Self { reads, queries, writes, deletes } = self;
        let all = reads + queries + writes + deletes;
        json!({
            "all": all, "reads": reads, "queries": queries,
            "writes_and_transactions": writes, "deletions_of_many": deletes,
        })
    }
}

/// A table that counts the calls to it. A call of many items counts as one.
#[derive(Clone)]
pub(crate) struct Counted {
    table: Arc<dyn Table>,
    reads: Arc<AtomicU64>,
    queries: Arc<AtomicU64>,
    writes: Arc<AtomicU64>,
    deletes: Arc<AtomicU64>,
}

impl Counted {
    /// Counts the calls to `table`.
    pub(crate) fn new(table: Arc<dyn Table>) -> Self {
        let [reads, queries, writes, deletes] = std::array::from_fn(|_| Arc::default());
        Self { table, reads, queries, writes, deletes }
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Calls {
        Calls {
            reads: self.reads.load(Ordering::Relaxed),
            queries: self.queries.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            deletes: self.deletes.load(Ordering::Relaxed),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[async_trait]
impl Table for Counted {
    async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        count(&self.reads);
        self.table.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError> {
        count(&self.reads);
        self.table.get_many(keys).await
    }

    async fn query(
        &self,
        pk: &str,
        range: &Range,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, PortError> {
        count(&self.queries);
        self.table.query(pk, range, after, limit).await
    }

    async fn write(&self, write: Write) -> Result<Outcome, PortError> {
        count(&self.writes);
        self.table.write(write).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
        count(&self.writes);
        self.table.transact(writes).await
    }

    async fn put_many(&self, items: Vec<Item>) -> Result<(), PortError> {
        count(&self.writes);
        self.table.put_many(items).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<(), PortError> {
        count(&self.deletes);
        self.table.delete_many(keys).await
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, PortError> {
        for _ in &writes {
            count(&self.writes);
        }
        self.table.write_each(writes).await
    }
}
