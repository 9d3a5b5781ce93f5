//! Counting a directory version.
//!
//! Invariant: counts add up, so that parts may be counted apart, in any order, and merged.
#![allow(clippy::cast_possible_truncation, reason = "cells are the low bits of keys")]

use rustc_hash::FxHashMap;

use super::{EmployerFacts, Statistics, Term, country_key, full_name_key, term};
use crate::blocking::{BlockSize, KeySink};
use crate::form::{CompanyForm, PersonForm};
use crate::keys::{company_keys, person_keys};
use crate::text::{hash32, hash64};

/// Counts a version's entities, streaming; parts are counted apart and merged.
#[derive(Clone, Debug)]
pub struct StatisticsBuilder {
    persons: u64,
    companies: u64,
    terms: FxHashMap<u64, u32>,
    by_id: FxHashMap<u64, EmployerFacts>,
    by_slug: FxHashMap<u32, EmployerFacts>,
    /// How often people of an employer use a mail domain.
    mail: FxHashMap<(u32, u32, u32), u32>,
    cells: Vec<u8>,
}

/// Cells of the block-size sketch for a version of about so many entities: a power of two, with several cells to a key. Two keys may share a cell; a stopped
/// cell stops both, alike on both sides.
fn cells_for(entities: u64) -> usize {
    let cells = entities.saturating_mul(8).clamp(1 << 12, 1 << 30);
    usize::try_from(cells).unwrap_or(1 << 30).next_power_of_two()
}

impl Default for StatisticsBuilder {
    /// Sized for a million entities.
    fn default() -> Self {
        Self::sized_for(1_000_000)
    }
}

impl StatisticsBuilder {
    /// A builder for a version of about so many entities: it takes 8 bytes for each. The guess changes speed and recall a little, never correctness;
    /// builders that are merged may be sized differently.
    #[must_use]
    pub fn sized_for(entities: u64) -> Self {
        Self {
            persons: 0,
            companies: 0,
            terms: FxHashMap::default(),
            by_id: FxHashMap::default(),
            by_slug: FxHashMap::default(),
            mail: FxHashMap::default(),
            cells: vec![0; cells_for(entities)],
        }
    }
}

struct CountedCells<'a>(&'a mut [u8]);

impl KeySink for CountedCells<'_> {
    /// A block that is over the cap already will be stopped, so its rarer keys are counted from there on.
    fn push(&mut self, key: u64, size: BlockSize) -> bool {
        let at = key as usize & (self.0.len() - 1);
        let cell = &mut self.0[at];
        *cell = cell.saturating_add(1);
        *cell > size.cap()
    }
}

impl StatisticsBuilder {
    fn add_term(&mut self, of: Term, value: u32) {
        if value != 0 {
            *self.terms.entry(term(of, value)).or_default() += 1;
        }
    }

    /// Counts a person.
    pub fn add_person(&mut self, form: &PersonForm) {
        self.persons += 1;
        for token in form.name.given.iter().filter(|token| token.len() > 1) {
            self.add_term(Term::Given, hash32(token.as_bytes()));
        }
        if !form.name.family.is_empty() {
            let family = hash32(form.name.family_joined().as_bytes());
            self.add_term(Term::Family, family);
            if let Some(given) = form.name.first_given() {
                self.add_term(Term::FullName, full_name_key(hash32(given.as_bytes()), family));
            }
        }
        for employment in &form.employments {
            if let Some(company) = &employment.company {
                self.add_term(Term::Employer, company.slug_key());
                company
                    .words
                    .split(' ')
                    .for_each(|word| self.add_term(Term::Word, hash32(word.as_bytes())));
            }
            self.add_term(Term::Title, employment.title.key());
        }
        self.add_term(Term::City, form.place.city_key());
        self.add_term(Term::Country, country_key(form.place.country));
        self.add_mail_domain(form);
        person_keys(form, None).emit(&mut CountedCells(&mut self.cells));
    }

    fn add_mail_domain(&mut self, form: &PersonForm) {
        let Some(company) =
            form.employments.first().and_then(|employment| employment.company.as_ref())
        else {
            return;
        };
        for domain in form
            .mailboxes
            .iter()
            .map(|mailbox| &mailbox.domain)
            .filter(|domain| domain.is_company())
        {
            let stem = hash32(domain.stem.as_bytes());
            *self.mail.entry((company.slug_key(), domain.key(), stem)).or_default() += 1;
        }
    }

    /// Counts a company.
    pub fn add_company(&mut self, form: &CompanyForm) {
        self.companies += 1;
        let facts = form
            .domains
            .first()
            .map(|domain| EmployerFacts {
                slug: 0,
                domain: domain.key(),
                stem: hash32(domain.stem.as_bytes()),
            })
            .unwrap_or_default();
        for (at, name) in form.names.iter().enumerate() {
            let facts = EmployerFacts { slug: name.slug_key(), ..facts };
            if at == 0 {
                self.by_id.insert(hash64(form.id.as_bytes()), facts);
            }
            // Two companies of one name: the smaller domain key, so that the order of parts does not matter.
            self.by_slug
                .entry(facts.slug)
                .and_modify(|known| *known = (*known).min(facts))
                .or_insert(facts);
            self.add_term(Term::CompanySlug, facts.slug);
            name.words
                .split(' ')
                .for_each(|word| self.add_term(Term::Word, hash32(word.as_bytes())));
        }
        self.add_term(Term::CompanyCity, form.place.city_key());
        self.add_term(Term::CompanyCountry, country_key(form.place.country));
        self.add_term(Term::CompanyPhone, form.phone);
        company_keys(form).emit(&mut CountedCells(&mut self.cells));
    }

    /// Counts what another builder counted, of other entities of the same version.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.persons += other.persons;
        self.companies += other.companies;
        for (term, count) in other.terms {
            *self.terms.entry(term).or_default() += count;
        }
        for (mail, count) in other.mail {
            *self.mail.entry(mail).or_default() += count;
        }
        self.by_id.extend(other.by_id);
        for (slug, facts) in other.by_slug {
            self.by_slug
                .entry(slug)
                .and_modify(|known| *known = (*known).min(facts))
                .or_insert(facts);
        }
        // A larger sketch folds onto a smaller one, since cells are the low bits of keys.
        let mut others = other.cells;
        if others.len() < self.cells.len() {
            std::mem::swap(&mut others, &mut self.cells);
        }
        let mask = self.cells.len() - 1;
        for (at, count) in others.into_iter().enumerate() {
            let cell = &mut self.cells[at & mask];
            *cell = cell.saturating_add(count);
        }
        self
    }

    /// The statistics of what was counted.
    #[must_use]
    pub fn finish(mut self) -> Statistics {
        // A mail domain that two people of an employer use is the employer's; the company directory's own word goes first.
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
        let mut sizes = vec![0_u64; self.cells.len() / 32];
        for (cell, count) in self.cells.iter().enumerate() {
            sizes[cell / 32] |= BlockSize::fitting(*count) << (cell % 32 * 2);
        }
        Statistics {
            persons: self.persons,
            companies: self.companies,
            terms: self.terms,
            by_id: self.by_id,
            by_slug: self.by_slug,
            sizes,
        }
    }
}
