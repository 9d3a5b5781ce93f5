//! The file of a shard's bodies: a header, an index, and compressed blocks of entities.
//!
//! Entities lie in the order of their ids' hashes, so that the index finds an entity's block and
//! each entity has a rank. Every number is little-endian.
//!
//! | Part | Holds |
//! |---|---|
//! | header | magic with the format's version, its own checksum, kind, shard, shards, blocks, entities, the index's checksum |
//! | index | for each block: its first entity's hash, its checksum, the entities before it, its length |
//! | blocks | deflate; an entity is its id and its JSON, each behind its length |

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use matching::EntityKind;

/// The first bytes of the file; the last one is the format's version.
pub(super) const MAGIC: [u8; 8] = *b"CRMBODY\x01";

/// The bytes of the header.
pub(super) const HEADER: usize = 48;

/// The bytes of a block's entry in the index.
pub(super) const ENTRY: usize = 24;

/// No block is larger once it is unpacked. An entity's line has at most 1 MiB.
const LARGEST_BLOCK: u64 = 8 << 20;

/// The reason a file of bodies is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodiesError {
    /// There is no file.
    #[error("the version keeps no bodies of its entities: publish the directory anew")]
    Missing,
    /// No file of bodies, or one of another format version.
    #[error("not a file of bodies of this format version: publish the directory anew")]
    OtherFormat,
    /// Another shard's file, or one that is shorter or longer than its index says.
    #[error("the file of bodies is not what it should be: publish the directory anew")]
    Misplaced,
    /// Changed since it was built.
    #[error("a checksum of the file of bodies is wrong: fetch it again")]
    Corrupt,
}

/// Which shard's file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) kind: EntityKind,
    pub(super) number: u32,
    pub(super) count: u32,
}

/// A file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) shard: Shard,
    pub(super) blocks: u32,
    pub(super) entities: u64,
    /// The checksum of the index.
    pub(super) index: u64,
}

/// A block's entry in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockEntry {
    /// The hash of its first entity's id.
    pub(super) first: u64,
    /// The checksum of its compressed bytes.
    pub(super) checksum: u64,
    /// How many entities lie in the blocks before it.
    pub(super) before: u32,
    /// Its compressed bytes.
    pub(super) length: u32,
}

/// 64 bits that tell whether bytes are what they were.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    u64::from_le_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

/// The 32 bits that begin at a byte; 0 beyond the end.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_le_bytes(*four))
}

/// The 64 bits that begin at a byte; 0 beyond the end.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |eight| u64::from_le_bytes(*eight))
}

impl Header {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let Shard { kind, number, count } = self.shard;
        let mut fields = Vec::with_capacity(HEADER);
        for field in [u32::from(kind == EntityKind::Company), number, count, self.blocks] {
            fields.extend(field.to_le_bytes());
        }
        fields.extend(self.entities.to_le_bytes());
        fields.extend(self.index.to_le_bytes());
        let mut bytes = MAGIC.to_vec();
        bytes.extend(checksum(&fields).to_le_bytes());
        bytes.append(&mut fields);
        bytes
    }

    /// Reads the header at the begin of a file of `shard`.
    pub(super) fn read(file: &[u8], shard: Shard) -> Result<Self, BodiesError> {
        let head = file.get(..HEADER).and_then(|head| head.strip_prefix(&MAGIC));
        let head = head.ok_or(BodiesError::OtherFormat)?;
        let fields = head.get(8..).unwrap_or_default();
        if u64_at(head, 0) != checksum(fields) {
            return Err(BodiesError::Corrupt);
        }
        let kind = if u32_at(fields, 0) == 0 { EntityKind::Person } else { EntityKind::Company };
        let found = Shard { kind, number: u32_at(fields, 4), count: u32_at(fields, 8) };
        if found != shard {
            return Err(BodiesError::Misplaced);
        }
        let (blocks, entities) = (u32_at(fields, 12), u64_at(fields, 16));
        Ok(Self { shard, blocks, entities, index: u64_at(fields, 24) })
    }

    /// Where the index ends and the blocks begin.
    pub(super) fn index_end(&self) -> u64 {
        HEADER as u64 + u64::from(self.blocks) * ENTRY as u64
    }
}

