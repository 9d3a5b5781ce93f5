//! A record beside whom it could be: what each says of itself, for whoever decides.
//!
//! Addresses and phones are left out: whether they agree is among the reasons, and nobody need read
//! them to decide.

use std::collections::BTreeMap;

use matching::{Company, CrmAccount, CrmPerson, EntityKind, Person};

use crate::capabilities::custody::LookupError;
use crate::capabilities::directory::keys as directory_keys;
use crate::capabilities::linking::{
    CandidateList, Matches, ReportError, crm_account, crm_person, entity_kind_of,
};
use crate::kernel::{EntityId, RecordRef, SObject, TenantEnvironment};
use crate::salesforce::SalesforceId;
use crate::work::boxed;

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
    /// Its candidates in their order, as the current directory version has them. One that it has no
    /// more is left out.
    pub candidates: Vec<(EntityId, Side)>,
}

impl Matches {
    /// A record beside whom it could be.
    #[must_use]
    #[boxed]
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
        let record = if object == SObject::Account {
            Side::from(crm_account(fields))
        } else {
            let id = fields.reference("AccountId").filter(|_| object == SObject::Contact);
            let account = id.map(|id| RecordRef { object: SObject::Account, id });
            let accounts = opened.records.fields_of(account.into_iter().collect()).await?;
            let account = account.and_then(|account| accounts.get(&account));
            Side::from(crm_person(object, fields, account))
        };
        Ok(SideBySide { record, candidates: self.candidates(&list).await? })
    }

    async fn candidates(&self, list: &CandidateList) -> Result<Vec<(EntityId, Side)>, ReportError> {
        let current = self.store.read(&directory_keys::directory_current()).await?;
        let version = match current {
            Some(current) => {
                self.store.read(&directory_keys::directory_version(current.version)).await?
            }
            None => None,
        };
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

impl From<CrmPerson> for Side {
    fn from(person: CrmPerson) -> Self {
        let CrmPerson { first_name, last_name, title, company, city, state, country, .. } = person;
        Self {
            name: joined([first_name, last_name], " "),
            title: title.and_then(filled),
            company: company.and_then(filled),
            website: None,
            place: joined([city, state, country], ", "),
        }
    }
}

impl From<CrmAccount> for Side {
    fn from(account: CrmAccount) -> Self {
        let CrmAccount { name, website, city, state, country, .. } = account;
        Self {
            name: name.and_then(filled),
            website: website.and_then(filled),
            place: joined([city, state, country], ", "),
            ..Self::default()
        }
    }
}

impl From<Person> for Side {
    fn from(person: Person) -> Self {
        let Person { first_name, last_name, title, company, city, state, country, .. } = person;
        Self {
            name: joined([first_name, last_name].map(Some), " "),
            title: filled(title),
            company: company.and_then(|company| filled(company.name)),
            website: None,
            place: joined([city, state, country].map(Some), ", "),
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
            place: joined([city, state, country].map(Some), ", "),
        }
    }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.trim().is_empty())
}

/// Those that are there, one behind the other.
fn joined<const N: usize>(parts: [Option<String>; N], between: &str) -> Option<String> {
    filled(parts.into_iter().flatten().filter_map(filled).collect::<Vec<_>>().join(between))
}
