//! The statistics of a whole directory version: term frequencies, block sizes and what is known of employers.
//!
//! Invariant: shards and probes of a version read frequencies and stopped blocks from here and nowhere else, which is why one, two or five shards give the same
//! result.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "counts become weights"
)]

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::blocking::{BlockSize, CompanyKeys, EmployerKeys, KeySink, PersonKeys};
use crate::codec::{Put, Take};
use crate::entity::EntityKind;
use crate::form::{CompanyForm, Employment, PersonForm, Probe};
use crate::normalize::CompanyName;
use crate::text::{collapse_umlauts, hash32, hash64};

/// Cells of the block-size sketch. Two keys may share a cell; a stopped cell stops both, alike on both sides.
const CELLS: usize = 1 << 23;

/// What a term is a value of.
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
}

fn term(of: Term, value: u32) -> u64 {
    (of as u64) << 32 | u64::from(value)
}

/// What the version's company directory says of an employer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct EmployerFacts {
    pub(crate) slug: u32,
    pub(crate) domain: u32,
    pub(crate) stem: u32,
}

/// The statistics of a directory version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    persons: u64,
    companies: u64,
    /// Terms counted twice or more.
    terms: FxHashMap<u64, u32>,
    /// Employers by the hash of their directory id.
    by_id: FxHashMap<u64, EmployerFacts>,
    /// Employers by the slug of their name.
    by_slug: FxHashMap<u32, EmployerFacts>,
    /// Two bits per cell: the smallest [`BlockSize`] its block fits.
    sizes: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    persons: u64,
    companies: u64,
    terms: Vec<(u64, u32)>,
    by_id: Vec<(u64, EmployerFacts)>,
    by_slug: Vec<(u32, EmployerFacts)>,
    sizes: Vec<u64>,
}

/// The first bytes of a statistics file; the last is the format's version.
const MAGIC: [u8; 8] = *b"CRMSTAT\x01";

/// Bytes that are not statistics of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatisticsError {
    /// Not a statistics file, or of another format version.
    #[error("not a statistics file of this format version: build the directory version again")]
    OtherFormat,
    /// Cut short or changed.
    #[error("the statistics file is truncated or corrupt: fetch or build it again")]
    Corrupt,
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

    /// How often a value occurs in the version, 1 at least.
    pub(crate) fn count(&self, of: Term, value: u32) -> f32 {
        self.terms.get(&term(of, value)).map_or(1.0, |count| *count as f32)
    }

    pub(crate) fn is_stopped(&self, key: u64, size: BlockSize) -> bool {
        let cell = key as usize & (CELLS - 1);
        self.sizes.get(cell / 32).is_some_and(|bits| bits >> (cell % 32 * 2) & 3 > size as u64)
    }

    /// What is known of an employment's company beyond its name.
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
        let cells = self
            .sizes
            .iter()
            .enumerate()
            .filter(|(_, bits)| **bits != 0)
            .fold(0_u64, |all, (at, bits)| {
                all.wrapping_add(hash64(&(bits ^ at as u64).to_le_bytes()))
            });
        let known = self.by_id.iter().fold(0_u64, |all, (id, facts)| {
            all.wrapping_add(hash64(&(id ^ u64::from(facts.slug)).to_le_bytes()))
        });
        hash64(&[self.persons, self.companies, folded, cells, known].map(u64::to_le_bytes).concat())
    }

    /// The statistics as bytes: equal statistics give equal bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
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
            sizes: self.sizes.clone(),
        };
        let body = postcard::to_allocvec(&stored).unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        bytes.put_u64(hash64(&body));
        bytes.extend_from_slice(&body);
        bytes
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
            sizes: stored.sizes,
        })
    }
}

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

impl Default for StatisticsBuilder {
    fn default() -> Self {
        Self {
            persons: 0,
            companies: 0,
            terms: FxHashMap::default(),
            by_id: FxHashMap::default(),
            by_slug: FxHashMap::default(),
            mail: FxHashMap::default(),
            cells: vec![0; CELLS],
        }
    }
}

struct CountedCells<'a>(&'a mut [u8]);

