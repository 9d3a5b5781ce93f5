//! Building a shard's postings: which entities are in which block.
#![allow(
    clippy::cast_possible_truncation,
    reason = "a shard holds under 2^32 entities and postings; over that it is refused"
)]

use std::ops::Range;

use super::build::ShardBuilder;
use super::file::{bucket_of, fingerprint_of};
use crate::blocking::{BlockSize, EmployerKeys, KeySink, identity_key};
use crate::codec::{Take, column};
use crate::parallel::map_ranges;
use crate::statistics::Statistics;

/// The number of first key bits that part the postings. Each part is then ordered within the
/// processor's cache. A small shard's postings are not parted.
const PART_BITS: u32 = 8;

/// The number of entities from which a shard's postings are parted. Each entity has at least one
/// posting, so there are more buckets than parts.
const PARTED_FROM: usize = 1 << 12;

/// Entities whose postings are made at once, as bits of their number.
const PIECE_BITS: u32 = 14;

/// The most bits of a bucket's number: as many as a waiting posting holds.
const MOST_BUCKET_BITS: u32 = 64 - 32 - PIECE_BITS;

/// A posting that waits to be ordered. It packs the key's first bits behind those of its part, the
/// entity's number within its piece, and the fingerprint.
#[derive(Clone, Copy)]
struct Waiting(u64);

impl Waiting {
    fn new(key: u64, part_bits: u32, ordinal: usize) -> Self {
        let first = key << part_bits >> (64 - MOST_BUCKET_BITS);
        let ordinal = ordinal as u64 & ((1 << PIECE_BITS) - 1);
        Self((first << PIECE_BITS | ordinal) << 32 | u64::from(fingerprint_of(key)))
    }

    /// The bucket within its part, where buckets have so many bits behind the part's.
    fn bucket(self, bits: u32) -> usize {
        (self.0 >> (64 - MOST_BUCKET_BITS) >> (MOST_BUCKET_BITS - bits)) as usize
    }

    /// The posting as a shard holds it.
    fn posting(self, piece: usize) -> u64 {
        let ordinal = (piece as u64) << PIECE_BITS | self.0 >> 32 & ((1 << PIECE_BITS) - 1);
        self.0 & u64::from(u32::MAX) | ordinal << 32
    }
}

/// A shard's blocks.
pub(super) struct Blocks {
    /// The bits of a bucket's number.
    pub(super) bits: u32,
    /// The start of each bucket's postings, and the end of the last.
    pub(super) starts: Vec<u8>,
    /// The postings in pieces, by bucket, then by entity.
    pub(super) postings: Vec<Vec<u8>>,
}

/// Makes the blocks of a shard.
pub(super) fn index(
    entities: &ShardBuilder,
    employers: &[EmployerKeys],
    statistics: &Statistics,
) -> Blocks {
    let part_bits = if entities.len() < PARTED_FROM { 0 } else { PART_BITS };
    let pieces = map_ranges(entities.len(), 1 << PIECE_BITS, |range| {
        parted(entities, range, employers, statistics, part_bits)
    });
    let count: usize = pieces.iter().flatten().map(Vec::len).sum();
    let bits = (count as u64 / 4).max(1).ilog2().min(MOST_BUCKET_BITS + part_bits);
    let parts = map_ranges(1 << part_bits, 1, |part| {
        let pieces: Vec<&[Waiting]> = pieces.iter().map(|piece| &piece[part.start][..]).collect();
        ordered(&pieces, bits - part_bits)
    });
    let mut starts = Vec::with_capacity((1 << bits) + 1);
    let mut before = 0;
    for (part_starts, part) in &parts {
        starts.extend(part_starts.iter().map(|start| before + start));
        before += (part.len() / 8) as u32;
    }
    starts.push(before);
    let postings = parts.into_iter().map(|(_, postings)| postings).collect();
    Blocks { bits, starts: column(&starts), postings }
}

/// The postings of some entities, by the first bits of their keys.
fn parted(
    entities: &ShardBuilder,
    range: Range<usize>,
    employers: &[EmployerKeys],
    statistics: &Statistics,
    part_bits: u32,
) -> Vec<Vec<Waiting>> {
    let expected = (range.len() * 28) >> part_bits;
    let mut parts: Vec<Vec<Waiting>> =
        (0..1 << part_bits).map(|_| Vec::with_capacity(expected)).collect();
    let mut kept = Kept { statistics, keys: Vec::with_capacity(64) };
    for ordinal in range {
        kept.keys.clear();
        kept.keys.push(identity_key(Take(entities.row(ordinal)).text()));
        entities.emit_one(ordinal, employers, &mut kept);
        kept.keys.sort_unstable();
        kept.keys.dedup();
        for &key in &kept.keys {
            parts[bucket_of(key, part_bits)].push(Waiting::new(key, part_bits, ordinal));
        }
    }
    parts
}

/// Orders one part by bucket; gives the start of each bucket, and the postings.
fn ordered(pieces: &[&[Waiting]], bits: u32) -> (Vec<u32>, Vec<u8>) {
    let buckets = 1_usize << bits;
    let mut next = vec![0_u32; buckets + 1];
    for waiting in pieces.iter().copied().flatten() {
        next[waiting.bucket(bits) + 1] += 1;
    }
    for at in 1..next.len() {
        next[at] += next[at - 1];
    }
    let starts = next[..buckets].to_vec();
    let mut postings = vec![0_u8; next[buckets] as usize * 8];
    let (slots, _) = postings.as_chunks_mut::<8>();
    for (number, piece) in pieces.iter().enumerate() {
        for waiting in *piece {
            let slot = &mut next[waiting.bucket(bits)];
            slots[*slot as usize] = waiting.posting(number).to_le_bytes();
            *slot += 1;
        }
    }
    (starts, postings)
}

struct Kept<'a> {
    statistics: &'a Statistics,
    keys: Vec<u64>,
}

impl KeySink for Kept<'_> {
    fn push(&mut self, key: u64, size: BlockSize) -> bool {
        let stopped = self.statistics.blocks().is_stopped(key, size);
        if !stopped {
            self.keys.push(key);
        }
        stopped
    }

    fn refine(&mut self, key: u64, size: BlockSize) {
        if !self.statistics.refined_blocks().is_stopped(key, size) {
            self.keys.push(key);
        }
    }
}
