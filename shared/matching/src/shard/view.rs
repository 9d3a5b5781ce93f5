//! An entity as it lies in a shard, and how it is written there.
#![allow(
    clippy::cast_possible_truncation,
    reason = "what is read back was written from the same width"
)]

use smallvec::SmallVec;

use super::file::{Section, Shard};
use crate::codec::{Put, Take, u32_at};
use crate::entity::EntityKind;
use crate::form::{CompanyForm, PersonForm};
use crate::normalize::{Generation, NameKind, Street};
use crate::similarity::{Letters, letters_of};
use crate::text::{bigram_signature, hash32};

/// Folded words, borrowed.
pub(crate) type Tokens<'a> = SmallVec<[&'a [u8]; 4]>;

fn put_tokens(row: &mut Vec<u8>, tokens: &[String]) {
    row.put_varint(tokens.len() as u64);
    for token in tokens {
        row.put_bytes(token.as_bytes());
    }
}

fn take_tokens<'a>(take: &mut Take<'a>, tokens: &mut Tokens<'a>) {
    for _ in 0..take.count().min(12) {
        tokens.push(take.bytes());
    }
}

/// A mailbox of a directory person.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MailView<'a> {
    /// 0 for a role mailbox.
    pub(crate) key: u64,
    /// The domain's key, and that of its stem where the domain may be a company's, else 0.
    pub(crate) domain: u32,
    pub(crate) stem: u32,
    pub(crate) local: &'a [u8],
}

/// Writes employments behind a row. Dictionary ids are final only when the shard is finished.
pub(crate) fn put_employments(row: &mut Vec<u8>, employments: &[(u32, u32)]) {
    row.put_varint(employments.len() as u64);
    for (employer, title) in employments {
        row.put_varint(u64::from(*employer));
        row.put_varint(u64::from(*title));
    }
}

/// A directory person's names. Of most candidates nothing else is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamesView<'a> {
    /// Given names, then those in quotes.
    pub(crate) given: Tokens<'a>,
    /// The number of given names proper among them.
    pub(crate) given_count: usize,
    /// Family names, then those in brackets.
    pub(crate) family: Tokens<'a>,
    /// The number of family names proper among them.
    pub(crate) family_count: usize,
    rest: Take<'a>,
}

/// The rest of a directory person.
#[derive(Clone, Debug, Default)]
pub(crate) struct PersonView<'a> {
    pub(crate) mail: SmallVec<[MailView<'a>; 3]>,
    pub(crate) phones: SmallVec<[u32; 3]>,
    pub(crate) city: &'a [u8],
    pub(crate) state: u32,
    pub(crate) country: [u8; 2],
    pub(crate) employments: EmploymentsView,
    /// Junior, senior or the like.
    pub(crate) generation: Option<Generation>,
    /// The extension of each phone, 0 for none; empty if no phone has one.
    pub(crate) extensions: SmallVec<[u32; 3]>,
}

/// Writes what few people have behind the employments. Rows of others end there, as all did before
/// this existed.
pub(crate) fn put_rare(row: &mut Vec<u8>, generation: Option<Generation>, extensions: &[u32]) {
    row.push(generation.map_or(0, Generation::number));
    row.put_varint(extensions.len() as u64);
    for extension in extensions {
        row.put_u32(*extension);
    }
}

/// Employer and title by their place in the dictionaries plus one, 0 for none; the current position
/// first.
pub(crate) type EmploymentsView = SmallVec<[(u32, u32); 6]>;

pub(crate) fn put_person(row: &mut Vec<u8>, form: &PersonForm) {
    row.put_bytes(form.id.as_bytes());
    let named = form.name.kind == NameKind::Person;
    for tokens in [&form.name.given, &form.name.nick, &form.name.family, &form.name.former] {
        put_tokens(row, if named { tokens } else { &[] });
    }
    row.put_varint(form.mailboxes.len() as u64);
    for mailbox in &form.mailboxes {
        row.put_u64(mailbox.key().unwrap_or_default());
        row.put_u32(mailbox.domain.key());
        row.put_u32(if mailbox.domain.is_company() {
            hash32(mailbox.domain.stem.as_bytes())
        } else {
            0
        });
        row.put_bytes(mailbox.local.as_bytes());
    }
    row.put_varint(form.phones.len() as u64);
    form.phones.iter().for_each(|phone| row.put_u32(*phone));
    row.put_bytes(form.place.city.as_bytes());
    row.put_u32(form.place.state);
    row.extend_from_slice(&form.place.country);
}

