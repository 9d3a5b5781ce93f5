//! From forms to block keys.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::blocking::{BlockSize, CompanyKeys, EmployerKeys, KeySink, PersonKeys};
use crate::form::{CompanyForm, Employment, PersonForm, Probe};
use crate::normalize::CompanyName;
use crate::statistics::{Statistics, country_key};
use crate::text::{collapse_umlauts, hash32};

/// The parts of a person that make keys, with employers' directory names and domains.
fn person_keys<'a>(form: &'a PersonForm, statistics: &Statistics) -> PersonKeys<'a> {
    let tokens = |tokens: &'a [String]| tokens.iter().map(std::string::String::as_bytes);
    let given: SmallVec<[&[u8]; 6]> =
        tokens(&form.name.given).chain(tokens(&form.name.nick)).collect();
    let family: SmallVec<[&[u8]; 6]> =
        tokens(&form.name.family).chain(tokens(&form.name.former)).collect();
    let mut keys = PersonKeys {
        given: lone_or(&given, &family).iter().copied().collect(),
        family,
        city: form.place.city_key(),
        country: country_key(form.place.country),
        phones: form.phones.iter().copied().collect(),
        ..PersonKeys::default()
    };
    for Employment { company, company_id, .. } in &form.employments {
        let employer = employer_keys(company.as_ref(), *company_id, Some(statistics));
        if !employer.slugs.is_empty() {
            keys.employers.push(Cow::Owned(employer));
        }
    }
    for domain in form.employer_domains() {
        let prefix = domain.stem.get(..4).map_or(0, |start| hash32(start.as_bytes()));
        let slugs = SmallVec::from_slice(&[hash32(domain.stem.as_bytes())]);
        keys.employers.push(Cow::Owned(EmployerKeys { slugs, prefix }));
    }
    for mailbox in form.mailboxes.iter().filter(|mailbox| !mailbox.role) {
        keys.mail_keys.extend(mailbox.key());
        keys.mail_names.extend(mail_name_of(&mailbox.local));
    }
    keys
}

/// The given names that make keys: of a person who goes by one name it may be either.
pub(crate) fn lone_or<'k, 'a>(given: &'k [&'a [u8]], family: &'k [&'a [u8]]) -> &'k [&'a [u8]] {
    if given.is_empty() { family } else { given }
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

/// The parts of an employer that make keys, found by its name and directory id.
pub(crate) fn employer_keys(
    company: Option<&CompanyName>,
    company_id: u64,
    statistics: Option<&Statistics>,
) -> EmployerKeys {
    let mut keys = EmployerKeys::default();
    if let Some(company) = company {
        keys.slugs.push(company.slug_key());
        keys.slugs.extend(company.acronym().map(|acronym| hash32(acronym.as_bytes())));
        let start: SmallVec<[u8; 4]> =
            company.words.bytes().filter(|byte| *byte != b' ').take(4).collect();
        keys.prefix = hash32(&start);
    }
    let facts = statistics.and_then(|statistics| statistics.employer_facts(company, company_id));
    if let Some(facts) = facts {
        for slug in [facts.slug, facts.stem] {
            if slug != 0 && !keys.slugs.contains(&slug) {
                keys.slugs.push(slug);
            }
        }
    }
    keys
}

fn company_keys(form: &CompanyForm) -> CompanyKeys<'_> {
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

struct KeptKeys<'a>(&'a Statistics, Vec<BlockKey>);

impl KeptKeys<'_> {
    /// Keeps a key unless its block is stopped; `true` if it is.
    fn keep(&mut self, key: u64, size: BlockSize, fitting: u64) -> bool {
        let stopped = fitting > size as u64;
        if !stopped {
            let strong = size == BlockSize::Large || fitting == BlockSize::Tiny as u64;
            self.1.push(BlockKey { key, strong });
        }
        stopped
    }
}

impl KeySink for KeptKeys<'_> {
    fn push(&mut self, key: u64, size: BlockSize) -> bool {
        self.keep(key, size, self.0.blocks().fitting(key))
    }

    fn refine(&mut self, key: u64, size: BlockSize) {
        self.keep(key, size, self.0.refined_blocks().fitting(key));
    }
}

/// The key of a block a form is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockKey {
    /// The key.
    pub key: u64,
    /// True if sharing this block alone makes a candidate pair: its rule says much, or its block is
    /// tiny. Sharing two weak blocks makes one too.
    pub strong: bool,
}

/// The keys, sorted, of the blocks that a form is in, be it a directory entity's or a record's.
#[must_use]
pub fn block_keys(form: &Probe, statistics: &Statistics) -> Vec<BlockKey> {
    let mut kept = KeptKeys(statistics, Vec::with_capacity(48));
    match form {
        Probe::Person(form) => person_keys(form, statistics).emit(&mut kept),
        Probe::Company(form) => company_keys(form).emit(&mut kept),
    }
    // Of equal keys the strong one stays.
    kept.1.sort_unstable_by_key(|key| (key.key, !key.strong));
    kept.1.dedup_by_key(|key| key.key);
    kept.1
}
