//! A record beside whom it could be: what each says of itself, for whoever decides.
//!
//! Addresses and phones are left out: whether they agree is among the reasons, and nobody need read
//! them to decide.

use std::collections::BTreeMap;

use matching::{Company, EntityKind, Person};

use crate::capabilities::custody::LookupError;
use crate::capabilities::directory::{DirectoryState, keys as directory_keys};
use crate::capabilities::linking::{CandidateList, Matches, ReportError, entity_kind_of};
use crate::kernel::{EntityId, Fields, RecordRef, SObject, TenantEnvironment};
use crate::salesforce::SalesforceId;

/// What a record or an entity says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// The name of the person or company.
    pub name: Option<String>,
    /// A person's job title.
    pub title: Option<String>,
    /// A person's employer.
    pub company: Option<String>,
    /// A company's web site.
    pub website: Option<String>,
    /// City, state and country.
    pub place: Option<String>,
}

/// A record beside its candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideBySide {
    /// The record, as it is held.
    pub record: Side,
    /// Its candidates in their order, as the directory version has them to which the record was
    /// matched. One that the version has no more is left out, and all are when it is gone.
    pub candidates: Vec<(EntityId, Side)>,
}

impl Matches {
    /// A record beside whom it could be.
    pub async fn sides(
        &self,
        at: TenantEnvironment,
        object: SObject,
        record: SalesforceId,
    ) -> Result<SideBySide, ReportError> {
        let opened = self.custody.shown(at).await?;
        let list = opened.store.read(&opened.keys.candidates(object, record)).await?;
        let list = list.filter(|list| !list.gone).ok_or(LookupError::NotFound("record"))?;
        let of = RecordRef { object, id: record };
        let held = opened.records.fields_of([of].into()).await?;
        let fields = held.get(&of).ok_or(LookupError::NotFound("record"))?;
        let account = match fields.reference("AccountId") {
            Some(id) if object == SObject::Contact => {
                let of = RecordRef { object: SObject::Account, id };
                let accounts = opened.records.fields_of([of].into()).await?;
                accounts.get(&of).and_then(|account| text(account, "Name"))
            }
            _ => None,
        };
        let record = Side::of_record(object, fields, account);
        Ok(SideBySide { record, candidates: self.candidates(&list).await? })
    }

    async fn candidates(&self, list: &CandidateList) -> Result<Vec<(EntityId, Side)>, ReportError> {
        let Some(id) = list.directory else { return Ok(Vec::new()) };
        let version = self.store.read(&directory_keys::directory_version(id)).await?;
        let version = version.filter(|version| version.state == DirectoryState::Published);
        let (Some(version), Some(kind)) = (version, entity_kind_of(list.object)) else {
            return Ok(Vec::new());
        };
        let ids: Vec<EntityId> = list.candidates.iter().map(|found| found.entity.clone()).collect();
        let mut sides: BTreeMap<EntityId, Side> = match kind {
            EntityKind::Person => {
                let people = self.bodies.get_many::<Person>(&version, &ids).await?;
                people.into_iter().map(|(id, person)| (id, Side::from(person))).collect()
            }
            EntityKind::Company => {
                let companies = self.bodies.get_many::<Company>(&version, &ids).await?;
                companies.into_iter().map(|(id, company)| (id, Side::from(company))).collect()
            }
        };
        Ok(ids.into_iter().filter_map(|id| Some((id.clone(), sides.remove(&id)?))).collect())
    }
}

impl Side {
    fn of_record(object: SObject, fields: &Fields, account: Option<String>) -> Self {
        let of = |name: &str| text(fields, name);
        let place = |names: [&str; 3]| joined(names.map(of), ", ");
        match object {
            SObject::Account => Self {
                name: of("Name"),
                website: of("Website"),
                place: place(["BillingCity", "BillingState", "BillingCountry"]),
                ..Self::default()
            },
            _ => Self {
                name: joined([of("FirstName"), of("LastName")], " "),
                title: of("Title"),
                company: of("Company").or(account),
                place: if object == SObject::Contact {
                    place(["MailingCity", "MailingState", "MailingCountry"])
                } else {
                    place(["City", "State", "Country"])
                },
                website: None,
            },
        }
    }
}

impl From<Person> for Side {
    fn from(person: Person) -> Self {
        let Person { first_name, last_name, title, company, city, state, country, .. } = person;
        Self {
            name: joined([first_name, last_name].map(filled), " "),
            title: filled(title),
            company: company.and_then(|company| filled(company.name)),
            website: None,
            place: joined([city, state, country].map(filled), ", "),
        }
    }
}

impl From<Company> for Side {
    fn from(company: Company) -> Self {
        let Company { name, domain, website, city, state, country, .. } = company;
        Self {
            name: filled(name),
            title: None,
            company: None,
            website: filled(website).or(filled(domain)),
            place: joined([city, state, country].map(filled), ", "),
        }
    }
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).and_then(|value| filled(value.to_owned()))
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.trim().is_empty())
}

/// Those that are there, one behind the other.
fn joined<const N: usize>(parts: [Option<String>; N], between: &str) -> Option<String> {
    filled(parts.into_iter().flatten().collect::<Vec<_>>().join(between))
}
