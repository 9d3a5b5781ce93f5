//! The file of a shard: its header, its sections, and how they are opened and looked up.

use crate::blocking::identity_key;
use crate::codec::{Put, Take, u32_at};
use crate::entity::EntityKind;
use crate::keys::BlockKey;
use crate::text::hash64;

/// The first bytes of a shard; the last one is the format's version.
pub(super) const MAGIC: [u8; 8] = *b"CRMSHRD\x02";
/// Magic, checksum of the header, and the header's fields up to the section table.
pub(super) const HEADER_BYTES: usize = 8 + 8 + 3 * 4 + 3 * 8 + SECTIONS * 16;
pub(super) const SECTIONS: usize = 8;

/// The columns of a shard, in file order.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(super) enum Section {
    RowOffsets = 0,
    Rows,
    Employers,
    EmployerWords,
    TitleOffsets,
    Titles,
    Buckets,
    Postings,
}

/// The reason a file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not a shard, or of another format version.
    #[error("not a directory shard of this format version: build the directory version again")]
    OtherFormat,
    /// Shorter or longer than its header says.
    #[error("the shard has {found} bytes and should have {expected}: fetch it again")]
    Truncated {
        /// Bytes the header promises.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// Changed since it was built.
    #[error("the shard's checksum is wrong: fetch or build it again")]
    Corrupt,
}

/// An opened shard. It borrows the file's bytes and is shared freely by threads.
#[derive(Clone, Copy, Debug)]
pub struct Shard<'a> {
    header: Header,
    sections: [&'a [u8]; SECTIONS],
}

/// A shard's header, without checksums and the section table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) kind: EntityKind,
    /// The shard's number, of `count` shards of the version.
    pub(super) number: u32,
    pub(super) count: u32,
    pub(super) entities: u32,
    pub(super) bucket_bits: u32,
    /// The fingerprint of the version's statistics.
    pub(super) statistics: u64,
}

impl Header {
    pub(super) fn put(&self, fields: &mut Vec<u8>) {
        fields.put_u32(u32::from(self.kind == EntityKind::Company));
        fields.put_u32(self.number);
        fields.put_u32(self.count);
        fields.put_u64(u64::from(self.entities) | u64::from(self.bucket_bits) << 32);
        fields.put_u64(self.statistics);
    }

    fn take(fields: &mut Take<'_>) -> Self {
        let kind = if fields.u32() & 1 == 0 { EntityKind::Person } else { EntityKind::Company };
        let (number, count) = (fields.u32(), fields.u32());
        let (entities, bucket_bits) = (fields.u32(), fields.u32() & 31);
        Self { kind, number, count, entities, bucket_bits, statistics: fields.u64() }
    }
}

/// The shard an entity belongs to, of `shard_count`.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "the upper half of 64 bits has 32")]
pub fn shard_of(entity_id: &str, shard_count: u32) -> u32 {
    let hash = hash64(entity_id.as_bytes()) >> 32;
    ((hash * u64::from(shard_count.max(1))) >> 32) as u32
}

impl<'a> Shard<'a> {
    /// Opens a shard after checking header, length and the checksum of every byte.
    ///
    /// # Errors
    /// [`ShardError`] for a file that is not a whole, unchanged shard of this format version.
    pub fn open(bytes: &'a [u8]) -> Result<Self, ShardError> {
        let shard = Self::open_verified(bytes)?;
        let mut head = Take(&bytes[HEADER_BYTES - SECTIONS * 16 - 8..]);
        if head.u64() == hash64(&bytes[HEADER_BYTES..]) {
            Ok(shard)
        } else {
            Err(ShardError::Corrupt)
        }
    }

    /// Opens a shard whose bytes were checked by [`Self::open`] before: reads the header only.
    ///
    /// # Errors
    /// As [`Self::open`], but a change behind the header goes unseen. It cannot cause a panic.
    pub fn open_verified(bytes: &'a [u8]) -> Result<Self, ShardError> {
        let head = bytes.get(..HEADER_BYTES).ok_or(ShardError::OtherFormat)?;
        let mut take = Take(head.strip_prefix(&MAGIC).ok_or(ShardError::OtherFormat)?);
        if take.u64() != hash64(take.0) {
            return Err(ShardError::Corrupt);
        }
        let header = Header::take(&mut take);
        let _body = take.u64();
        let mut sections: [&[u8]; SECTIONS] = [&[]; SECTIONS];
        let mut at = HEADER_BYTES as u64;
        for section in &mut sections {
            let (start, length) = (take.u64(), take.u64());
            let end = start.saturating_add(length);
            if start != at || end > bytes.len() as u64 {
                return Err(ShardError::Truncated { expected: end, found: bytes.len() as u64 });
            }
            *section = usize::try_from(start)
                .ok()
                .zip(usize::try_from(end).ok())
                .and_then(|(start, end)| bytes.get(start..end))
                .ok_or(ShardError::Corrupt)?;
            at = end;
        }
        if at != bytes.len() as u64 {
            return Err(ShardError::Truncated { expected: at, found: bytes.len() as u64 });
        }
        Ok(Self { header, sections })
    }

