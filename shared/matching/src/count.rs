//! Counting a directory version, in two passes.
//!
//! The first pass counts terms and blocks. The second knows which blocks are too large, and counts
//! the rarer keys that take their place.
//!
//! Invariant: counts add up, so that parts may be counted apart, in any order, and merged.
#![allow(clippy::cast_possible_truncation, reason = "cells are the low bits of keys")]

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::blocking::{BlockSize, KeySink};
use crate::entity::EntityKind;
use crate::normalize::slug_key;
use crate::parallel::{map_ranges, share};
use crate::shard::{CompanyView, NamesView, ShardBuilder};
use crate::statistics::{
    BlockSizes, EmployerFacts, Statistics, Term, country_key, fold_key, full_name_key, term,
};
use crate::text::{hash32, hash64};

/// The first pass over a version: its terms, employers and blocks. Parts are counted apart and
/// merged.
#[derive(Clone, Debug)]
pub struct StatisticsBuilder {
    persons: u64,
    companies: u64,
    terms: FxHashMap<u64, u32>,
    by_id: FxHashMap<u64, EmployerFacts>,
    by_slug: FxHashMap<u32, EmployerFacts>,
    /// The number of people by employer's slug, mail domain and its stem.
    mail: FxHashMap<(u32, u32, u32), u32>,
    cells: Vec<u8>,
}

/// The people that a company's main number is taken to be shared by.
const SWITCHBOARD: u32 = 8;

/// Cells of the block-size sketch for a version of about so many entities: a power of two. Two keys
/// may share a cell. A stopped cell stops both keys, for records and entities alike. If the sketch
/// fits the processor's cache, it has so many cells that keys hardly ever share one.
fn cells_for(entities: u64) -> usize {
    let roomy = entities.saturating_mul(256).min(1 << 21);
    let cells = entities.saturating_mul(6).max(roomy).clamp(1 << 12, 1 << 30);
    usize::try_from(cells).unwrap_or(1 << 30).next_power_of_two()
}

impl StatisticsBuilder {
    /// A builder for a version of about so many entities. It takes 6 to 12 bytes for each, more in
    /// a small version. The estimate changes speed and recall a little, never correctness. Merged
    /// builders may differ in size; the result is that of the smallest.
    #[must_use]
    pub fn sized_for(entities: u64) -> Self {
        Self::with_cells(cells_for(entities))
    }

    fn with_cells(cells: usize) -> Self {
        Self {
            persons: 0,
            companies: 0,
            terms: FxHashMap::default(),
            by_id: FxHashMap::default(),
            by_slug: FxHashMap::default(),
            mail: FxHashMap::default(),
            cells: vec![0; cells],
        }
    }
}

/// Counts entities in cells. Keys wait and are counted together, because cells lie all over the
/// memory and the delays of reading them then overlap.
struct Counter<'a> {
    cells: &'a mut [u8],
    waiting: Vec<u32>,
}

/// The most keys that wait.
const WAITING: usize = 4096;

impl<'a> Counter<'a> {
    fn new(cells: &'a mut [u8]) -> Self {
        Self { cells, waiting: Vec::with_capacity(WAITING) }
    }

    fn count(&mut self, key: u64) {
        // A sketch has 2^30 cells at most.
        self.waiting.push(key as u32);
        if self.waiting.len() == WAITING {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let mask = self.cells.len() - 1;
        for key in self.waiting.drain(..) {
            let cell = &mut self.cells[key as usize & mask];
            *cell = cell.saturating_add(1);
        }
    }
}

impl Drop for Counter<'_> {
    fn drop(&mut self) {
        self.settle();
    }
}

/// Stops no block, so that its counts do not depend on what came before.
struct CountedBlocks<'a>(Counter<'a>);

impl KeySink for CountedBlocks<'_> {
    fn push(&mut self, key: u64, _: BlockSize) -> bool {
        self.0.count(key);
        false
    }

    fn refine(&mut self, _: u64, _: BlockSize) {}
}

struct CountedRefinements<'a> {
    blocks: &'a BlockSizes,
    counter: Counter<'a>,
}

impl KeySink for CountedRefinements<'_> {
    const ONLY_REFINABLE: bool = true;

    fn push(&mut self, key: u64, size: BlockSize) -> bool {
        self.blocks.is_stopped(key, size)
    }

    fn refine(&mut self, key: u64, _: BlockSize) {
        self.counter.count(key);
    }
}

