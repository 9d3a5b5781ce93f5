//! The fate of an entity in a directory version: there or not, and under which id.
//!
//! A person's correction outlives the version in which the entity was chosen. The entity may be
//! merged into another since, and the match follows; or retired, and the match sleeps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use matching::{EntityKind, shard_of};

use crate::capabilities::directory::DirectoryVersion;
use crate::kernel::{DirectoryVersionId, EntityId};
use crate::ports::{PortError, Ports};
use crate::work::WorkError;

/// Bytes of an entry in a list of ids.
const ENTRY: u64 = 8;

/// How far around the place where a hash is expected its list is read at first: 64 KiB in all.
/// Hashes are even, so that among three million this misses one in a hundred thousand times.
const REACH: u64 = 4096;

const ACTION: &str = "look an entity up";

/// From old ids to new ones, as the version's merges say.
pub(crate) type Merges = BTreeMap<EntityId, EntityId>;

type Held = Arc<Mutex<Option<(DirectoryVersionId, Arc<Merges>)>>>;

/// Looks entities up in directory versions.
#[derive(Clone)]
pub(crate) struct Entities {
    ports: Ports,
    /// The merges of the version that was asked for last.
    merges: Held,
}

impl Entities {
    pub(crate) fn new(ports: Ports) -> Self {
        Self { ports, merges: Arc::default() }
    }

    /// The id that an entity goes by in a version, whether the version has it or not.
    pub(crate) async fn name(
        &self,
        version: &DirectoryVersion,
        id: &EntityId,
    ) -> Result<EntityId, WorkError> {
        let merges = self.merges(version).await?;
        let mut name = id;
        // A circle of merges ends where it began: at an id that the version does not have.
        for _ in 0..=merges.len() {
            match merges.get(name) {
                Some(into) => name = into,
                None => break,
            }
        }
        Ok(name.clone())
    }

    /// The id of the entity as the version has it; none when it does not.
    pub(crate) async fn find(
        &self,
        version: &DirectoryVersion,
        kind: EntityKind,
        id: &EntityId,
    ) -> Result<Option<EntityId>, WorkError> {
        let name = self.name(version, id).await?;
        Ok(self.has(version, kind, &name).await?.then_some(name))
    }

    /// True if the version has an entity, by one ranged read of the sorted list of its shard's ids.
    async fn has(
        &self,
        version: &DirectoryVersion,
        kind: EntityKind,
        id: &EntityId,
    ) -> Result<bool, WorkError> {
        let shards = version.shards(kind);
        if shards == 0 {
            return Ok(false);
        }
        let key = version.ids_key(kind, shard_of(id.as_str(), shards));
        let listed = self.ports.objects.list(&key).await?;
        let Some(list) = listed.into_iter().find(|object| object.key == key) else {
            return Err(WorkError::reject(
                ACTION,
                "the version has no list of its ids; publish it anew",
            ));
        };
        let (wanted, entries) = (identity(id.as_str()), list.size / ENTRY);
        let expected = (u128::from(wanted) * u128::from(entries)) >> 64;
        let expected = u64::try_from(expected).unwrap_or(entries);
        let mut reach = REACH;
        loop {
            let (start, end) = (expected.saturating_sub(reach), entries.min(expected + reach));
            if start == end {
                return Ok(false);
            }
            let bytes = self.ports.objects.get_range(&key, start * ENTRY..end * ENTRY).await?;
            let ids: Vec<u64> =
                bytes.as_chunks().0.iter().copied().map(u64::from_le_bytes).collect();
            let covered = (start == 0 || ids.first() < Some(&wanted))
                && (end == entries || ids.last() > Some(&wanted));
            match ids.binary_search(&wanted) {
                Ok(_) => return Ok(true),
                Err(_) if covered => return Ok(false),
                Err(_) => reach *= 8,
            }
        }
    }

