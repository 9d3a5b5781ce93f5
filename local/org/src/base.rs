//! The base data: CRM records, the directory's entities and who is who.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::rows::{Account, Contact, Lead};

/// The contents of a folder like `data/dev`.
#[derive(Debug, Clone)]
pub struct Base {
    pub(crate) accounts: Vec<Account>,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) leads: Vec<Lead>,
    pub(crate) people: Vec<Person>,
    pub(crate) companies: Vec<Company>,
    pub(crate) truth: Vec<TruthRow>,
}

/// A person of the directory.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) title: String,
    pub(crate) company: Employer,
    pub(crate) headline: String,
    pub(crate) past_positions: Vec<Position>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) emails: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) phones: Vec<String>,
    pub(crate) city: String,
    pub(crate) state: String,
    pub(crate) country: String,
}

/// Where a person works now; without an id when the directory does not list the company.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Employer {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) company_id: Option<String>,
}

/// Where a person worked before.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Position {
    pub(crate) title: String,
    pub(crate) company: String,
}

/// A company of the directory.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Company {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) website: String,
    pub(crate) phone: String,
    pub(crate) street: String,
    pub(crate) city: String,
    pub(crate) state: String,
    pub(crate) postal_code: String,
    pub(crate) country: String,
    pub(crate) industry: String,
    pub(crate) employees: u64,
}

/// Which entity a CRM record is; `profile_id` is empty when it is none of the directory's.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct TruthRow {
    pub(crate) crm_id: String,
    pub(crate) profile_id: String,
    pub(crate) object: String,
    pub(crate) case: String,
}

impl Base {
    /// Reads the six files of `folder`.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            accounts: csv_rows(&folder.join("Account.csv.gz"))?,
            contacts: csv_rows(&folder.join("Contact.csv.gz"))?,
            leads: csv_rows(&folder.join("Lead.csv.gz"))?,
            people: entities(&folder.join("profiles.jsonl.gz"))?,
            companies: entities(&folder.join("companies.jsonl.gz"))?,
            truth: csv_rows(&folder.join("truth.csv.gz"))?,
        })
    }
}

/// Look-ups over a [`Base`] that several parts of the org need.
#[derive(Debug)]
pub(crate) struct Truth<'a> {
    by_record: BTreeMap<&'a str, &'a TruthRow>,
    people: BTreeMap<&'a str, &'a Person>,
    companies: BTreeMap<&'a str, &'a Company>,
    /// How many records of an object are the same entity.
    links: BTreeMap<(&'a str, &'a str), usize>,
    /// How many people of the directory bear a name, in lower case.
    namesakes: BTreeMap<String, usize>,
}

impl<'a> Truth<'a> {
    pub(crate) fn of(base: &'a Base) -> Self {
        let mut links = BTreeMap::new();
        for row in &base.truth {
            *links.entry((row.object.as_str(), row.profile_id.as_str())).or_insert(0) += 1;
        }
        let mut namesakes = BTreeMap::new();
        for person in &base.people {
            *namesakes.entry(full_name(person)).or_insert(0) += 1;
        }
        Self {
            namesakes,
            by_record: base.truth.iter().map(|row| (row.crm_id.as_str(), row)).collect(),
            people: base.people.iter().map(|person| (person.id.as_str(), person)).collect(),
            companies: base
                .companies
                .iter()
                .map(|company| (company.id.as_str(), company))
                .collect(),
            links,
        }
    }

    pub(crate) fn person(&self, record: &str) -> Option<&'a Person> {
        self.people.get(self.entity_id(record)?).copied()
    }

    pub(crate) fn company(&self, account: &str) -> Option<&'a Company> {
        self.companies.get(self.entity_id(account)?).copied()
    }

    /// The entity of a record, when it has one.
    pub(crate) fn entity_id(&self, record: &str) -> Option<&'a str> {
        self.by_record.get(record).map(|row| row.profile_id.as_str()).filter(|id| !id.is_empty())
    }

    pub(crate) fn case(&self, record: &str) -> &'a str {
        self.by_record.get(record).map_or("", |row| row.case.as_str())
    }

    /// True if no other record of the same object is the same entity.
    pub(crate) fn is_only_link(&self, record: &str) -> bool {
        self.by_record.get(record).is_some_and(|row| {
            !row.profile_id.is_empty()
                && self.links.get(&(row.object.as_str(), row.profile_id.as_str())) == Some(&1)
        })
    }

    /// True if nobody else in the directory bears this person's name.
    pub(crate) fn is_only_bearer(&self, person: &Person) -> bool {
        self.namesakes.get(&full_name(person)) == Some(&1)
    }

    /// True if any record of `object` is this entity.
    pub(crate) fn is_linked(&self, object: &str, entity: &str) -> bool {
        self.links.contains_key(&(object, entity))
    }
}

fn full_name(person: &Person) -> String {
    format!("{} {}", person.first_name, person.last_name).to_lowercase()
}

fn open(path: &Path) -> Result<BufReader<MultiGzDecoder<File>>, Error> {
    let file = File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
    Ok(BufReader::new(MultiGzDecoder::new(file)))
}

fn csv_rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    csv::Reader::from_reader(open(path)?)
        .into_deserialize()
        .collect::<Result<_, _>>()
        .map_err(|source| Error::Csv { path: path.into(), source })
}

fn entities<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    open(path)?
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let line = line.map_err(|source| Error::Read { path: path.into(), source })?;
            serde_json::from_str(&line).map_err(|source| Error::Entity {
                path: path.into(),
                line: index + 1,
                source,
            })
        })
        .collect()
}
