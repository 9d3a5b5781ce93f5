//! The rows of one object, ordered by id.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::{Row, Slots, journal};
use crate::ids::RecordId;
use crate::schema::ObjectSchema;

/// A committed change that queries do not show yet.
pub(crate) struct Late {
    /// When queries begin to show it, in milliseconds.
    pub(crate) until: i64,
    /// The row that queries show until then; `None` when it is new.
    pub(crate) before: Option<Row>,
}

/// The rows of one object.
pub(crate) struct Table {
    pub(crate) schema: Arc<ObjectSchema>,
    rows: BTreeMap<RecordId, Row>,
    /// Changes that queries do not show yet.
    pub(crate) late: HashMap<RecordId, Late>,
    /// Deletions with their time, for the `deleted` resource.
    pub(crate) deletions: Vec<(RecordId, i64)>,
    next_number: u64,
    live: usize,
    deleted_at: usize,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(schema: Arc<ObjectSchema>) -> Self {
        let deleted_at = schema.at("IsDeleted");
        Self {
            schema,
            rows: BTreeMap::new(),
            late: HashMap::new(),
            deletions: Vec::new(),
            next_number: 1,
            live: 0,
            deleted_at,
        }
    }

    /// Takes a schema that has more fields at its end.
    pub(crate) fn extend_schema(&mut self, schema: Arc<ObjectSchema>) {
        self.deleted_at = schema.at("IsDeleted");
        self.schema = schema;
    }

    /// A new id. Ids loaded from files are of other instances, but a clash is stepped over.
    pub(crate) fn next_id(&mut self) -> RecordId {
        loop {
            let prefix = self.schema.prefix.as_deref().unwrap_or("000");
            let id = RecordId::numbered(prefix, self.next_number);
            self.next_number += 1;
            if !self.rows.contains_key(&id) {
                return id;
            }
        }
    }

    /// The row as it is stored now.
    pub(crate) fn get(&self, id: RecordId) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// Stores a row; gives the one it replaces.
    pub(crate) fn put(&mut self, id: RecordId, row: Row) -> Option<Row> {
        let alive = !self.is_deleted(&row);
        let before = self.rows.insert(id, row);
        journal::record(id, before.as_ref());
        let was_alive = before.as_ref().is_some_and(|row| !self.is_deleted(row));
        self.live = self.live + usize::from(alive) - usize::from(was_alive);
        before
    }

    /// Removes a row for good.
    pub(crate) fn remove(&mut self, id: RecordId) -> Option<Row> {
        let before = self.rows.remove(&id)?;
        journal::record(id, Some(&before));
        self.live -= usize::from(!self.is_deleted(&before));
        self.late.remove(&id);
        Some(before)
    }

    /// True if a row is in the recycle bin.
    pub(crate) fn is_deleted(&self, row: &[u8]) -> bool {
        let mut slots = Slots::default();
        slots.read(row);
        slots.bytes(row, self.deleted_at).is_some()
    }

    /// Rows outside the recycle bin.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// All rows, the recycle bin's too.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Rows by id from `after` (exclusive) on.
    pub(crate) fn iter_after(
        &self,
        after: Option<RecordId>,
    ) -> impl Iterator<Item = (RecordId, &Row)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range((from, Bound::Unbounded)).map(|(id, row)| (*id, row))
    }

    /// All rows by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RecordId, &Row)> {
        self.iter_after(None)
    }

    /// The form of a row that a query at `now` sees: the older one while a change is late.
    pub(crate) fn seen<'t>(&'t self, id: RecordId, row: &'t Row, now: i64) -> Option<&'t Row> {
        if self.late.is_empty() {
            return Some(row);
        }
        match self.late.get(&id) {
            Some(late) if late.until > now => late.before.as_ref(),
            _ => Some(row),
        }
    }

    /// Bytes that the rows hold, without the map's own.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.rows.values().map(|row| row.len()).sum()
    }
}