impl BlockEntry {
    pub(super) fn put(&self, index: &mut Vec<u8>) {
        index.extend(self.first.to_le_bytes());
        index.extend(self.checksum.to_le_bytes());
        index.extend(self.before.to_le_bytes());
        index.extend(self.length.to_le_bytes());
    }

    fn read(entry: &[u8; ENTRY]) -> Self {
        Self {
            first: u64_at(entry, 0),
            checksum: u64_at(entry, 8),
            before: u32_at(entry, 16),
            length: u32_at(entry, 20),
        }
    }
}

/// Where a file's blocks lie.
#[derive(Debug)]
pub(super) struct Index {
    /// A block's entry, and where it begins in the file.
    blocks: Vec<(BlockEntry, u64)>,
}

impl Index {
    /// The index of a file of `size` bytes.
    pub(super) fn read(header: &Header, index: &[u8], size: u64) -> Result<Self, BodiesError> {
        if checksum(index) != header.index {
            return Err(BodiesError::Corrupt);
        }
        let mut at = header.index_end();
        let entries = index.as_chunks().0.iter().map(BlockEntry::read);
        let mut blocks = Vec::with_capacity(index.len() / ENTRY);
        for entry in entries {
            blocks.push((entry, at));
            at += u64::from(entry.length);
        }
        if at == size { Ok(Self { blocks }) } else { Err(BodiesError::Misplaced) }
    }

    /// The bytes it takes in memory.
    pub(super) fn size(&self) -> usize {
        self.blocks.len() * size_of::<(BlockEntry, u64)>()
    }

    /// The number of the block in which an entity lies if it lies anywhere.
    pub(super) fn block_of(&self, identity: u64) -> Option<usize> {
        self.blocks.partition_point(|(block, _)| block.first <= identity).checked_sub(1)
    }

    /// A block's entry, and where it lies in the file.
    pub(super) fn block(&self, number: usize) -> Option<(BlockEntry, std::ops::Range<u64>)> {
        let (entry, at) = self.blocks.get(number)?;
        Some((*entry, *at..at + u64::from(entry.length)))
    }
}

/// Appends an entity to a block that is not compressed yet.
pub(super) fn put_entity(block: &mut Vec<u8>, id: &str, json: &[u8]) {
    for part in [id.as_bytes(), json] {
        block.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        block.extend_from_slice(part);
    }
}

/// The entities of a block that is not compressed: ids with their JSON. What is cut off is left
/// out; a checksum refuses damaged bytes before.
pub(super) fn entities(mut block: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let mut part = move || {
        let (length, rest) = block.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        block = rest;
        Some(part)
    };
    std::iter::from_fn(move || Some((std::str::from_utf8(part()?).ok()?, part()?)))
}

/// Compresses bytes. Memory takes every write.
pub(super) fn packed(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(bytes.len() / 3), level);
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// The bytes that were compressed.
pub(super) fn unpacked(bytes: &[u8], room: usize) -> Result<Vec<u8>, BodiesError> {
    let mut plain = Vec::with_capacity(room);
    let mut decoder = DeflateDecoder::new(bytes).take(LARGEST_BLOCK + 1);
    let read = decoder.read_to_end(&mut plain).map_err(|_| BodiesError::Corrupt)?;
    if read as u64 > LARGEST_BLOCK { Err(BodiesError::Corrupt) } else { Ok(plain) }
}

/// The entities of a block as it lies in the file.
pub(super) fn open_block(entry: &BlockEntry, packed: &[u8]) -> Result<Vec<u8>, BodiesError> {
    if checksum(packed) != entry.checksum {
        return Err(BodiesError::Corrupt);
    }
    unpacked(packed, packed.len() * 5)
}
