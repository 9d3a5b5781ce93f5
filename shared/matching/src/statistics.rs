//! The statistics of a whole directory version: term frequencies, block sizes and facts of
//! employers.
//!
//! Invariant: shards and probes of a version read frequencies and stopped blocks from here alone.
//! That is why one, two or five shards give the same result.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "counts become weights"
)]

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::blocking::BlockSize;
use crate::codec::{Put, Take};
use crate::entity::EntityKind;
use crate::normalize::CompanyName;
use crate::text::hash64;

/// The field that a term is a value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Term {
    Given = 1,
    Family,
    FullName,
    Employer,
    Word,
    City,
    Country,
    Title,
    CompanySlug,
    CompanyCity,
    CompanyCountry,
    CompanyPhone,
    Mail,
    Phone,
    CompanyDomain,
    CompanyStreet,
}

/// A wide id as a term's value.
pub(crate) fn fold_key(wide: u64) -> u32 {
    ((wide ^ wide >> 32) as u32).max(1)
}

pub(crate) fn term(of: Term, value: u32) -> u64 {
    (of as u64) << 32 | u64::from(value)
}

/// An employer's name and domain in the version's company directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct EmployerFacts {
    pub(crate) slug: u32,
    pub(crate) domain: u32,
    pub(crate) stem: u32,
}

/// The statistics of a directory version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    pub(crate) persons: u64,
    pub(crate) companies: u64,
    /// Terms counted twice or more.
    pub(crate) terms: FxHashMap<u64, u32>,
    /// Employers by the hash of their directory id.
    pub(crate) by_id: FxHashMap<u64, EmployerFacts>,
    /// Employers by the slug of their name.
    pub(crate) by_slug: FxHashMap<u32, EmployerFacts>,
    /// The sizes of the version's blocks.
    pub(crate) blocks: BlockSizes,
    /// The same for the rarer keys below the stopped ones.
    pub(crate) refined: BlockSizes,
}

/// The sizes of blocks: two bits per cell tell the smallest [`BlockSize`] that its block fits. A
/// key's cell is its low bits, so the number of cells is a power of two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlockSizes(Vec<u64>);

impl BlockSizes {
    /// From the entities counted in each cell.
    pub(crate) fn of(cells: &[u8]) -> Self {
        let word = |cells: &[u8]| {
            cells.iter().rev().fold(0, |bits, &count| bits << 2 | BlockSize::fitting(count))
        };
        Self(cells.chunks(32).map(word).collect())
    }

    /// The smallest [`BlockSize`] a key's block fits, 3 for none.
    pub(crate) fn fitting(&self, key: u64) -> u64 {
        let cell = key as usize & (self.0.len() * 32).wrapping_sub(1);
        self.0.get(cell / 32).map_or(0, |bits| bits >> (cell % 32 * 2) & 3)
    }

    pub(crate) fn is_stopped(&self, key: u64, size: BlockSize) -> bool {
        self.fitting(key) > size as u64
    }

    fn fingerprint(&self) -> u64 {
        let cells = self.0.iter().enumerate().filter(|(_, bits)| **bits != 0);
        cells.fold(0, |all, (at, bits)| all.wrapping_add(hash64(&(bits ^ at as u64).to_le_bytes())))
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    persons: u64,
    companies: u64,
    terms: Vec<(u64, u32)>,
    by_id: Vec<(u64, EmployerFacts)>,
    by_slug: Vec<(u32, EmployerFacts)>,
    blocks: BlockSizes,
    refined: BlockSizes,
}

/// The first bytes of a statistics file; the last is the format's version.
const MAGIC: [u8; 8] = *b"CRMSTAT\x02";

/// Statistics that cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatisticsError {
    /// Not a statistics file, or of another format version.
    #[error("not a statistics file of this format version: build the directory version again")]
    OtherFormat,
    /// Cut short or changed.
    #[error("the statistics file is truncated or corrupt: fetch or build it again")]
    Corrupt,
    /// Not encodable.
    #[error("the statistics cannot be encoded")]
    Unwritable,
}

