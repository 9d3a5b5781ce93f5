//! What the functions' calls take on AWS, counted at the ports: requests, capacity units, work.
//!
//! The rules are those of DynamoDB's pages on capacity: a write takes a unit for each KiB begun of
//! the item before or after, whichever is larger, twice that within a transaction; a consistent
//! read takes one for each 4 KiB begun, of one item or of a page; what is not there takes one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};
use shared::ports::{Item, Table, Write};

/// What one function asked for, of one kind.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Used {
    /// Requests.
    pub requests: u64,
    /// What they are priced by: capacity units, 64 KiB of messages, bytes of objects, microseconds
    /// of work.
    pub units: u64,
}

/// By function, and by kind of request.
pub type Usage = BTreeMap<&'static str, BTreeMap<&'static str, Used>>;

/// What was counted so far; nothing while nobody counts.
static COUNTED: Mutex<Option<Usage>> = Mutex::new(None);

/// Begins to count, or begins anew; gives what was counted before.
pub fn begin() -> Usage {
    COUNTED.lock().unwrap_or_else(PoisonError::into_inner).replace(Usage::new()).unwrap_or_default()
}

pub(crate) fn is_on() -> bool {
    COUNTED.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

pub(crate) fn add(function: &'static str, kind: &'static str, requests: usize, units: usize) {
    let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(counted) = &mut *counted {
        let used = counted.entry(function).or_default().entry(kind).or_default();
        used.requests += requests as u64;
        used.units += units as u64;
    }
}

/// The capacity of a consistent read of items that lie side by side.
pub(crate) fn read_units(bytes: usize) -> usize {
    bytes.div_ceil(4 * 1024).max(1)
}

fn write_units(bytes: usize) -> usize {
    bytes.div_ceil(1024).max(1)
}

/// The size of an item as DynamoDB counts it: names, values, and a little for each nesting.
pub(crate) fn size(item: &Item) -> usize {
    let key = "pk".len() + item.key.pk().len() + "sk".len() + item.key.sk().len();
    let body = item.body.as_ref().map_or(0, |body| "body".len() + body.len());
    let expiry = item.expires_at.map_or(0, |_| "expires_at".len() + 6);
    key + size_of_map(&item.doc) + body + expiry
}

fn size_of_map(map: &Map<String, Value>) -> usize {
    map.iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

fn size_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        // About a byte for two digits, and one.
        Value::Number(number) => number.to_string().len().div_ceil(2) + 1,
        Value::String(text) => text.len(),
        Value::Array(values) => 3 + values.iter().map(|value| 1 + size_of(value)).sum::<usize>(),
        Value::Object(map) => 3 + map.len() + size_of_map(map),
    }
}

/// The items that writes are about, as they are now.
pub(crate) async fn sizes(table: &dyn Table, writes: &[Write]) -> Vec<usize> {
    let mut sizes = Vec::with_capacity(writes.len());
    for write in writes {
        let found = table.get(write.key()).await;
        sizes.push(found.ok().flatten().map_or(0, |item| size(&item)));
    }
    sizes
}

/// Counts writes, whose items had these sizes before and after. Whether each is a request of its
/// own or a part of a transaction, the adapter decides.
pub(crate) fn add_writes(
    function: &'static str,
    before: &[usize],
    after: &[usize],
    as_transaction: bool,
) {
    let units: usize =
        before.iter().zip(after).map(|(before, after)| write_units(*before.max(after))).sum();
    if as_transaction {
        add(function, "table transaction", 1, 2 * units);
    } else {
        add(function, "table write", before.len(), units);
    }
}
