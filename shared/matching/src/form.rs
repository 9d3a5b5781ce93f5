//! The normalised forms of people and companies, of directory and CRM alike, and the probe that
//! carries one.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "employee counts are clamped before the cast"
)]

use serde::{Deserialize, Serialize};

use crate::entity::{Company, CrmAccount, CrmPerson, EntityKind, Person};
use crate::lists::abbreviation;
use crate::normalize::{
    CompanyName, Domain, Mailbox, NameKind, PersonName, Phone, Place, Street, Title,
    mail_addresses, phone_key, phones, web_domain,
};
use crate::text::{fold, hash32, hash64};

/// One employment of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Employment {
    /// The employer's name.
    pub company: Option<CompanyName>,
    /// The hash of the employer's directory id, 0 for none.
    pub company_id: u64,
    /// The title held there.
    pub title: Title,
}

/// A person, normalised: of the directory, or of a Lead or Contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonForm {
    /// The entity's or record's id.
    pub id: String,
    /// The name.
    pub name: PersonName,
    /// Employments, the current one first; always one at least.
    pub employments: Vec<Employment>,
    /// Mail addresses.
    pub mailboxes: Vec<Mailbox>,
    /// The employer's web domain, where the record gives one.
    pub site: Option<Domain>,
    /// Phone keys.
    pub phones: Vec<u32>,
    /// The place.
    pub place: Place,
    /// The extension of each phone as an id, 0 for none; empty if no phone has one.
    #[serde(default)]
    pub extensions: Vec<u32>,
    /// The directory id of the current employer, where the directory tells it; empty otherwise. A
    /// record never has it.
    #[serde(skip)]
    pub employer_id: String,
}

/// The most positions read of one person. Nobody's thirteenth employer decides a match, and a bound
/// keeps a hostile row harmless.
const EMPLOYMENTS: usize = 12;

/// The most phones kept of one person.
const PHONES: usize = 12;

impl From<&Person> for PersonForm {
    fn from(person: &Person) -> Self {
        let title = if person.title.trim().is_empty() {
            person.headline.split_once(" at ").map_or("", |(title, _)| title)
        } else {
            &person.title
        };
        let employer = person.company.as_ref();
        let employer_id = employer.and_then(|employer| employer.company_id.as_deref());
        let mut employments = vec![Employment {
            company: employer.and_then(|employer| CompanyName::parse(&employer.name)),
            company_id: employer_id.map_or(0, |id| hash64(id.as_bytes())),
            title: Title::parse(title),
        }];
        for position in person.past_positions.iter().take(EMPLOYMENTS - 1) {
            employments.push(Employment {
                company: CompanyName::parse(&position.company),
                company_id: 0,
                title: Title::parse(&position.title),
            });
        }
        let (phones, extensions) = phones_of(person.phones.iter().take(8));
        Self {
            id: person.id.clone(),
            name: PersonName::parse(&person.first_name, &person.last_name),
            employments,
            mailboxes: person.emails.iter().take(8).flat_map(|text| mail_addresses(text)).collect(),
            site: None,
            phones,
            place: Place::parse(Some(&person.city), Some(&person.state), Some(&person.country)),
            extensions,
            employer_id: employer_id.unwrap_or_default().to_owned(),
        }
    }
}

/// The keys of the phones that some fields hold, and their extensions if any has one.
fn phones_of<'a>(fields: impl Iterator<Item = &'a String>) -> (Vec<u32>, Vec<u32>) {
    let mut found: Vec<Phone> = fields.flat_map(|text| phones(text)).collect();
    found.dedup();
    found.truncate(PHONES);
    let extensions: Vec<u32> = found.iter().map(|phone| phone.extension).collect();
    let none = extensions.iter().all(|extension| *extension == 0);
    (found.iter().map(|phone| phone.key).collect(), if none { Vec::new() } else { extensions })
}

impl PersonForm {
    fn of_record(id: &str, record: &CrmPerson) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let (first, last) = (text(&record.first_name), text(&record.last_name));
        let name = if first.trim().is_empty() && last.trim().is_empty() {
            PersonName::parse(&text(&record.name), "")
        } else {
            PersonName::parse(&first, &last)
        };
        let company = record.company.as_deref().and_then(CompanyName::parse);
        let fields = [&record.phone, &record.mobile_phone].into_iter().flatten();
        let (phones, extensions) = phones_of(fields);
        Self {
            id: id.to_owned(),
            name,
            employments: vec![Employment {
                company,
                company_id: 0,
                title: Title::parse(record.title.as_deref().unwrap_or_default()),
            }],
            mailboxes: record.email.as_deref().map(mail_addresses).unwrap_or_default(),
            site: record.website.as_deref().and_then(web_domain),
            phones,
            place: Place::parse(
                record.city.as_deref(),
                record.state.as_deref(),
                record.country.as_deref(),
            ),
            extensions,
            employer_id: String::new(),
        }
    }

    /// The domains that name the person's employer: of the site, of company mailboxes, of a name
    /// that is a domain.
    pub(crate) fn employer_domains(&self) -> Vec<&Domain> {
        let named = self
            .employments
            .iter()
            .filter_map(|employment| employment.company.as_ref()?.domain.as_ref());
        let mail = self
            .mailboxes
            .iter()
            .map(|mailbox| &mailbox.domain)
            .filter(|domain| domain.is_company());
        let mut domains: Vec<&Domain> = Vec::new();
        for domain in self.site.iter().chain(mail).chain(named) {
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        domains
    }
}