impl<'a> Shard<'a> {
    pub(crate) fn names(&self, ordinal: u32) -> NamesView<'a> {
        NamesView::take(self.row(ordinal))
    }

    /// An employer by its place in the dictionary.
    pub(crate) fn employer(&self, index: u32) -> Option<EmployerView<'a>> {
        let fields = self.employer_bytes(index).first_chunk()?;
        Some(EmployerView { fields, words: self.section(Section::EmployerWords) })
    }

    /// The directory id of the company where a person works, if the directory tells it.
    #[must_use]
    pub fn employer_id(&self, person: u32) -> Option<&'a str> {
        if self.kind() == EntityKind::Company {
            return None;
        }
        let view = self.names(person).person();
        let index = view.employments.first()?.0.checked_sub(1)?;
        let words = self.section(Section::EmployerWords);
        // It lies between an employer's words and those of the next one. Shards of before ids were
        // kept have nothing there.
        let start = self.employer(index)?.words_end();
        let end = self.employer(index + 1).map_or(words.len(), |next| next.words_start());
        let id = std::str::from_utf8(words.get(start..end)?).ok()?;
        (!id.is_empty()).then_some(id)
    }

    /// The bytes from an employer on.
    pub(super) fn employer_bytes(&self, index: u32) -> &'a [u8] {
        let at = (index as usize).saturating_mul(EMPLOYER);
        self.section(Section::Employers).get(at..).unwrap_or_default()
    }

    /// The word hashes of a title by its place in the dictionary.
    pub(crate) fn title(&self, index: u32) -> SmallVec<[u32; 12]> {
        let bytes = self.slice(Section::TitleOffsets, Section::Titles, index as usize);
        bytes.chunks_exact(4).take(12).map(|word| Take(word).u32()).collect()
    }

    pub(crate) fn company(&self, ordinal: u32) -> CompanyView<'a> {
        CompanyView::take(self.row(ordinal))
    }
}

impl<'a> NamesView<'a> {
    pub(crate) fn take(row: &'a [u8]) -> Self {
        let mut take = Take(row);
        let _id = take.bytes();
        let mut names = Self::default();
        take_tokens(&mut take, &mut names.given);
        names.given_count = names.given.len();
        take_tokens(&mut take, &mut names.given);
        take_tokens(&mut take, &mut names.family);
        names.family_count = names.family.len();
        take_tokens(&mut take, &mut names.family);
        names.rest = take;
        names
    }

    /// The given names proper.
    pub(crate) fn given(&self) -> &[&'a [u8]] {
        &self.given[..self.given_count]
    }

    /// The family names proper.
    pub(crate) fn family(&self) -> &[&'a [u8]] {
        &self.family[..self.family_count]
    }

    /// The rest of the row.
    pub(crate) fn person(&self) -> PersonView<'a> {
        let mut take = self.rest;
        PersonView {
            mail: (0..take.count().min(32))
                .map(|_| MailView {
                    key: take.u64(),
                    domain: take.u32(),
                    stem: take.u32(),
                    local: take.bytes(),
                })
                .collect(),
            phones: (0..take.count().min(32)).map(|_| take.u32()).collect(),
            city: take.bytes(),
            state: take.u32(),
            country: take.country(),
            employments: (0..take.count().min(12)).map(|_| (take.id(), take.id())).collect(),
            generation: Generation::of_number(take.byte()),
            extensions: (0..take.count().min(12)).map(|_| take.u32()).collect(),
        }
    }
}

/// Bytes of an employer in the dictionary: four slugs, domain, acronym, signature, where its words
/// are, and their letters.
const EMPLOYER: usize = 48;

/// An employer of the shard's dictionary, read field by field where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EmployerView<'a> {
    fields: &'a [u8; EMPLOYER],
    words: &'a [u8],
}

impl<'a> EmployerView<'a> {
    fn field(&self, index: usize) -> u32 {
        u32_at(self.fields, index).unwrap_or_default()
    }