impl Statistics {
    /// Entities of a kind in the version.
    #[must_use]
    pub fn entities(&self, kind: EntityKind) -> u64 {
        match kind {
            EntityKind::Person => self.persons,
            EntityKind::Company => self.companies,
        }
    }

    /// The number of times a value occurs in the version, at least 1.
    pub(crate) fn count(&self, of: Term, value: u32) -> f32 {
        self.terms.get(&term(of, value)).map_or(1.0, |count| *count as f32)
    }

    /// The bits that an agreement on a value loses, at most 0: one for each doubling of the
    /// entities that have it.
    pub(crate) fn discount(&self, of: Term, value: u32) -> f32 {
        -self.count(of, value).log2()
    }

    pub(crate) fn blocks(&self) -> &BlockSizes {
        &self.blocks
    }

    pub(crate) fn refined_blocks(&self) -> &BlockSizes {
        &self.refined
    }

    /// The facts of an employment's company beyond its name.
    pub(crate) fn employer_facts(
        &self,
        company: Option<&CompanyName>,
        company_id: u64,
    ) -> Option<EmployerFacts> {
        self.by_id.get(&company_id).or_else(|| self.by_slug.get(&company?.slug_key())).copied()
    }

    /// A hash of the statistics: shards and probes must be made with the same.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let folded = self.terms.iter().fold(0_u64, |all, (term, count)| {
            all.wrapping_add(hash64(&(term ^ u64::from(*count) << 40).to_le_bytes()))
        });
        let known = self.by_id.iter().fold(0_u64, |all, (id, facts)| {
            all.wrapping_add(hash64(&(id ^ u64::from(facts.slug)).to_le_bytes()))
        });
        let (blocks, refined) = (self.blocks.fingerprint(), self.refined.fingerprint());
        let parts = [self.persons, self.companies, folded, blocks, refined, known];
        hash64(&parts.map(u64::to_le_bytes).concat())
    }

    /// The statistics as bytes: equal statistics give equal bytes.
    ///
    /// # Errors
    /// [`StatisticsError::Unwritable`] if they cannot be encoded.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatisticsError> {
        fn sorted<K: Ord + Copy, V: Copy>(map: &FxHashMap<K, V>) -> Vec<(K, V)> {
            let mut entries: Vec<(K, V)> = map.iter().map(|(key, value)| (*key, *value)).collect();
            entries.sort_unstable_by_key(|entry| entry.0);
            entries
        }
        let stored = Stored {
            persons: self.persons,
            companies: self.companies,
            terms: sorted(&self.terms),
            by_id: sorted(&self.by_id),
            by_slug: sorted(&self.by_slug),
            blocks: self.blocks.clone(),
            refined: self.refined.clone(),
        };
        let body = postcard::to_allocvec(&stored).map_err(|_| StatisticsError::Unwritable)?;
        let mut bytes = MAGIC.to_vec();
        bytes.put_u64(hash64(&body));
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    /// Reads [`Self::to_bytes`] back.
    ///
    /// # Errors
    /// [`StatisticsError`] for bytes that are not statistics of this format, whole and unchanged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatisticsError> {
        let body = bytes.strip_prefix(&MAGIC).ok_or(StatisticsError::OtherFormat)?;
        let mut head = Take(body);
        if body.len() < 8 || head.u64() != hash64(head.0) {
            return Err(StatisticsError::Corrupt);
        }
        let stored: Stored = postcard::from_bytes(head.0).map_err(|_| StatisticsError::Corrupt)?;
        Ok(Self {
            persons: stored.persons,
            companies: stored.companies,
            terms: stored.terms.into_iter().collect(),
            by_id: stored.by_id.into_iter().collect(),
            by_slug: stored.by_slug.into_iter().collect(),
            blocks: stored.blocks,
            refined: stored.refined,
        })
    }
}

pub(crate) fn full_name_key(given: u32, family: u32) -> u32 {
    given.rotate_left(7) ^ family
}

pub(crate) fn country_key(code: [u8; 2]) -> u32 {
    u32::from(code[0]) << 8 | u32::from(code[1])
}