    /// The kind of its entities.
    #[must_use]
    pub fn kind(&self) -> EntityKind {
        self.header.kind
    }

    /// The shard's number, from 0.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.header.number
    }

    /// Shards of the version.
    #[must_use]
    pub fn shard_count(&self) -> u32 {
        self.header.count
    }

    /// Entities in the shard.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.header.entities
    }

    /// True if the shard holds no entity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.header.entities == 0
    }

    /// The fingerprint of the statistics it was built with: a scorer's must be the same.
    #[must_use]
    pub fn statistics(&self) -> u64 {
        self.header.statistics
    }

    /// Bytes of each column by name, for inspection.
    #[must_use]
    pub fn columns(&self) -> [(&'static str, usize); SECTIONS] {
        const NAMES: [&str; SECTIONS] = [
            "row offsets",
            "rows",
            "employers",
            "employer words",
            "title offsets",
            "titles",
            "block buckets",
            "block postings",
        ];
        std::array::from_fn(|at| (NAMES[at], self.sections[at].len()))
    }

    /// The id of an entity by its place in the shard.
    #[must_use]
    pub fn entity_id(&self, ordinal: u32) -> &'a str {
        Take(self.row(ordinal)).text()
    }

    /// The place of an entity in the shard.
    #[must_use]
    pub fn ordinal_of(&self, entity_id: &str) -> Option<u32> {
        let key = identity_key(entity_id);
        self.entities_of(self.bucket(key), key)
            .find(|&ordinal| self.entity_id(ordinal) == entity_id)
    }

    pub(super) fn section(&self, section: Section) -> &'a [u8] {
        self.sections[section as usize]
    }

    pub(super) fn slice(&self, offsets: Section, values: Section, index: usize) -> &'a [u8] {
        let offsets = self.section(offsets);
        let range = u32_at(offsets, index).zip(u32_at(offsets, index + 1));
        range
            .and_then(|(start, end)| self.section(values).get(start as usize..end as usize))
            .unwrap_or_default()
    }

    pub(super) fn row(&self, ordinal: u32) -> &'a [u8] {
        self.slice(Section::RowOffsets, Section::Rows, ordinal as usize)
    }

    /// The postings of a key's bucket.
    fn bucket(&self, key: u64) -> &'a [u8] {
        let bucket = bucket_of(key, self.header.bucket_bits);
        let buckets = self.section(Section::Buckets);
        let range = u32_at(buckets, bucket).zip(u32_at(buckets, bucket + 1));
        range
            .and_then(|(start, end)| {
                self.section(Section::Postings)
                    .get((start as usize).saturating_mul(8)..(end as usize).saturating_mul(8))
            })
            .unwrap_or_default()
    }

    fn entities_of(&self, bucket: &'a [u8], key: u64) -> impl Iterator<Item = u32> + use<'a> {
        let (wanted, entities) = (fingerprint_of(key), self.header.entities);
        bucket.chunks_exact(8).filter_map(move |posting| {
            let mut take = Take(posting);
            let same = take.u32() == wanted;
            let ordinal = take.u32();
            (same && ordinal < entities).then_some(ordinal)
        })
    }

    /// Appends the entities of all blocks as `ordinal << 2 | strength`, 1 for a weak block and 2
    /// for a strong one.
    pub(crate) fn blocks(&self, keys: &[BlockKey], found: &mut Vec<u64>) {
        // All look-ups of one kind come before the next, so that the memory's delays overlap.
        let buckets: smallvec::SmallVec<[&[u8]; 64]> =
            keys.iter().map(|key| self.bucket(key.key)).collect();
        touch(buckets.iter().copied());
        for (key, bucket) in keys.iter().zip(buckets) {
            let strength = 1 + u64::from(key.strong);
            found.extend(
                self.entities_of(bucket, key.key).map(|ordinal| u64::from(ordinal) << 2 | strength),
            );
        }
    }

    /// Reads a byte of each row, so that their memory is on its way before the first is compared.
    pub(crate) fn touch(&self, ordinals: &[u32]) {
        let rows: smallvec::SmallVec<[&[u8]; 64]> =
            ordinals.iter().map(|&ordinal| self.row(ordinal)).collect();
        touch(rows.iter().copied());
    }

    /// Reads a byte of each employer, for the same reason.
    pub(crate) fn touch_employers<'e>(&self, held: impl Iterator<Item = &'e (u32, u32)>) {
        touch(held.map(|(employer, _)| self.employer_bytes(employer.wrapping_sub(1))));
    }
}

/// Reads the first byte of each slice, so that the memory's delays overlap.
fn touch<'a>(slices: impl Iterator<Item = &'a [u8]>) {
    let first = slices.filter_map(|slice| slice.first());
    std::hint::black_box(first.fold(0_u8, |all, byte| all ^ byte));
}

#[allow(clippy::cast_possible_truncation, reason = "at most 28 bits are left")]
pub(super) fn bucket_of(key: u64, bits: u32) -> usize {
    if bits == 0 { 0 } else { (key >> (64 - bits)) as usize }
}

#[allow(clippy::cast_possible_truncation, reason = "the low half of the key is its fingerprint")]
pub(super) fn fingerprint_of(key: u64) -> u32 {
    key as u32
}
