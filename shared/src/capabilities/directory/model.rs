//! Versions of the directory.

use jiff::Timestamp;
use matching::EntityKind;
use serde::{Deserialize, Serialize};

use crate::kernel::{DirectoryVersionId, entity_kind_name};

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryState {
    /// Its parts are being uploaded.
    Draft,
    /// Its terms are being counted.
    Counting,
    /// Its shards are being built.
    Building,
    /// It can be matched to.
    Published,
    /// It cannot be built; the reason is beside it.
    Failed,
    /// It was replaced, no run is made with it any more, and its files are deleted.
    Retired,
}

/// A file of upserts, tombstones and merges: gzip or plain JSON lines, at most 128 MB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryPart {
    /// People or companies.
    pub entity_kind: EntityKind,
    /// The object's key.
    pub key: String,
}

/// A version: all parts since the last full one, in order, and the shards built of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryVersion {
    /// Its id.
    pub id: DirectoryVersionId,
    /// The version that it is a delta to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<DirectoryVersionId>,
    /// Where it stands.
    pub state: DirectoryState,
    /// Every part, the base's first: a later line about an entity replaces an earlier one.
    pub parts: Vec<DirectoryPart>,
    /// Shards of people.
    pub people_shards: u32,
    /// Shards of companies.
    pub company_shards: u32,
    /// People in it, once counted.
    #[serde(default)]
    pub people: u64,
    /// Companies in it, once counted.
    #[serde(default)]
    pub companies: u64,
    /// Lines passed over, by reason.
    #[serde(default)]
    pub skipped: std::collections::BTreeMap<String, u64>,
    /// Shards that are not built yet, while it is being built.
    #[serde(default)]
    pub shards_left: u32,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
}

impl DirectoryVersion {
    /// How many shards of a kind it has.
    #[must_use]
    pub fn shards(&self, kind: EntityKind) -> u32 {
        match kind {
            EntityKind::Person => self.people_shards,
            EntityKind::Company => self.company_shards,
        }
    }

    /// The folder of its files in the bucket.
    #[must_use]
    pub fn prefix(&self) -> String {
        directory_prefix(self.id)
    }

    /// Where a shard lies.
    #[must_use]
    pub fn shard_key(&self, kind: EntityKind, shard: u32) -> String {
        format!("{}shards/{}-{shard:05}", self.prefix(), entity_kind_name(kind))
    }

    /// Where the sorted ids of a shard's entities lie, each as 64 bits of its hash.
    #[must_use]
    pub fn ids_key(&self, kind: EntityKind, shard: u32) -> String {
        format!("{}ids/{}-{shard:05}", self.prefix(), entity_kind_name(kind))
    }

    /// Where the version's merges lie: old id to new id.
    #[must_use]
    pub fn merges_key(&self) -> String {
        format!("{}merges", self.prefix())
    }

    /// Where the statistics of the whole version lie.
    #[must_use]
    pub fn statistics_key(&self) -> String {
        format!("{}statistics", self.prefix())
    }
}

/// Which directory version is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentDirectory {
    /// The version.
    pub version: DirectoryVersionId,
}

/// Where an uploaded part of a version lies.
#[must_use]
pub fn directory_part_key(version: DirectoryVersionId, number: usize) -> String {
    format!("{}parts/{number:05}", directory_prefix(version))
}

/// The folder of a version's files in the bucket.
#[must_use]
pub fn directory_prefix(version: DirectoryVersionId) -> String {
    format!("directory/{version}/")
}
