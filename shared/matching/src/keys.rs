//! From forms to block keys.

use smallvec::SmallVec;

use crate::blocking::{BlockSize, CompanyKeys, EmployerKeys, KeySink, PersonKeys};
use crate::form::{CompanyForm, Employment, PersonForm, Probe};
use crate::statistics::{Statistics, country_key};
use crate::text::{collapse_umlauts, hash32};

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

struct KeptKeys<'a>(&'a Statistics, Vec<BlockKey>);

impl KeySink for KeptKeys<'_> {
    fn push(&mut self, key: u64, size: BlockSize) -> bool {
        let fitting = self.0.fitting(key);
        let stopped = fitting > size as u64;
        if !stopped {
            let strong = size == BlockSize::Large || fitting == BlockSize::Tiny as u64;
            self.1.push(BlockKey { key, strong });
        }
        stopped
    }
}

/// The key of a block a form is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockKey {
    /// The key.
    pub key: u64,
    /// Whether sharing this block alone makes a candidate pair: its rule says much, or its block is tiny. Two weak ones do too.
    pub strong: bool,
}

/// The keys of the blocks a form is in, sorted: of a directory entity or of a probe, which is the same to them.
#[must_use]
pub fn block_keys(form: &Probe, statistics: &Statistics) -> Vec<BlockKey> {
    let mut kept = KeptKeys(statistics, Vec::with_capacity(48));
    match form {
        Probe::Person(form) => person_keys(form, Some(statistics)).emit(&mut kept),
        Probe::Company(form) => company_keys(form).emit(&mut kept),
    }
    // The strong one of equal keys stays.
    kept.1.sort_unstable_by_key(|key| (key.key, !key.strong));
    kept.1.dedup_by_key(|key| key.key);
    kept.1
}
