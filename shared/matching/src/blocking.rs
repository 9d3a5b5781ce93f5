//! Blocking: the union of cheap keys under which a record and its entity meet.
//!
//! Invariant: record and entity make their keys with one function from one
//! [`Statistics`](crate::Statistics), so a candidate pair always shares a block. A block over its
//! cap in the whole version is stopped for both. Rarer keys below it then take its place.
#![allow(clippy::cast_possible_truncation, reason = "a length is mixed into a hash")]

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::lists::formal_names;
use crate::normalize::acronym;
use crate::text::{hash32, hash64};

/// The size that a rule's blocks may have in a version; larger blocks are stopped.
///
/// Rules that say much about a pair may have large blocks, rules that say little only tiny ones.
/// Chosen on generated sets of a million: pair recall falls with smaller caps, candidates per
/// record rise with larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BlockSize {
    /// Up to 8 entities.
    Tiny,
    /// Up to 24.
    Small,
    /// Up to [`BLOCK_CAP`].
    Large,
}

/// The most entities a block may have in a version.
pub const BLOCK_CAP: u8 = 48;

impl BlockSize {
    /// The most entities of a block of this size.
    pub(crate) fn cap(self) -> u8 {
        match self {
            Self::Tiny => 8,
            Self::Small => 24,
            Self::Large => BLOCK_CAP,
        }
    }

    /// The smallest size a block of so many entities fits, as two bits; 3 for none.
    pub(crate) fn fitting(entities: u8) -> u64 {
        [Self::Tiny, Self::Small, Self::Large].iter().filter(|size| entities > size.cap()).count()
            as u64
    }
}

/// Takes keys as they are made.
pub(crate) trait KeySink {
    /// Wants only keys that may be refined.
    const ONLY_REFINABLE: bool = false;

    /// Takes a key; `true` if its block is stopped and rarer keys are wanted.
    ///
    /// `size` is how large its block may be; a [`BlockSize::Large`] rule says enough about a pair
    /// by itself.
    fn push(&mut self, key: u64, size: BlockSize) -> bool;

    /// Takes a rarer key below a stopped one.
    fn refine(&mut self, key: u64, size: BlockSize);
}

#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Rule {
    Identity = 1,
    NamePair,
    NamePrefix,
    NameSuffix,
    NameInitial,
    Family,
    Given,
    EmployerFamily,
    EmployerGiven,
    EmployerInitials,
    Mail,
    Phone,
    Refined,
    Slug,
    SlugPrefix,
    SlugSuffix,
    Skeleton,
    Word,
    WordPair,
    Domain,
    Street,
    SortedWords,
}

pub(crate) fn key(rule: Rule, left: u32, right: u32) -> u64 {
    let mut bytes = [0_u8; 9];
    bytes[0] = rule as u8;
    bytes[1..5].copy_from_slice(&left.to_le_bytes());
    bytes[5..].copy_from_slice(&right.to_le_bytes());
    hash64(&bytes)
}

fn wide_key(rule: Rule, value: u64) -> u64 {
    key(rule, value as u32, (value >> 32) as u32)
}

/// The block of one entity alone, by its id.
pub(crate) fn identity_key(id: &str) -> u64 {
    wide_key(Rule::Identity, hash64(id.as_bytes()))
}

fn unordered(rule: Rule, left: u32, right: u32) -> u64 {
    key(rule, left.min(right), left.max(right))
}

/// An employer's part in block keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct EmployerKeys {
    /// Slugs, acronyms and domain stems.
    pub(crate) slugs: SmallVec<[u32; 6]>,
    /// The hash of the first four letters.
    pub(crate) prefix: u32,
}