/// Adds counts up. A larger sketch folds onto a smaller one, since cells are the low bits of keys.
fn add_cells(cells: &mut Vec<u8>, mut others: Vec<u8>) {
    if others.len() < cells.len() {
        std::mem::swap(&mut others, cells);
    }
    for others in others.chunks(cells.len()) {
        for (cell, count) in cells.iter_mut().zip(others) {
            *cell = cell.saturating_add(*count);
        }
    }
}

impl StatisticsBuilder {
    fn add_term(&mut self, of: Term, value: u32, times: u32) {
        if value != 0 {
            *self.terms.entry(term(of, value)).or_default() += times;
        }
    }

    fn add_words(&mut self, words: &str, times: u32) {
        words.split(' ').for_each(|word| self.add_term(Term::Word, hash32(word.as_bytes()), times));
    }

    /// Counts the entities that a shard builder holds.
    pub fn add(&mut self, entities: &ShardBuilder) {
        let keys = entities.employer_keys(None);
        let cells = self.cells.len();
        let parts = map_ranges(entities.len(), share(entities.len()).max(1), |range| {
            let mut part = Self::with_cells(cells);
            part.add_range(entities, range.clone());
            entities.emit(range, &keys, &mut CountedBlocks(Counter::new(&mut part.cells)));
            part
        });
        for part in parts {
            self.absorb(part);
        }
        self.add_employments(entities);
    }

    fn add_range(&mut self, entities: &ShardBuilder, range: Range<usize>) {
        for ordinal in range {
            match entities.kind() {
                EntityKind::Person => self.add_person(entities, ordinal),
                EntityKind::Company => self.add_company(entities.row(ordinal)),
            }
        }
    }

    fn add_person(&mut self, entities: &ShardBuilder, ordinal: usize) {
        self.persons += 1;
        let names = NamesView::take(entities.row(ordinal));
        let (given, family) = (names.given(), names.family());
        for token in given.iter().filter(|token| token.len() > 1) {
            self.add_term(Term::Given, hash32(token), 1);
        }
        if !family.is_empty() {
            let family = hash32(&family.concat());
            self.add_term(Term::Family, family, 1);
            let first = given.iter().find(|token| token.len() > 1).or(given.first());
            if let Some(first) = first {
                self.add_term(Term::FullName, full_name_key(hash32(first), family), 1);
            }
        }
        let person = names.person();
        if !person.city.is_empty() {
            self.add_term(Term::City, hash32(person.city), 1);
        }
        self.add_term(Term::Country, country_key(person.country), 1);
        for mail in person.mail.iter().filter(|mail| mail.key != 0) {
            self.add_term(Term::Mail, fold_key(mail.key), 1);
        }
        for (at, &phone) in person.phones.iter().enumerate() {
            if !person.phones[..at].contains(&phone) {
                self.add_term(Term::Phone, phone, 1);
            }
        }
        if let Some(company) = entities.employer_of(ordinal) {
            for mail in person.mail.iter().filter(|mail| mail.stem != 0) {
                *self.mail.entry((company.slug_key(), mail.domain, mail.stem)).or_default() += 1;
            }
        }
    }

    /// Counts employers and titles. Each is looked at once, with the number of people who share it.
    fn add_employments(&mut self, entities: &ShardBuilder) {
        for (company, times) in entities.employers_counted() {
            self.add_term(Term::Employer, company.slug_key(), times);
            self.add_words(&company.words, times);
        }
        for (title, times) in entities.titles_counted() {
            self.add_term(Term::Title, title.key(), times);
        }
    }

