//! The key design, whole. Stored keys outlive the code: a change here is a data migration. The
//! snapshots of `stored_forms_tests` pin every form.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | tenant | `TEN#t` | `TENANT` |
//! | seat | `TEN#t` | `SEAT#seat` |
//! | purge and its certificate | `TEN#t` | `PURGE#env#generation` |
//! | a vote for another CRM | `TEN#t` | `VOTE#crm` |
//! | connection, settings, wizard, generations given out, imports, what is imported | `ENV#t#env` | `CONNECTION`, `SETTINGS`, `WIZARD`, `GENERATIONS`, `IMPORT`, `SELECTION` |
//! | live connections | `LIVE` | `t#env` |
//! | pending authorization | `STATE#hash` | `STATE` |
//! | due item | `DUE#nn` | `time#scope#random` |
//! | directory | `DIRECTORY` | `CURRENT`, `VERSION#v`, `BUILT#v#kind#shard` |
//! | everything of a generation | `GEN#t#env#g#kind#bucket` | by kind, see [`Kind`] |
//!
//! Every kind is dealt to the buckets that the connection item fixes, so that no tenant makes a hot
//! partition, and a purge is a set of queries over [`Kind::ALL`], never a scan.

mod generation;

use jiff::Timestamp;
use matching::EntityKind;

pub use self::generation::{GenerationKeys, Kind, Relation};

use crate::kernel::{
    DirectoryVersionId, Environment, Generation, Scope, SeatId, TenantEnvironment, TenantId,
    entity_kind_name,
};
use crate::ports::Key;

/// How many partitions hold the due items of all tenants. A tenant's are all in one of them.
pub const DUE_PARTITIONS: u32 = 16;

/// A tenant.
#[must_use]
pub fn tenant(tenant: TenantId) -> Key {
    Key::new(format!("TEN#{tenant}"), "TENANT".to_owned())
}

/// A seat.
#[must_use]
pub fn seat(tenant: TenantId, seat: SeatId) -> Key {
    Key::new(format!("TEN#{tenant}"), format!("SEAT#{seat}"))
}

/// A tenant's seats: partition and prefix.
#[must_use]
pub fn seats(tenant: TenantId) -> (String, String) {
    (format!("TEN#{tenant}"), "SEAT#".to_owned())
}

/// A generation's purge; it outlives the generation.
#[must_use]
pub fn purge(scope: Scope) -> Key {
    let Scope { tenant, environment, generation } = scope;
    Key::new(format!("TEN#{tenant}"), format!("PURGE#{environment}#{}", padded(generation)))
}

/// Generations sort as numbers.
fn padded(generation: Generation) -> String {
    format!("{:08}", generation.0)
}

/// A tenant's vote for another CRM.
#[must_use]
pub fn crm_vote(tenant: TenantId, crm: &str) -> Key {
    Key::new(format!("TEN#{tenant}"), format!("VOTE#{crm}"))
}

/// A tenant's votes: partition and prefix.
#[must_use]
pub fn crm_votes(tenant: TenantId) -> (String, String) {
    (format!("TEN#{tenant}"), "VOTE#".to_owned())
}

/// A connection.
#[must_use]
pub fn connection(at: TenantEnvironment) -> Key {
    Key::new(environment_partition(at), "CONNECTION".to_owned())
}

/// Which generations were given out.
#[must_use]
pub fn generations(at: TenantEnvironment) -> Key {
    Key::new(environment_partition(at), "GENERATIONS".to_owned())
}

/// How an environment's imports are set up.
#[must_use]
pub fn import_settings(at: TenantEnvironment) -> Key {
    Key::new(environment_partition(at), "IMPORT".to_owned())
}

/// What of an environment's org is imported.
#[must_use]
pub fn selection(at: TenantEnvironment) -> Key {
    Key::new(environment_partition(at), "SELECTION".to_owned())
}

/// How far the wizard of an environment is.
#[must_use]
pub fn wizard(at: TenantEnvironment) -> Key {
    Key::new(environment_partition(at), "WIZARD".to_owned())
}

/// The settings of an environment.
#[must_use]
pub fn settings(at: TenantEnvironment) -> Key {
    Key::new(environment_partition(at), "SETTINGS".to_owned())
}

fn environment_partition(at: TenantEnvironment) -> String {
    let TenantEnvironment { tenant, environment } = at;
    format!("ENV#{tenant}#{environment}")
}

/// The entry of a connection in the list of live ones, which a new directory version walks.
#[must_use]
pub fn live(tenant: TenantId, environment: Environment) -> Key {
    Key::new(LIVE.to_owned(), format!("{tenant}#{environment}"))
}

/// The partition of the list of live connections.
pub const LIVE: &str = "LIVE";

/// A pending authorization, by the hash of its state.
#[must_use]
pub fn authorization(state_hash: &str) -> Key {
    Key::new(format!("STATE#{state_hash}"), "STATE".to_owned())
}

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
pub fn due(owner: &str, at: Timestamp, path: &str, identity: &str) -> Key {
    Key::new(due_partition(owner), format!("{}#{path}#{identity}", time(at)))
}

/// A due item by the sort key that a message carries.
#[must_use]
pub fn due_by_sort_key(owner: &str, sk: String) -> Key {
    Key::new(due_partition(owner), sk)
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

/// Which directory version is current.
#[must_use]
pub fn directory_current() -> Key {
    Key::new(DIRECTORY.to_owned(), "CURRENT".to_owned())
}

/// A directory version.
#[must_use]
pub fn directory_version(version: DirectoryVersionId) -> Key {
    Key::new(DIRECTORY.to_owned(), format!("VERSION#{version}"))
}

/// The directory's versions, the oldest first: partition and prefix.
#[must_use]
pub fn directory_versions() -> (String, String) {
    (DIRECTORY.to_owned(), "VERSION#".to_owned())
}

/// The marker that a shard of a version was built.
#[must_use]
pub fn directory_built(version: DirectoryVersionId, kind: EntityKind, shard: u32) -> Key {
    Key::new(DIRECTORY.to_owned(), format!("BUILT#{version}#{}#{shard:05}", entity_kind_name(kind)))
}

/// Deals an id to one of `n` places, evenly and for good.
fn spread(id: &str, n: u32) -> u32 {
    let hash = blake3::hash(id.as_bytes());
    let head = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    u32::from_le_bytes(head) % n
}