    /// The slug of its name, 0 for none.
    pub(crate) fn slug(&self) -> u32 {
        self.field(0)
    }

    /// True if it goes by a slug: its name's, its directory name's, its domain's stem.
    pub(crate) fn has_slug(&self, slug: u32) -> bool {
        slug != 0 && (0..4).any(|at| self.field(at) == slug)
    }

    pub(crate) fn domain(&self) -> u32 {
        self.field(4)
    }

    pub(crate) fn acronym(&self) -> u32 {
        self.field(5)
    }

    pub(crate) fn signature(&self) -> u64 {
        u64::from(self.field(6)) | u64::from(self.field(7)) << 32
    }

    /// The letters of the name's words, and how many.
    pub(crate) fn letters(&self) -> (Letters, usize) {
        (Letters(self.field(10)), self.field(11) as usize)
    }

    fn words_start(&self) -> usize {
        self.field(8) as usize
    }

    fn words_end(&self) -> usize {
        self.words_start().saturating_add(self.field(9) as usize)
    }

    /// The name's words.
    pub(crate) fn words(&self) -> &'a [u8] {
        self.words.get(self.words_start()..self.words_end()).unwrap_or_default()
    }
}

/// Writes an employer's fields and appends its words.
pub(crate) fn put_employer(
    fields: &mut Vec<u8>,
    all_words: &mut Vec<u8>,
    slugs: &[u32],
    domain: u32,
    acronym: u32,
    words: &str,
) {
    (0..4).for_each(|at| fields.put_u32(slugs.get(at).copied().unwrap_or_default()));
    fields.put_u32(domain);
    fields.put_u32(acronym);
    fields.put_u64(bigram_signature(words.as_bytes()));
    fields.put_u32(all_words.len() as u32);
    fields.put_u32(words.len() as u32);
    let (letters, count) = letters_of(words.as_bytes());
    fields.put_u32(letters.0);
    fields.put_u32(count as u32);
    all_words.extend_from_slice(words.as_bytes());
}

/// A directory company.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompanyView<'a> {
    pub(crate) id: &'a str,
    pub(crate) names: SmallVec<[&'a str; 3]>,
    /// Domain and stem keys with the stem itself.
    pub(crate) domains: SmallVec<[(u32, &'a [u8]); 2]>,
    pub(crate) phone: u32,
    pub(crate) street: Street,
    pub(crate) postal_code: &'a [u8],
    pub(crate) city: &'a [u8],
    pub(crate) state: u32,
    pub(crate) country: [u8; 2],
    pub(crate) industry: SmallVec<[u32; 8]>,
    pub(crate) employees: u32,
}

impl<'a> CompanyView<'a> {
    pub(crate) fn take(row: &'a [u8]) -> Self {
        let mut take = Take(row);
        Self {
            id: take.text(),
            names: (0..take.count().min(12)).map(|_| take.text()).collect(),
            domains: (0..take.count().min(12)).map(|_| (take.u32(), take.bytes())).collect(),
            phone: take.u32(),
            street: Street { number: take.u32(), name: take.u32() },
            postal_code: take.bytes(),
            city: take.bytes(),
            state: take.u32(),
            employees: take.u32(),
            industry: (0..take.count().min(8)).map(|_| take.u32()).collect(),
            country: take.0.first_chunk::<2>().copied().unwrap_or_default(),
        }
    }
}

pub(crate) fn put_company(row: &mut Vec<u8>, form: &CompanyForm) {
    row.put_bytes(form.id.as_bytes());
    row.put_varint(form.names.len() as u64);
    form.names.iter().for_each(|name| row.put_bytes(name.words.as_bytes()));
    row.put_varint(form.domains.len() as u64);
    for domain in &form.domains {
        row.put_u32(domain.key());
        row.put_bytes(domain.stem.as_bytes());
    }
    row.put_u32(form.phone);
    row.put_u32(form.street.number);
    row.put_u32(form.street.name);
    row.put_bytes(form.postal_code.as_bytes());
    row.put_bytes(form.place.city.as_bytes());
    row.put_u32(form.place.state);
    row.put_u32(form.employees);
    row.put_varint(form.industry.len() as u64);
    form.industry.iter().for_each(|word| row.put_u32(*word));
    row.extend_from_slice(&form.place.country);
}
