//! Building the file of a shard's bodies.
//!
//! Entities come in any order and leave in the order of their hashes. Until then they wait
//! compressed, in buckets by the first bits of their hashes, and one bucket at a time is sorted. So
//! the memory that is taken is about the size of the file, not that of the entities.

use flate2::Compression;

use super::file::{
    BlockEntry, BodiesError, HEADER, Header, Shard, checksum, entities, packed, put_entity,
    unpacked,
};
use crate::capabilities::directory::entities::identity;

/// The first bits of a hash that say its bucket.
const BUCKET_BITS: u32 = 8;

/// A bucket's entities are compressed once they have so many bytes.
const CHUNK: usize = 32 << 10;

/// A block is closed once it has so many bytes: some forty people. A smaller one costs more in the
/// index, a larger one more to unpack.
const BLOCK: usize = 16 << 10;

/// How much a chunk is compressed that lives until the file is finished.
const QUICKLY: Compression = Compression::fast();

/// How much a block of the file is compressed.
const WELL: Compression = Compression::new(4);

/// Gathers a shard's entities.
pub(crate) struct BodiesBuilder {
    shard: Shard,
    buckets: Vec<Bucket>,
    entities: u32,
}

/// Entities whose hashes begin alike.
#[derive(Default)]
struct Bucket {
    open: Vec<u8>,
    /// Chunks, compressed.
    closed: Vec<Vec<u8>>,
}

/// An entity of a bucket that is sorted: its hash, its id, its JSON.
type Entity<'a> = (u64, &'a str, &'a [u8]);

impl BodiesBuilder {
    /// A file for shard `number` of `count` of a kind.
    pub(crate) fn new(kind: matching::EntityKind, number: u32, count: u32) -> Self {
        let buckets = (0..1 << BUCKET_BITS).map(|_| Bucket::default()).collect();
        Self { shard: Shard { kind, number, count }, buckets, entities: 0 }
    }

    /// Adds an entity, by its id and its JSON. An id is added once.
    pub(crate) fn add(&mut self, id: &str, json: &[u8]) {
        let at = usize::try_from(identity(id) >> (u64::BITS - BUCKET_BITS)).unwrap_or_default();
        let Some(bucket) = self.buckets.get_mut(at) else { return };
        put_entity(&mut bucket.open, id, json);
        if bucket.open.len() >= CHUNK {
            bucket.closed.push(packed(&bucket.open, QUICKLY));
            bucket.open.clear();
        }
        self.entities += 1;
    }

    /// The bytes of entities that it holds now, as they are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let closed = self.buckets.iter().flat_map(|bucket| &bucket.closed).map(Vec::len);
        let open = self.buckets.iter().map(|bucket| bucket.open.capacity());
        closed.chain(open).sum()
    }

    /// The file.
    ///
    /// # Errors
    /// When the memory in which entities waited was damaged.
    pub(crate) fn finish(self) -> Result<Vec<u8>, BodiesError> {
        let mut blocks = Blocks::default();
        for bucket in self.buckets {
            let mut plain = Vec::new();
            for chunk in bucket.closed {
                plain.extend(unpacked(&chunk, CHUNK * 2)?);
            }
            plain.extend(bucket.open);
            let mut sorted: Vec<Entity<'_>> =
                entities(&plain).map(|(id, json)| (identity(id), id, json)).collect();
            sorted.sort_unstable_by_key(|&(identity, id, _)| (identity, id));
            for entity in sorted {
                blocks.add(entity);
            }
        }
        blocks.close();
        let mut index = Vec::new();
        blocks.entries.iter().for_each(|entry| entry.put(&mut index));
        let header = Header {
            shard: self.shard,
            blocks: u32::try_from(blocks.entries.len()).unwrap_or(u32::MAX),
            entities: self.entities.into(),
            index: checksum(&index),
        };
        let length: usize = blocks.packed.iter().map(Vec::len).sum();
        let mut file = Vec::with_capacity(HEADER + index.len() + length);
        file.extend(header.to_bytes());
        file.extend(index);
        // Each block is given back as soon as the file has it.
        blocks.packed.into_iter().for_each(|block| file.extend(block));
        Ok(file)
    }
}

/// The blocks of a file.
#[derive(Default)]
struct Blocks {
    entries: Vec<BlockEntry>,
    /// The closed blocks.
    packed: Vec<Vec<u8>>,
    open: Vec<u8>,
    first: u64,
    last: u64,
    /// Entities added so far, and those before the open block.
    added: u32,
    before: u32,
}

impl Blocks {
    fn add(&mut self, (identity, id, json): Entity<'_>) {
        // Entities of one hash stay together: the index leads to one block.
        if self.open.len() >= BLOCK && identity != self.last {
            self.close();
        }
        if self.open.is_empty() {
            (self.first, self.before) = (identity, self.added);
        }
        put_entity(&mut self.open, id, json);
        self.last = identity;
        self.added += 1;
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let block = packed(&self.open, WELL);
        self.entries.push(BlockEntry {
            first: self.first,
            checksum: checksum(&block),
            before: self.before,
            length: u32::try_from(block.len()).unwrap_or(u32::MAX),
        });
        self.packed.push(block);
        self.open.clear();
    }
}