/// A company, normalised: of the directory, or of an Account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompanyForm {
    /// The entity's or record's id.
    pub id: String,
    /// Its names, the current one first.
    pub names: Vec<CompanyName>,
    /// Its domains.
    pub domains: Vec<Domain>,
    /// The phone key, 0 for none.
    pub phone: u32,
    /// The street.
    pub street: Street,
    /// The postal code without spaces and leading zeros.
    pub postal_code: String,
    /// The place.
    pub place: Place,
    /// Hashes of the industry's words.
    pub industry: Vec<u32>,
    /// Number of employees, 0 for unknown.
    pub employees: u32,
}

fn industry_words(text: &str) -> Vec<u32> {
    let mut words: Vec<u32> = fold(text)
        .split(' ')
        .filter(|word| !matches!(*word, "" | "and" | "other" | "of" | "na"))
        .map(|word| hash32(abbreviation(word).as_bytes()))
        .collect();
    words.sort_unstable();
    words.dedup();
    words.truncate(8);
    words
}

fn postal_key(text: &str) -> String {
    let mut key = fold(text).replace(' ', "").trim_start_matches('0').to_owned();
    key.truncate(12);
    key
}

/// Fields a company has on both sides.
struct CompanyFields<'a> {
    names: Vec<&'a str>,
    sites: [&'a str; 2],
    phone: &'a str,
    street: &'a str,
    postal_code: &'a str,
    place: Place,
    industry: &'a str,
    employees: Option<f64>,
}

impl CompanyForm {
    fn of(id: &str, fields: &CompanyFields<'_>) -> Self {
        let mut names: Vec<CompanyName> = Vec::new();
        for name in fields.names.iter().take(8).filter_map(|text| CompanyName::parse(text)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut domains: Vec<Domain> = Vec::new();
        for domain in fields
            .sites
            .iter()
            .filter_map(|site| web_domain(site))
            .chain(names.iter().filter_map(|name| name.domain.clone()))
        {
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        Self {
            id: id.to_owned(),
            names,
            domains,
            phone: phone_key(fields.phone).unwrap_or_default(),
            street: Street::parse(fields.street),
            postal_code: postal_key(fields.postal_code),
            place: fields.place.clone(),
            industry: industry_words(fields.industry),
            employees: fields
                .employees
                .filter(|count| count.is_finite())
                .map_or(0, |count| count.clamp(0.0, 1e9) as u32),
        }
    }

    fn of_record(id: &str, record: &CrmAccount) -> Self {
        Self::of(
            id,
            &CompanyFields {
                names: record.name.as_deref().into_iter().collect(),
                sites: [record.website.as_deref().unwrap_or_default(), ""],
                phone: record.phone.as_deref().unwrap_or_default(),
                street: record.street.as_deref().unwrap_or_default(),
                postal_code: record.postal_code.as_deref().unwrap_or_default(),
                place: Place::parse(
                    record.city.as_deref(),
                    record.state.as_deref(),
                    record.country.as_deref(),
                ),
                industry: record.industry.as_deref().unwrap_or_default(),
                employees: record.employees,
            },
        )
    }
}

impl From<&Company> for CompanyForm {
    fn from(company: &Company) -> Self {
        let mut names = vec![company.name.as_str()];
        names.extend(company.former_names.iter().chain(&company.brands).map(String::as_str));
        Self::of(
            &company.id,
            &CompanyFields {
                names,
                sites: [&company.domain, &company.website],
                phone: &company.phone,
                street: &company.street,
                postal_code: &company.postal_code,
                place: Place::parse(
                    Some(&company.city),
                    Some(&company.state),
                    Some(&company.country),
                ),
                industry: &company.industry,
                employees: company.employees,
            },
        )
    }
}

/// The normalised form of one CRM record: what is kept, sent and matched instead of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// A Lead or Contact.
    Person(PersonForm),
    /// An Account.
    Company(CompanyForm),
}

impl Probe {
    /// Normalises a Lead, or a Contact joined with its Account.
    #[must_use]
    pub fn person(id: &str, record: &CrmPerson) -> Self {
        Self::Person(PersonForm::of_record(id, record))
    }

    /// Normalises an Account.
    #[must_use]
    pub fn account(id: &str, record: &CrmAccount) -> Self {
        Self::Company(CompanyForm::of_record(id, record))
    }

    /// The record's id.
    #[must_use]
    pub fn record_id(&self) -> &str {
        match self {
            Self::Person(form) => &form.id,
            Self::Company(form) => &form.id,
        }
    }

    /// The kind of entity that the record is matched to.
    #[must_use]
    pub fn kind(&self) -> EntityKind {
        match self {
            Self::Person(_) => EntityKind::Person,
            Self::Company(_) => EntityKind::Company,
        }
    }

    /// True if the record names nobody: its name is a role, a placeholder or empty.
    #[must_use]
    pub fn is_nameless(&self) -> bool {
        match self {
            Self::Person(form) => form.name.kind != NameKind::Person,
            Self::Company(form) => form.names.is_empty(),
        }
    }

    /// The probe as compact bytes. Equal probes give equal bytes, so a hash of them shows if a
    /// record changed for matching.
    ///
    /// # Errors
    /// [`ProbeError::Unwritable`] if it cannot be encoded.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ProbeError> {
        postcard::to_allocvec(self).map_err(|_| ProbeError::Unwritable)
    }

    /// Reads [`Self::to_bytes`] back.
    ///
    /// # Errors
    /// [`ProbeError::OtherVersion`] if the bytes are not a probe of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProbeError> {
        postcard::from_bytes(bytes).map_err(|_| ProbeError::OtherVersion)
    }
}

/// A probe that cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Bytes that are not a probe of this version.
    #[error("the bytes are not a probe of this version: normalise the record again")]
    OtherVersion,
    /// Not encodable.
    #[error("the probe cannot be encoded")]
    Unwritable,
}