    async fn merges(&self, version: &DirectoryVersion) -> Result<Arc<Merges>, WorkError> {
        if let Some((held, merges)) = &*self.held()
            && *held == version.id
        {
            return Ok(merges.clone());
        }
        let Some(bytes) = self.ports.objects.get(&version.merges_key()).await? else {
            return Err(WorkError::reject(
                ACTION,
                "the version has no list of its merges; publish it anew",
            ));
        };
        let merges: Merges = serde_json::from_slice(&bytes)
            .map_err(|error| WorkError::reject("read a version's merges", error))?;
        let merges = Arc::new(merges);
        *self.held() = Some((version.id, merges.clone()));
        Ok(merges)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<(DirectoryVersionId, Arc<Merges>)>> {
        self.merges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the ids of a shard's entities.
    pub(crate) async fn keep_ids(
        &self,
        version: &DirectoryVersion,
        kind: EntityKind,
        shard: u32,
        mut ids: Vec<u64>,
    ) -> Result<(), PortError> {
        ids.sort_unstable();
        let bytes: Vec<u8> = ids.into_iter().flat_map(u64::to_le_bytes).collect();
        self.ports.objects.put(&version.ids_key(kind, shard), bytes.into()).await
    }

    /// Keeps a version's merges.
    pub(crate) async fn keep_merges(
        &self,
        version: &DirectoryVersion,
        merges: &Merges,
    ) -> Result<(), WorkError> {
        let plain = serde_json::to_vec(merges)
            .map_err(|error| WorkError::reject("write a version's merges", error))?;
        Ok(self.ports.objects.put(&version.merges_key(), Bytes::from(plain)).await?)
    }
}

/// 64 bits of an id's hash: among a hundred million ids a clash has a chance of 1 in 4,000.
pub(crate) fn identity(id: &str) -> u64 {
    let hash = blake3::hash(id.as_bytes());
    u64::from_le_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::testing::{Memory, entity_id};

    const KIND: EntityKind = EntityKind::Person;

    /// A version of one shard of people that holds these hashes, with these merges.
    async fn directory(hashes: Vec<u64>, merges: &[(&str, &str)]) -> (Entities, DirectoryVersion) {
        let entities = Entities::new(Memory::new(Timestamp::UNIX_EPOCH, 1).ports());
        let version = DirectoryVersion { people_shards: 1, ..DirectoryVersion::sample() };
        entities.keep_ids(&version, KIND, 0, hashes).await.unwrap();
        let merges = merges.iter().map(|&(id, into)| (entity_id(id), entity_id(into))).collect();
        entities.keep_merges(&version, &merges).await.unwrap();
        (entities, version)
    }

    #[tokio::test]
    async fn an_entity_goes_by_the_id_that_it_was_merged_into_at_last() {
        let merges = [("a", "b"), ("b", "c"), ("x", "y"), ("y", "x")];
        let (entities, version) = directory(vec![identity("c")], &merges).await;
        let name = async |id| entities.name(&version, &entity_id(id)).await.unwrap().to_string();
        assert_eq!(name("a").await, "c");
        assert_eq!(name("c").await, "c");
        assert_eq!(name("stranger").await, "stranger");
        let found = async |id| entities.find(&version, KIND, &entity_id(id)).await.unwrap();
        assert_eq!(found("a").await, Some(entity_id("c")));
        assert_eq!(found("x").await, None, "a circle of merges leads nowhere");
    }

    #[tokio::test]
    async fn every_entity_of_a_long_list_is_found_and_no_other() {
        let id = |n: usize| entity_id(&format!("p{n}"));
        let hashes = (0..30_000).map(|n| identity(id(n).as_str())).collect();
        let (entities, version) = directory(hashes, &[]).await;
        for n in (0..60_000).step_by(997) {
            let found = entities.find(&version, KIND, &id(n)).await.unwrap();
            assert_eq!(found.is_some(), n < 30_000, "{n}");
        }
    }

    #[tokio::test]
    async fn an_entity_far_from_where_its_hash_is_expected_is_found_all_the_same() {
        // All but two of these hashes are the lowest there are, so every expectation is wrong.
        let mut hashes: Vec<u64> = (0..40_000).collect();
        hashes.extend([identity("a"), identity("b")]);
        let (entities, version) = directory(hashes, &[]).await;
        for (id, is_there) in [("a", true), ("b", true), ("c", false)] {
            let found = entities.find(&version, KIND, &entity_id(id)).await.unwrap();
            assert_eq!(found.is_some(), is_there, "{id}");
        }
    }

    #[tokio::test]
    async fn a_kind_without_shards_has_nobody_and_a_missing_list_is_a_failure() {
        let (entities, version) = directory(vec![identity("a")], &[]).await;
        let none = DirectoryVersion { company_shards: 0, ..version.clone() };
        let of =
            async |version| entities.find(version, EntityKind::Company, &entity_id("a")).await.ok();
        assert_eq!(of(&none).await, Some(None));
        assert_eq!(of(&version).await, None, "three shards of companies, but no list of their ids");
    }
}