/// The parts of a person that make block keys.
#[derive(Default)]
pub(crate) struct PersonKeys<'a> {
    pub(crate) given: SmallVec<[&'a [u8]; 6]>,
    pub(crate) family: SmallVec<[&'a [u8]; 6]>,
    pub(crate) employers: SmallVec<[Cow<'a, EmployerKeys>; 6]>,
    pub(crate) mail_keys: SmallVec<[u64; 4]>,
    /// Names read from mail addresses: given and family.
    pub(crate) mail_names: SmallVec<[(u32, u32); 2]>,
    pub(crate) phones: SmallVec<[u32; 4]>,
    pub(crate) city: u32,
    pub(crate) country: u32,
}

/// The most forms of a name that make keys.
const NAME_FORMS: usize = 8;

impl PersonKeys<'_> {
    /// Makes all keys.
    pub(crate) fn emit<S: KeySink>(&self, sink: &mut S) {
        let given = self.given_forms();
        let family = self.family_forms();
        let joined = joined(&self.family);
        self.emit_names(&given, &family, &joined, sink);
        self.emit_initials(&given, &family, sink);
        if S::ONLY_REFINABLE {
            return;
        }
        for &name in &family {
            sink.push(key(Rule::Family, name, 0), BlockSize::Tiny);
        }
        for &name in given.iter().take(3) {
            sink.push(key(Rule::Given, name, 0), BlockSize::Tiny);
        }
        self.emit_employers(&given, &joined, sink);
        for &mail in &self.mail_keys {
            sink.push(wide_key(Rule::Mail, mail), BlockSize::Large);
        }
        for &phone in &self.phones {
            sink.push(key(Rule::Phone, phone, 0), BlockSize::Large);
        }
    }

    /// Both names, and a given name with a part of the family name.
    fn emit_names(&self, given: &[u32], family: &[u32], joined: &[u8], sink: &mut impl KeySink) {
        for &first in given {
            for &last in family {
                self.push_refined(unordered(Rule::NamePair, first, last), BlockSize::Large, sink);
            }
        }
        for &(first, last) in &self.mail_names {
            self.push_refined(unordered(Rule::NamePair, first, last), BlockSize::Large, sink);
        }
        // A slip in a family name is looked for under the given names as written. Formal given
        // names here as well would double the index for few pairs.
        if joined.len() >= 5 {
            let (start, end) = (hash32(&joined[..4]), hash32(&joined[joined.len() - 4..]));
            for &first in given.iter().take(2) {
                self.push_refined(key(Rule::NamePrefix, first, start), BlockSize::Small, sink);
                self.push_refined(key(Rule::NameSuffix, first, end), BlockSize::Small, sink);
            }
        }
    }

    fn given_forms(&self) -> SmallVec<[u32; 8]> {
        let mut forms: SmallVec<[u32; 8]> = SmallVec::new();
        let mut push = |bytes: &[u8]| {
            let form = hash32(bytes);
            if forms.len() < NAME_FORMS && !forms.contains(&form) {
                forms.push(form);
            }
        };
        let long: SmallVec<[&[u8]; 6]> =
            self.given.iter().copied().filter(|token| token.len() > 1).collect();
        for token in &long {
            push(token);
        }
        if long.len() > 1 {
            push(&long.concat());
        }
        for token in &long {
            for formal in formal_names(token).iter().take(4) {
                push(formal);
            }
        }
        forms
    }

    fn family_forms(&self) -> SmallVec<[u32; 8]> {
        let mut forms: SmallVec<[u32; 8]> = SmallVec::new();
        if self.family.len() > 1 {
            forms.push(hash32(&joined(&self.family)));
        }
        for token in self
            .family
            .iter()
            .filter(|token| token.len() > 2 || self.family.len() == 1 && token.len() > 1)
        {
            let form = hash32(token);
            if forms.len() < 5 && !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms
    }

    /// A full name with the other's initial, whichever is which.
    fn emit_initials(&self, given: &[u32], family: &[u32], sink: &mut impl KeySink) {
        let initial = |tokens: &[&[u8]]| {
            tokens.first().and_then(|token| token.first()).map(|&byte| u32::from(byte))
        };
        if let Some(first) = initial(&self.given) {
            for &name in family {
                self.push_refined(key(Rule::NameInitial, name, first), BlockSize::Small, sink);
            }
        }
        if let Some(last) = initial(&self.family) {
            for &name in given.iter().take(2) {
                self.push_refined(key(Rule::NameInitial, name, last), BlockSize::Small, sink);
            }
        }
    }

    fn emit_employers(&self, given: &[u32], joined: &[u8], sink: &mut impl KeySink) {
        let family_start = (joined.len() >= 3).then(|| hash32(&joined[..3]));
        let initials =
            self.given.first().and_then(|token| token.first()).zip(joined.first()).map(
                |(first, last)| u32::from(*first.min(last)) << 8 | u32::from(*first.max(last)),
            );
        let mut seen: SmallVec<[u32; 24]> = SmallVec::new();
        for &slug in self.employers.iter().flat_map(|employer| &employer.slugs) {
            if seen.contains(&slug) {
                continue;
            }
            seen.push(slug);
            if let Some(start) = family_start {
                sink.push(key(Rule::EmployerFamily, slug, start), BlockSize::Small);
            }
            for &first in given.iter().take(3) {
                sink.push(key(Rule::EmployerGiven, slug, first), BlockSize::Small);
            }
            if let Some(initials) = initials {
                sink.push(key(Rule::EmployerInitials, slug, initials), BlockSize::Tiny);
            }
        }
    }

    /// Pushes a key. If its block is stopped, also pushes the rarer keys below it: with the city,
    /// the country, and each employer's first letters.
    fn push_refined(&self, coarse: u64, size: BlockSize, sink: &mut impl KeySink) {
        if !sink.push(coarse, size) {
            return;
        }
        let coarse = hash32(&coarse.to_le_bytes());
        if self.city != 0 {
            sink.refine(key(Rule::Refined, coarse, self.city), size);
        }
        if self.country != 0 {
            sink.refine(key(Rule::Refined, coarse, self.country), size);
        }
        let mut seen: SmallVec<[u32; 8]> = SmallVec::new();
        for employer in self.employers.iter().filter(|employer| employer.prefix != 0) {
            if !seen.contains(&employer.prefix) {
                seen.push(employer.prefix);
                sink.refine(key(Rule::Refined, coarse, employer.prefix), size);
            }
        }
    }
}

fn joined(tokens: &[&[u8]]) -> SmallVec<[u8; 32]> {
    tokens.iter().flat_map(|token| token.iter().copied()).collect()
}

/// The parts of a company that make block keys.
#[derive(Default)]
pub(crate) struct CompanyKeys<'a> {
    pub(crate) names: SmallVec<[&'a str; 4]>,
    pub(crate) domains: SmallVec<[(u32, u32); 4]>,
    pub(crate) phone: u32,
    pub(crate) street: u32,
    pub(crate) city: u32,
    pub(crate) country: u32,
    pub(crate) postal: u32,
}

impl CompanyKeys<'_> {
    /// Makes all keys.
    pub(crate) fn emit(&self, sink: &mut impl KeySink) {
        for name in &self.names {
            self.emit_name(name, sink);
        }
        for &(domain, stem) in &self.domains {
            sink.push(key(Rule::Domain, domain, 0), BlockSize::Large);
            sink.push(key(Rule::Slug, stem, 0), BlockSize::Large);
        }
        if self.phone != 0 {
            sink.push(key(Rule::Phone, self.phone, 0), BlockSize::Small);
        }
        if self.street != 0 {
            self.push_placed(key(Rule::Street, self.street, 0), sink);
        }
    }

    fn emit_name(&self, words: &str, sink: &mut impl KeySink) {
        let slug: SmallVec<[u8; 48]> = words.bytes().filter(|byte| *byte != b' ').collect();
        self.push_placed(key(Rule::Slug, hash32(&slug), 0), sink);
        if let Some(acronym) = acronym(words) {
            self.push_placed(key(Rule::Slug, hash32(acronym.as_bytes()), 0), sink);
        }
        if slug.len() >= 6 {
            self.push_placed(key(Rule::SlugPrefix, hash32(&slug[..6]), 0), sink);
            self.push_placed(key(Rule::SlugSuffix, hash32(&slug[slug.len() - 6..]), 0), sink);
        }
        let skeleton: SmallVec<[u8; 48]> = slug
            .iter()
            .copied()
            .enumerate()
            .filter(|(at, byte)| *at == 0 || !b"aeiouyh".contains(byte))
            .map(|(_, byte)| byte)
            .collect();
        if skeleton.len() >= 3 {
            self.push_placed(key(Rule::Skeleton, hash32(&skeleton), 0), sink);
        }
        let hashes: SmallVec<[u32; 8]> = words
            .split(' ')
            .filter(|word| word.len() > 1)
            .map(|word| hash32(word.as_bytes()))
            .collect();
        for &word in &hashes {
            self.push_placed(key(Rule::Word, word, 0), sink);
        }
        for pair in hashes.windows(2) {
            self.push_placed(unordered(Rule::WordPair, pair[0], pair[1]), sink);
        }
        if hashes.len() > 2 {
            let mut sorted = hashes.clone();
            sorted.sort_unstable();
            sink.push(
                key(
                    Rule::SortedWords,
                    sorted.iter().fold(0, |all, word| all ^ word),
                    sorted.len() as u32,
                ),
                BlockSize::Large,
            );
        }
    }

    fn push_placed(&self, coarse: u64, sink: &mut impl KeySink) {
        if !sink.push(coarse, BlockSize::Large) {
            return;
        }
        let coarse = hash32(&coarse.to_le_bytes());
        for place in [self.city, self.postal, self.country] {
            if place != 0 {
                sink.refine(key(Rule::Refined, coarse, place), BlockSize::Large);
            }
        }
    }
}
