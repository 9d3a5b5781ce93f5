//! Building a shard: rows and dictionaries as entities stream by, blocking postings at the end.
#![allow(
    clippy::cast_possible_truncation,
    reason = "a shard holds under 2^32 entities and bytes; over that it is refused"
)]

use std::borrow::Cow;
use std::hash::Hash;
use std::ops::Range;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::view::{CompanyView, NamesView, put_company, put_person};
use crate::blocking::{CompanyKeys, EmployerKeys, KeySink, PersonKeys};
use crate::entity::EntityKind;
use crate::form::{CompanyForm, Employment, PersonForm};
use crate::keys::{employer_keys, lone_or, mail_name_of};
use crate::normalize::{CompanyName, Generation, Title};
use crate::statistics::{Statistics, country_key};
use crate::text::hash32;

/// Distinct values in the order they came, plus one; 0 stands for none.
#[derive(Clone, Debug)]
pub(super) struct Dictionary<T> {
    ids: FxHashMap<T, u32>,
    pub(super) values: Vec<T>,
}

impl<T> Default for Dictionary<T> {
    fn default() -> Self {
        Self { ids: FxHashMap::default(), values: Vec::new() }
    }
}

impl<T: Clone + Eq + Hash> Dictionary<T> {
    fn intern(&mut self, value: &T) -> u32 {
        if let Some(id) = self.ids.get(value) {
            return *id;
        }
        self.values.push(value.clone());
        let id = self.values.len() as u32;
        self.ids.insert(value.clone(), id);
        id
    }
}

/// Builds one shard of people or companies.
///
/// Builders of one shard may be filled in parallel and appended in a fixed order. The bytes depend
/// on the order of entities only.
#[derive(Clone, Debug)]
pub struct ShardBuilder {
    pub(super) kind: EntityKind,
    pub(super) number: u32,
    pub(super) count: u32,
    pub(super) rows: Vec<u8>,
    pub(super) row_offsets: Vec<u32>,
    pub(super) employments: Vec<(u32, u32)>,
    employment_offsets: Vec<u32>,
    pub(super) employers: Dictionary<Employer>,
    pub(super) titles: Dictionary<Title>,
    /// What few people have, by their place, ascending.
    rare: Vec<(u32, Rare)>,
}

/// An employer of people in the shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Employer {
    pub(super) company: Option<CompanyName>,
    /// The hash of its directory id, 0 for none.
    pub(super) company_id: u64,
    /// That id itself, where somebody works there now.
    pub(super) id: String,
}

/// What few people have.
#[derive(Clone, Debug, Default)]
pub(super) struct Rare {
    pub(super) generation: Option<Generation>,
    pub(super) extensions: Vec<u32>,
}

impl ShardBuilder {
    /// An empty builder of shard `number` of `count`.
    #[must_use]
    pub fn new(kind: EntityKind, number: u32, count: u32) -> Self {
        Self {
            kind,
            number,
            count,
            rows: Vec::new(),
            row_offsets: vec![0],
            employments: Vec::new(),
            employment_offsets: vec![0],
            employers: Dictionary::default(),
            titles: Dictionary::default(),
            rare: Vec::new(),
        }
    }