impl KeySink for CountedCells<'_> {
    /// A block that is over the cap already will be stopped, so its rarer keys are counted from there on.
    fn push(&mut self, key: u64, size: BlockSize) -> bool {
        let cell = &mut self.0[key as usize & (CELLS - 1)];
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
        for (cell, count) in self.cells.iter_mut().zip(other.cells) {
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
        let mut sizes = vec![0_u64; CELLS / 32];
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

pub(crate) fn full_name_key(given: u32, family: u32) -> u32 {
    given.rotate_left(7) ^ family
}

pub(crate) fn country_key(code: [u8; 2]) -> u32 {
    u32::from(code[0]) << 8 | u32::from(code[1])
}

/// What a person is blocked by; with statistics, employers are known by their directory name and domain too.
pub(crate) fn person_keys<'a>(
    form: &'a PersonForm,
    statistics: Option<&Statistics>,
) -> PersonKeys<'a> {
    let tokens = |tokens: &'a [String]| tokens.iter().map(std::string::String::as_bytes);
    let mut keys = PersonKeys {
        given: tokens(&form.name.given).chain(tokens(&form.name.nick)).collect(),
        family: tokens(&form.name.family).chain(tokens(&form.name.former)).collect(),
        city: form.place.city_key(),
        country: country_key(form.place.country),
        phones: form.phones.iter().copied().collect(),
        ..PersonKeys::default()
    };
    for employment in &form.employments {
        let employer = employer_keys(employment, statistics);
        if !employer.slugs.is_empty() {
            keys.employers.push(employer);
        }
    }
    for domain in form.employer_domains() {
        let prefix = domain.stem.get(..4).map_or(0, |start| hash32(start.as_bytes()));
        keys.employers.push(EmployerKeys {
            slugs: SmallVec::from_slice(&[hash32(domain.stem.as_bytes())]),
            prefix,
        });
    }
    for mailbox in form.mailboxes.iter().filter(|mailbox| !mailbox.role) {
        keys.mail_keys.extend(mailbox.key());
        keys.mail_names.extend(mail_name_of(&mailbox.local));
    }
    keys
}

/// `jane.doe` names a given and a family name, whichever comes first.
pub(crate) fn mail_name_of(local: &str) -> Option<(u32, u32)> {
    let (first, last) = local.split_once(['.', '_'])?;
    let letters = |text: &str| {
        collapse_umlauts(text.trim_end_matches(|character: char| character.is_ascii_digit()))
    };
    let (first, last) = (letters(first), letters(last));
    (first.len() > 1 && last.len() > 1).then(|| (hash32(first.as_bytes()), hash32(last.as_bytes())))
}

pub(crate) fn employer_keys(
    employment: &Employment,
    statistics: Option<&Statistics>,
) -> EmployerKeys {
    let mut keys = EmployerKeys::default();
    if let Some(company) = &employment.company {
        keys.slugs.push(company.slug_key());
        keys.slugs.extend(company.acronym().map(|acronym| hash32(acronym.as_bytes())));
        let start: SmallVec<[u8; 4]> =
            company.words.bytes().filter(|byte| *byte != b' ').take(4).collect();
        keys.prefix = hash32(&start);
    }
    if let Some(facts) = statistics.and_then(|statistics| {
        statistics.employer_facts(employment.company.as_ref(), employment.company_id)
    }) {
        for slug in [facts.slug, facts.stem] {
            if slug != 0 && !keys.slugs.contains(&slug) {
                keys.slugs.push(slug);
            }
        }
    }
    keys
}

pub(crate) fn company_keys(form: &CompanyForm) -> CompanyKeys<'_> {
    CompanyKeys {
        names: form.names.iter().map(|name| name.words.as_str()).collect(),
        domains: form
            .domains
            .iter()
            .map(|domain| (domain.key(), hash32(domain.stem.as_bytes())))
            .collect(),
        phone: form.phone,
        street: if form.street.number == 0 {
            0
        } else {
            form.street.number ^ form.street.name.rotate_left(5)
        },
        city: form.place.city_key(),
        country: country_key(form.place.country),
        postal: if form.postal_code.is_empty() { 0 } else { hash32(form.postal_code.as_bytes()) },
    }
}

struct KeptKeys<'a>(&'a Statistics, Vec<u64>);

impl KeySink for KeptKeys<'_> {
    fn push(&mut self, key: u64, size: BlockSize) -> bool {
        let stopped = self.0.is_stopped(key, size);
        if !stopped {
            self.1.push(key);
        }
        stopped
    }
}

/// The keys of the blocks a form is in, sorted: of a directory entity or of a probe, which is the same to them.
#[must_use]
pub fn block_keys(form: &Probe, statistics: &Statistics) -> Vec<u64> {
    let mut kept = KeptKeys(statistics, Vec::with_capacity(48));
    match form {
        Probe::Person(form) => person_keys(form, Some(statistics)).emit(&mut kept),
        Probe::Company(form) => company_keys(form).emit(&mut kept),
    }
    kept.1.sort_unstable();
    kept.1.dedup();
    kept.1
}
