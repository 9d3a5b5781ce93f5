//! The bodies of a directory version: each entity as it is, read by its id.
//!
//! Matching's shards hold folded words and hashes. Whoever shows or compares an entity reads its
//! body. A shard's bodies are one object beside it; an entity costs one ranged read of it once the
//! object's index is at hand.

mod build;
mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::{self, StreamExt, TryStreamExt};
use matching::{Company, EntityKind, Person, shard_of};
use serde::de::DeserializeOwned;

pub(crate) use build::BodiesBuilder;
pub use file::BodiesError;
use file::{HEADER, Header, Index, Shard, entities, open_block};

use super::entities::identity;
use crate::capabilities::directory::DirectoryVersion;
use crate::kernel::EntityId;
use crate::ports::{ObjectStore, PortError};
use crate::work::WorkError;

const ACTION: &str = "read bodies of the directory";

/// How much of a file is read at first: the header, and the index of some hundred thousand people.
const HEAD: u64 = 64 << 10;

/// How many ranged reads are under way at once.
const CONCURRENT_READS: usize = 16;

/// How many bytes of indexes a process keeps. A million people take about 600 kB.
const KEPT_INDEXES: usize = 64 << 20;

/// An entity that bodies hold.
pub trait Body: DeserializeOwned + Send {
    /// Which kind of entity it is.
    const KIND: EntityKind;
}

impl Body for Person {
    const KIND: EntityKind = EntityKind::Person;
}

impl Body for Company {
    const KIND: EntityKind = EntityKind::Company;
}

/// Indexes by the keys of their files.
type KeptIndexes = Vec<(String, Arc<Index>)>;

/// Reads entities of directory versions by their ids. Clones share the indexes at hand.
#[derive(Clone)]
pub struct Bodies {
    objects: Arc<dyn ObjectStore>,
    /// The indexes used last, at the end the latest.
    kept: Arc<Mutex<KeptIndexes>>,
    head: u64,
}

/// Why a file of bodies was not read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    File(#[from] BodiesError),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<ReadError> for WorkError {
    fn from(error: ReadError) -> Self {
        match error {
            // What is damaged on its way is whole the next time.
            ReadError::File(error @ BodiesError::Corrupt) => Self::retry(ACTION, error),
            ReadError::File(error) => Self::reject(ACTION, error),
            ReadError::Port(error) => error.into(),
        }
    }
}

/// A file, and the entities that are wanted of it.
struct Wanted<'a> {
    key: String,
    shard: Shard,
    ids: Vec<&'a EntityId>,
}

/// A block of a file, and the entities that are wanted of it.
type WantedBlock<'a> = (usize, BTreeSet<&'a str>);