    /// Entities added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.row_offsets.len() - 1
    }

    /// True if nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the rows so far, to stop a shard before it is too large.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.rows.len()
    }

    /// Adds a person. The caller chooses the shard by [`super::shard_of`].
    pub fn add_person(&mut self, form: &PersonForm) {
        put_person(&mut self.rows, form);
        for (at, Employment { company, company_id, title }) in form.employments.iter().enumerate() {
            let employer = if company.is_none() && *company_id == 0 {
                0
            } else {
                let id = if at == 0 { form.employer_id.clone() } else { String::new() };
                let (company, company_id) = (company.clone(), *company_id);
                self.employers.intern(&Employer { company, company_id, id })
            };
            let title = if title.words.is_empty() { 0 } else { self.titles.intern(title) };
            self.employments.push((employer, title));
        }
        let generation = form.name.generation;
        if generation.is_some() || !form.extensions.is_empty() {
            let rare = Rare { generation, extensions: form.extensions.clone() };
            self.rare.push((self.len() as u32, rare));
        }
        self.end_row();
    }

    /// Adds a company.
    pub fn add_company(&mut self, form: &CompanyForm) {
        put_company(&mut self.rows, form);
        self.end_row();
    }

    fn end_row(&mut self) {
        self.row_offsets.push(self.rows.len() as u32);
        self.employment_offsets.push(self.employments.len() as u32);
    }

    /// Adds the entities of another builder of the same shard behind this one's.
    pub fn append(&mut self, other: &Self) {
        let (rows, employments) = (self.rows.len() as u32, self.employments.len() as u32);
        let entities = self.len() as u32;
        let rare = other.rare.iter().map(|(at, rare)| (at + entities, rare.clone()));
        self.rare.extend(rare);
        self.rows.extend_from_slice(&other.rows);
        self.row_offsets.extend(other.row_offsets[1..].iter().map(|offset| offset + rows));
        self.employment_offsets
            .extend(other.employment_offsets[1..].iter().map(|offset| offset + employments));
        let employers: Vec<u32> =
            other.employers.values.iter().map(|value| self.employers.intern(value)).collect();
        let titles: Vec<u32> =
            other.titles.values.iter().map(|value| self.titles.intern(value)).collect();
        let renumber = |id: u32, new: &[u32]| if id == 0 { 0 } else { new[id as usize - 1] };
        self.employments.extend(
            other.employments.iter().map(|&(employer, title)| {
                (renumber(employer, &employers), renumber(title, &titles))
            }),
        );
    }

    pub(super) fn held(&self, ordinal: usize) -> &[(u32, u32)] {
        &self.employments[self.employment_offsets[ordinal] as usize
            ..self.employment_offsets[ordinal + 1] as usize]
    }

    /// What a person has that few have.
    pub(super) fn rare(&self, ordinal: usize) -> Option<&Rare> {
        let at = self.rare.binary_search_by_key(&(ordinal as u32), |(at, _)| *at).ok()?;
        Some(&self.rare[at].1)
    }

    /// Hands an entity's keys to a sink.
    pub(super) fn emit_one(
        &self,
        ordinal: usize,
        employers: &[EmployerKeys],
        sink: &mut impl KeySink,
    ) {
        let row = self.row(ordinal);
        if self.kind == EntityKind::Company {
            company_row_keys(&CompanyView::take(row)).emit(sink);
            return;
        }
        let names = NamesView::take(row);
        let view = names.person();
        let mut keys = PersonKeys {
            given: lone_or(&names.given, &names.family).iter().copied().collect(),
            family: names.family.iter().copied().collect(),
            city: if view.city.is_empty() { 0 } else { hash32(view.city) },
            country: country_key(view.country),
            phones: view.phones.iter().copied().collect(),
            ..PersonKeys::default()
        };
        keys.employers.extend(
            self.held(ordinal)
                .iter()
                .filter(|(employer, _)| *employer != 0)
                .map(|(employer, _)| Cow::Borrowed(&employers[*employer as usize - 1])),
        );
        for mail in &view.mail {
            if mail.stem != 0 {
                let slugs = SmallVec::from_slice(&[mail.stem]);
                keys.employers.push(Cow::Owned(EmployerKeys { slugs, prefix: 0 }));
            }
            if mail.key != 0 {
                keys.mail_keys.push(mail.key);
                keys.mail_names.extend(std::str::from_utf8(mail.local).ok().and_then(mail_name_of));
            }
        }
        keys.emit(sink);
    }

    /// Hands the keys of some entities to a sink.
    pub(crate) fn emit(
        &self,
        range: Range<usize>,
        employers: &[EmployerKeys],
        sink: &mut impl KeySink,
    ) {
        range.for_each(|ordinal| self.emit_one(ordinal, employers, sink));
    }

    /// The key parts of each employer; with statistics, also those of its directory name and
    /// domain.
    pub(crate) fn employer_keys(&self, statistics: Option<&Statistics>) -> Vec<EmployerKeys> {
        let known = self.employers.values.iter();
        known
            .map(|Employer { company, company_id, .. }| {
                employer_keys(company.as_ref(), *company_id, statistics)
            })
            .collect()
    }

    /// The kind of its entities.
    #[must_use]
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// An entity's row, without employments.
    pub(crate) fn row(&self, ordinal: usize) -> &[u8] {
        &self.rows[self.row_offsets[ordinal] as usize..self.row_offsets[ordinal + 1] as usize]
    }

    /// The current employer of a person.
    pub(crate) fn employer_of(&self, ordinal: usize) -> Option<&CompanyName> {
        let (employer, _) = self.held(ordinal).first()?;
        self.employers.values.get((*employer as usize).checked_sub(1)?)?.company.as_ref()
    }

    /// Each employer that has a name, with its number of employments.
    pub(crate) fn employers_counted(&self) -> impl Iterator<Item = (&CompanyName, u32)> {
        let times =
            counted(self.employers.values.len(), self.employments.iter().map(|held| held.0));
        let employers = self.employers.values.iter().map(|employer| employer.company.as_ref());
        employers.zip(times).filter_map(|(company, times)| Some((company?, times)))
    }

    /// Each title, with its number of employments.
    pub(crate) fn titles_counted(&self) -> impl Iterator<Item = (&Title, u32)> {
        let times = counted(self.titles.values.len(), self.employments.iter().map(|held| held.1));
        self.titles.values.iter().zip(times)
    }
}

/// The count of each number from 1 on.
fn counted(values: usize, numbers: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
    let mut times = vec![0; values + 1];
    numbers.for_each(|number| times[number as usize] += 1);
    times.into_iter().skip(1)
}

fn company_row_keys<'a>(view: &CompanyView<'a>) -> CompanyKeys<'a> {
    CompanyKeys {
        names: view.names.iter().copied().collect(),
        domains: view.domains.iter().map(|(domain, stem)| (*domain, hash32(stem))).collect(),
        phone: view.phone,
        street: if view.street.number == 0 {
            0
        } else {
            view.street.number ^ view.street.name.rotate_left(5)
        },
        city: if view.city.is_empty() { 0 } else { hash32(view.city) },
        country: country_key(view.country),
        postal: if view.postal_code.is_empty() { 0 } else { hash32(view.postal_code) },
    }
}
