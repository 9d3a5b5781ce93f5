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

    /// Where a shard's entities lie as they are, to be read by their ids.
    #[must_use]
    pub fn bodies_key(&self, kind: EntityKind, shard: u32) -> String {
        format!("{}bodies/{}-{shard:05}", self.prefix(), entity_kind_name(kind))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_versions_files_lie_in_its_folder_each_at_its_own_key() {
        let version = DirectoryVersion::sample();
        let kinds = [EntityKind::Person, EntityKind::Company];
        let of_shards = kinds.into_iter().flat_map(|kind| {
            let shards = 0..version.shards(kind);
            let version = &version;
            shards.flat_map(move |n| {
                [version.shard_key(kind, n), version.ids_key(kind, n), version.bodies_key(kind, n)]
            })
        });
        let mut keys: Vec<String> = of_shards.collect();
        keys.extend([version.merges_key(), version.statistics_key()]);
        keys.push(directory_part_key(version.id, 0));
        assert_eq!(keys.len(), 3 * (2 + 3) + 3);
        assert!(keys.iter().all(|key| key.starts_with(&version.prefix())));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 3 * (2 + 3) + 3, "no two files share a key");
    }

    #[test]
    fn each_kind_has_its_own_number_of_shards() {
        let version = DirectoryVersion::sample();
        assert_eq!(version.shards(EntityKind::Person), 2);
        assert_eq!(version.shards(EntityKind::Company), 3);
    }

    #[test]
    fn the_folder_of_one_version_holds_no_file_of_another() {
        let prefix = |millis| directory_prefix(DirectoryVersionId::new(millis, 1));
        assert!(!prefix(10).starts_with(&prefix(1)));
    }

    impl DirectoryVersion {
        /// A published version of two shards of people and three of companies.
        pub(crate) fn sample() -> Self {
            Self {
                id: DirectoryVersionId::new(1, 1),
                base: None,
                state: DirectoryState::Published,
                parts: Vec::new(),
                people_shards: 2,
                company_shards: 3,
                people: 0,
                companies: 0,
                skipped: std::collections::BTreeMap::new(),
                shards_left: 0,
                reason: None,
                created_at: Timestamp::UNIX_EPOCH,
                published_at: None,
            }
        }
    }
}