impl Bodies {
    /// The bodies among these objects.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, kept: Arc::default(), head: HEAD }
    }

    /// The entities of a version that have these ids. Those that the version does not have are left
    /// out.
    ///
    /// # Errors
    /// [`BodiesError`] as the source, when the version keeps no bodies or keeps them in another
    /// format; the object store's.
    pub async fn get_many<T: Body>(
        &self,
        version: &DirectoryVersion,
        ids: &[EntityId],
    ) -> Result<BTreeMap<EntityId, T>, WorkError> {
        let files = wanted(version, T::KIND, ids).into_iter();
        let reads: Vec<_> = files.map(|wanted| self.read(wanted)).collect();
        let found: Vec<Vec<(EntityId, T)>> =
            stream::iter(reads).buffer_unordered(CONCURRENT_READS).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The ids in some blocks of a shard, from one on, in their order; and the block that follows,
    /// if there is one.
    pub(crate) async fn ids(
        &self,
        version: &DirectoryVersion,
        (kind, number): (EntityKind, u32),
        (from, blocks): (usize, usize),
    ) -> Result<(Vec<EntityId>, Option<usize>), WorkError> {
        let (key, count) = (version.bodies_key(kind, number), version.shards(kind));
        let shard = Shard { kind, number, count };
        match self.try_ids(&key, shard, (from, blocks)).await {
            // The file may have been built again since its index was read.
            Err(ReadError::File(BodiesError::Corrupt)) => {
                self.kept().retain(|(known, _)| *known != key);
                Ok(self.try_ids(&key, shard, (from, blocks)).await?)
            }
            read => Ok(read?),
        }
    }

    async fn try_ids(
        &self,
        key: &str,
        shard: Shard,
        (from, blocks): (usize, usize),
    ) -> Result<(Vec<EntityId>, Option<usize>), ReadError> {
        let index = self.index(&Wanted { key: key.to_owned(), shard, ids: Vec::new() }).await?;
        let numbers = (from..from + blocks).filter(|number| index.block(*number).is_some());
        let reads: Vec<_> = numbers.map(|number| self.ids_of_block(key, &index, number)).collect();
        let found: Vec<Vec<EntityId>> =
            stream::iter(reads).buffered(CONCURRENT_READS).try_collect().await?;
        let next = Some(from + blocks).filter(|next| index.block(*next).is_some());
        Ok((found.into_iter().flatten().collect(), next))
    }

    async fn ids_of_block(
        &self,
        key: &str,
        index: &Index,
        number: usize,
    ) -> Result<Vec<EntityId>, ReadError> {
        let Some((entry, range)) = index.block(number) else { return Ok(Vec::new()) };
        let packed = self.objects.get_range(key, range).await?;
        let block = open_block(&entry, &packed)?;
        let ids = entities(&block).map(|(id, _)| id.parse());
        Ok(ids.collect::<Result<_, _>>().map_err(|_| BodiesError::Misplaced)?)
    }

    async fn read<T: Body>(&self, wanted: Wanted<'_>) -> Result<Vec<(EntityId, T)>, WorkError> {
        match self.try_read(&wanted).await {
            // The file may have been built again since its index was read.
            Err(ReadError::File(BodiesError::Corrupt)) => {
                self.kept().retain(|(key, _)| *key != wanted.key);
                Ok(self.try_read(&wanted).await?)
            }
            read => Ok(read?),
        }
    }

    async fn try_read<T: Body>(
        &self,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<(EntityId, T)>, ReadError> {
        let index = &self.index(wanted).await?;
        let mut blocks: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for id in &wanted.ids {
            if let Some(block) = index.block_of(identity(id.as_str())) {
                blocks.entry(block).or_default().insert(id.as_str());
            }
        }
        let blocks = blocks.into_iter();
        let reads: Vec<_> = blocks.map(|block| self.block(&wanted.key, index, block)).collect();
        let found: Vec<Vec<(EntityId, T)>> =
            stream::iter(reads).buffer_unordered(CONCURRENT_READS).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The wanted entities of a block, by one ranged read.
    async fn block<T: Body>(
        &self,
        key: &str,
        index: &Index,
        (number, ids): WantedBlock<'_>,
    ) -> Result<Vec<(EntityId, T)>, ReadError> {
        let Some((entry, range)) = index.block(number) else { return Ok(Vec::new()) };
        let packed = self.objects.get_range(key, range).await?;
        let block = open_block(&entry, &packed)?;
        let wanted = entities(&block).filter(|(id, _)| ids.contains(id));
        let read = wanted.map(|(id, json)| {
            let id = id.parse().map_err(|_| BodiesError::Misplaced)?;
            let body = serde_json::from_slice(json).map_err(|_| BodiesError::OtherFormat)?;
            Ok((id, body))
        });
        read.collect()
    }

    /// The index of a file, from memory if it was used before.
    async fn index(&self, wanted: &Wanted<'_>) -> Result<Arc<Index>, ReadError> {
        let key = &wanted.key;
        if let Some(index) = self.kept_index(key) {
            return Ok(index);
        }
        let listed = self.objects.list(key).await?;
        let size = listed.into_iter().find(|object| object.key == *key).map(|object| object.size);
        let size = size.ok_or(BodiesError::Missing)?;
        let mut head = self.objects.get_range(key, 0..size.min(self.head)).await?.to_vec();
        let header = Header::read(&head, wanted.shard)?;
        let end = header.index_end();
        if end > size {
            return Err(BodiesError::Misplaced.into());
        }
        if end > self.head {
            head.extend(self.objects.get_range(key, self.head..end).await?);
        }
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        let index = head.get(HEADER..end).ok_or(BodiesError::Misplaced)?;
        let index = Arc::new(Index::read(&header, index, size)?);
        self.keep(key, &index);
        Ok(index)
    }

    fn kept_index(&self, key: &str) -> Option<Arc<Index>> {
        let mut kept = self.kept();
        let at = kept.iter().position(|(known, _)| known == key)?;
        let used = kept.remove(at);
        let index = used.1.clone();
        kept.push(used);
        Some(index)
    }

    fn keep(&self, key: &str, index: &Arc<Index>) {
        let mut kept = self.kept();
        kept.retain(|(known, _)| known != key);
        kept.push((key.to_owned(), index.clone()));
        while kept.len() > 1 && kept.iter().map(|(_, i)| i.size()).sum::<usize>() > KEPT_INDEXES {
            kept.remove(0);
        }
    }

    fn kept(&self) -> MutexGuard<'_, KeptIndexes> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files in which entities of a version lie.
fn wanted<'a>(
    version: &DirectoryVersion,
    kind: EntityKind,
    ids: &'a [EntityId],
) -> Vec<Wanted<'a>> {
    let count = version.shards(kind);
    if count == 0 {
        return Vec::new();
    }
    let mut shards: BTreeMap<u32, Vec<&EntityId>> = BTreeMap::new();
    for id in ids {
        shards.entry(shard_of(id.as_str(), count)).or_default().push(id);
    }
    let file = |(number, ids)| Wanted {
        key: version.bodies_key(kind, number),
        shard: Shard { kind, number, count },
        ids,
    };
    shards.into_iter().map(file).collect()
}
