//! The key design, whole. Stored keys outlive the code: a change here is a data migration. The
//! snapshots of `stored_forms_tests` pin every form.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | tenant | `TEN#t` | `TENANT` |
//! | seat | `TEN#t` | `SEAT#seat` |
//! | purge and its certificate | `TEN#t` | `PURGE#env#generation` |
//! | a vote for another CRM | `TEN#t` | `VOTE#crm` |
//! | a call under its key, with its answer | `TEN#t`, or `ANSWERS` without a tenant | `ANSWER#name` |
//! | connection, settings, wizard, generations given out, imports, what is imported, rules of matching | `ENV#t#env` | `CONNECTION`, `SETTINGS`, `WIZARD`, `GENERATIONS`, `IMPORT`, `SELECTION`, `MATCHRULES` |
//! | live connections | `LIVE` | `t#env` |
//! | calls within a window | `LIMITS#t` | `USED#trigger#payer#window` |
//! | pending authorization | `STATE#hash` | `STATE` |
//! | due item | `DUE#nn` | `time#scope#random` |
//! | directory | `DIRECTORY` | `CURRENT`, `VERSION#v`, `BUILT#v#kind#shard` |
//! | everything of a generation | `GEN#t#env#g#kind#bucket` | by kind, see [`Kind`] |
//!
//! Every kind is dealt to the buckets that the connection item fixes, so that no tenant makes a hot
//! partition, and a purge is a set of queries over [`Kind::ALL`], never a scan.

mod form;
mod generation;

use jiff::Timestamp;
use serde_json::Value;

pub(super) use self::form::{Form, form};
pub use self::generation::{GenerationKeys, Kind, Relation};

use super::due::Due;
use super::{Series, Slot};
use crate::kernel::{Connection, Environment, Generation, Scope, TenantEnvironment, TenantId};
use crate::ports::Key;

/// How many partitions hold the due items of all tenants. A tenant's are all in one of them.
pub const DUE_PARTITIONS: u32 = 16;

/// Generations sort as numbers.
pub(crate) fn padded(generation: Generation) -> String {
    format!("{:08}", generation.0)
}

/// A connection.
#[must_use]
pub fn connection(at: TenantEnvironment) -> Slot<Connection> {
    Slot::at(Key::new(environment_partition(at), "CONNECTION".to_owned()))
}

pub(crate) fn environment_partition(at: TenantEnvironment) -> String {
    let TenantEnvironment { tenant, environment } = at;
    format!("ENV#{tenant}#{environment}")
}

/// The entry of a connection in the list of live ones, which a new directory version walks.
#[must_use]
pub fn live(tenant: TenantId, environment: Environment) -> Slot<TenantEnvironment> {
    Slot::at(Key::new(LIVE.to_owned(), format!("{tenant}#{environment}")))
}

/// The list of live connections.
#[must_use]
pub(crate) fn live_connections() -> Series<TenantEnvironment> {
    Series::whole(LIVE.to_owned())
}

/// The partition of the list of live connections.
pub const LIVE: &str = "LIVE";

/// The partition of the due items whose owner (a tenant, or `directory`) is `owner`.
#[must_use]
pub fn due_partition(owner: &str) -> String {
    due_partition_at(spread(owner, DUE_PARTITIONS))
}

/// The due partition of a number below [`DUE_PARTITIONS`].
#[must_use]
pub fn due_partition_at(partition: u32) -> String {
    format!("DUE#{partition:02}")
}

/// A due item: they sort by time.
#[must_use]
pub(crate) fn due(owner: &str, at: Timestamp, path: &str, identity: &str) -> Slot<Due> {
    Slot::at(Key::new(due_partition(owner), format!("{}#{path}#{identity}", time(at))))
}

/// A due item by the sort key that a message carries.
#[must_use]
pub(crate) fn due_by_sort_key(owner: &str, sk: String) -> Slot<Due> {
    Slot::at(Key::new(due_partition(owner), sk))
}

/// The time in a due item's sort key; none when it is no such key.
pub(crate) fn due_time(sk: &str) -> Option<Timestamp> {
    sk.split('#').next()?.parse().ok()
}

/// The slot of a due item that was read as it lies there.
pub(crate) fn due_at(item: Slot<Value>) -> Slot<Due> {
    Slot::at(item.into())
}

/// The due items of a partition that are due at `at`, as they lie there.
pub(crate) fn due_by(partition: u32, at: Timestamp) -> Series<Value> {
    Series::up_to(due_partition_at(partition), due_until(at))
}

/// The due items of `owner`, and of those who share its partition: as they lie there.
pub(crate) fn due_beside(owner: &str) -> Series<Value> {
    Series::whole(due_partition(owner))
}

/// True if `sk` is the sort key of a due item of this generation.
pub(crate) fn is_due_of(scope: Scope, sk: &str) -> bool {
    sk.contains(&format!("#{scope}#"))
}

/// The sort key up to which due items are due at `at`.
#[must_use]
pub fn due_until(at: Timestamp) -> String {
    format!("{}$", time(at)) // '$' follows '#': every key of that second is included
}

/// Whole seconds, of one width, so that text order is time order.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The partition of the directory's versions.
pub const DIRECTORY: &str = "DIRECTORY";

/// Deals an id to one of `n` places, evenly and for good.
fn spread(id: &str, n: u32) -> u32 {
    let hash = blake3::hash(id.as_bytes());
    let head = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    u32::from_le_bytes(head) % n
}
