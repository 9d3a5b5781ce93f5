//! The ordinals of a version's entities: numbers from 0 without gaps, by which sets of them are
//! small.
//!
//! People and companies are numbered apart. Shards follow each other; within a shard entities lie
//! in the order of their ids' hashes. So whoever knows a version's ids and how many shards it has
//! knows their ordinals, and a version's ordinals never change.

use std::collections::BTreeMap;

use matching::{EntityKind, shard_of};

use super::DirectoryVersion;
use super::entities::{Entities, identity};
use crate::kernel::EntityId;
use crate::ports::Ports;
use crate::work::WorkError;

/// Bytes of an entry in a list of ids.
const ENTRY: u64 = 8;

const ACTION: &str = "number entities";

/// Numbers the entities of directory versions.
#[derive(Clone)]
pub(crate) struct Ordinals {
    ports: Ports,
    entities: Entities,
}

impl Ordinals {
    pub(crate) fn new(ports: Ports) -> Self {
        let entities = Entities::new(ports.clone());
        Self { ports, entities }
    }

    /// The ordinals of some entities in a version, ascending, each once. Who was merged into
    /// another counts as that one; who is not in the version is left out.
    pub(crate) async fn of(
        &self,
        version: &DirectoryVersion,
        kind: EntityKind,
        ids: &[EntityId],
    ) -> Result<Vec<u32>, WorkError> {
        let count = version.shards(kind);
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut wanted: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for id in ids {
            let name = self.entities.name(version, id).await?;
            let shard = shard_of(name.as_str(), count);
            wanted.entry(shard).or_default().push(identity(name.as_str()));
        }
        let (mut ordinals, mut before) = (Vec::with_capacity(ids.len()), 0);
        for shard in 0..count {
            let hashes = self.hashes(version, kind, shard).await?;
            let mut wanted = wanted.remove(&shard).unwrap_or_default();
            wanted.sort_unstable();
            wanted.dedup();
            for hash in wanted {
                if let Ok(rank) = hashes.binary_search(&hash) {
                    ordinals.push(before + number(rank as u64)?);
                }
            }
            before += number(hashes.len() as u64)?;
        }
        Ok(ordinals)
    }

    /// The hashes of a shard's ids, ascending.
    async fn hashes(
        &self,
        version: &DirectoryVersion,
        kind: EntityKind,
        shard: u32,
    ) -> Result<Vec<u64>, WorkError> {
        let found = self.ports.objects.get(&version.ids_key(kind, shard)).await?;
        let gone = "the version has no list of its ids; publish it anew";
        let bytes = found.ok_or_else(|| WorkError::reject(ACTION, gone))?;
        debug_assert_eq!(bytes.len() as u64 % ENTRY, 0);
        Ok(bytes.as_chunks().0.iter().copied().map(u64::from_le_bytes).collect())
    }
}

/// Sets hold numbers of 32 bits.
fn number(number: u64) -> Result<u32, WorkError> {
    let many = "the version has more entities than a set has numbers";
    u32::try_from(number).map_err(|_| WorkError::reject(ACTION, many))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::testing::{Memory, entity_id};

    #[tokio::test]
    async fn every_entity_of_a_version_has_its_number_and_there_is_no_gap() {
        let ports = Memory::new(Timestamp::UNIX_EPOCH, 1).ports();
        let (entities, ordinals) = (Entities::new(ports.clone()), Ordinals::new(ports));
        let version = DirectoryVersion { people_shards: 3, ..DirectoryVersion::sample() };
        let kind = EntityKind::Person;
        let ids: Vec<EntityId> = (0..1_000).map(|n| entity_id(&format!("pe_{n}"))).collect();
        for shard in 0..3 {
            let of = ids.iter().filter(|id| shard_of(id.as_str(), 3) == shard);
            let hashes = of.map(|id| identity(id.as_str())).collect();
            entities.keep_ids(&version, kind, shard, hashes).await.unwrap();
        }
        let merges = BTreeMap::from([(entity_id("old"), ids[7].clone())]);
        entities.keep_merges(&version, &merges).await.unwrap();
        let all = ordinals.of(&version, kind, &ids).await.unwrap();
        assert_eq!(all, (0..1_000).collect::<Vec<u32>>());
        let one = async |id: &EntityId| {
            ordinals.of(&version, kind, std::slice::from_ref(id)).await.unwrap()
        };
        // As whoever reads the page on filters computes them.
        let order = |id: &EntityId| (shard_of(id.as_str(), 3), identity(id.as_str()));
        let mut sorted = ids.clone();
        sorted.sort_by_key(order);
        for (ordinal, id) in sorted.iter().enumerate().step_by(97) {
            assert_eq!(one(id).await, [u32::try_from(ordinal).unwrap()]);
        }
        assert_eq!(one(&entity_id("old")).await, one(&ids[7]).await, "merged into another");
        assert_eq!(one(&entity_id("stranger")).await, Vec::<u32>::new());
        let twice = [ids[3].clone(), ids[3].clone()];
        assert_eq!(ordinals.of(&version, kind, &twice).await.unwrap().len(), 1);
    }
}