    fn add_company(&mut self, row: &[u8]) {
        self.companies += 1;
        let company = CompanyView::take(row);
        let (domain, stem) =
            company.domains.first().map_or((0, 0), |(domain, stem)| (*domain, hash32(stem)));
        for (at, words) in company.names.iter().enumerate() {
            let slug = slug_key(words);
            let facts = EmployerFacts { slug, domain, stem };
            if at == 0 {
                self.by_id.insert(hash64(company.id.as_bytes()), facts);
            }
            self.know_slug(facts);
            self.add_term(Term::CompanySlug, slug, 1);
            self.add_words(words, 1);
        }
        if !company.city.is_empty() {
            self.add_term(Term::CompanyCity, hash32(company.city), 1);
        }
        self.add_term(Term::CompanyCountry, country_key(company.country), 1);
        self.add_term(Term::CompanyPhone, company.phone, 1);
        self.add_term(Term::Phone, company.phone, SWITCHBOARD);
        for (domain, _) in &company.domains {
            self.add_term(Term::CompanyDomain, *domain, 1);
        }
        if company.street.name != 0 {
            self.add_term(Term::CompanyStreet, company.street.key(), 1);
        }
    }

    /// Of two companies with one name, keeps the smaller facts, so that the order of parts does not
    /// matter.
    fn know_slug(&mut self, facts: EmployerFacts) {
        let known = self.by_slug.entry(facts.slug).or_insert(facts);
        *known = (*known).min(facts);
    }

    /// Adds another part's counts.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.absorb(other);
        self
    }

    fn absorb(&mut self, other: Self) {
        self.persons += other.persons;
        self.companies += other.companies;
        if self.terms.is_empty() {
            self.terms = other.terms;
        } else {
            for (term, count) in other.terms {
                *self.terms.entry(term).or_default() += count;
            }
        }
        for (mail, count) in other.mail {
            *self.mail.entry(mail).or_default() += count;
        }
        self.by_id.extend(other.by_id);
        other.by_slug.into_values().for_each(|facts| self.know_slug(facts));
        add_cells(&mut self.cells, other.cells);
    }

    /// Ends the first pass. The second goes over the same entities.
    #[must_use]
    pub fn refine(mut self) -> RefinementBuilder {
        // A mail domain that two people of an employer use is the employer's, unless the company
        // directory names another.
        let mut mail: Vec<_> = self
            .mail
            .into_iter()
            .filter(|(_, count)| *count > 1)
            .map(|((slug, domain, stem), count)| (slug, u32::MAX - count, domain, stem))
            .collect();
        mail.sort_unstable();
        mail.dedup_by_key(|entry| entry.0);
        for (slug, _, domain, stem) in mail {
            self.by_slug.entry(slug).or_insert(EmployerFacts { slug, domain, stem });
        }
        self.terms.retain(|_, count| *count > 1);
        let statistics = Statistics {
            persons: self.persons,
            companies: self.companies,
            terms: self.terms,
            by_id: self.by_id,
            by_slug: self.by_slug,
            blocks: BlockSizes::of(&self.cells),
            refined: BlockSizes::default(),
        };
        RefinementBuilder { cells: vec![0; self.cells.len()], statistics }
    }
}

/// The second pass over a version: the sizes of the blocks that replace those too large. Copies
/// count parts apart and are merged.
#[derive(Clone, Debug)]
pub struct RefinementBuilder {
    statistics: Statistics,
    cells: Vec<u8>,
}

impl RefinementBuilder {
    /// Counts the entities that a shard builder holds.
    pub fn add(&mut self, entities: &ShardBuilder) {
        let keys = entities.employer_keys(None);
        let (blocks, length) = (&self.statistics.blocks, self.cells.len());
        let parts = map_ranges(entities.len(), share(entities.len()).max(1), |range| {
            let mut cells = vec![0; length];
            let counter = Counter::new(&mut cells);
            entities.emit(range, &keys, &mut CountedRefinements { blocks, counter });
            cells
        });
        for part in parts {
            add_cells(&mut self.cells, part);
        }
    }

    /// Adds another part's counts.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        add_cells(&mut self.cells, other.cells);
        self
    }

    /// The version's statistics.
    #[must_use]
    pub fn finish(self) -> Statistics {
        Statistics { refined: BlockSizes::of(&self.cells), ..self.statistics }
    }
}

impl Statistics {
    /// Counts a version that is at hand as a whole.
    #[must_use]
    pub fn of(version: &[ShardBuilder]) -> Self {
        let entities = version.iter().map(|entities| entities.len() as u64).sum();
        let mut counts = StatisticsBuilder::sized_for(entities);
        for entities in version {
            counts.add(entities);
        }
        let mut refinements = counts.refine();
        for entities in version {
            refinements.add(entities);
        }
        refinements.finish()
    }
}
