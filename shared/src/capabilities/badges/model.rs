//! A badge, and the judgement behind it. Pure.

use matching::{Company, Fact, Freshness, Person};
use serde::{Deserialize, Serialize};

use crate::capabilities::linking::{crm_account, crm_person};
use crate::kernel::{EntityId, Fields, RecordRef};

/// Where an entity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadgeState {
    /// It is linked to a record, which contradicts the entity in nothing.
    InCrm,
    /// It is linked to no record.
    NotInCrm,
    /// It is linked to a record that is out of date.
    OutOfDate,
}

/// An entity's badge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// The entity, by the id that was asked for.
    pub entity: EntityId,
    /// The record that it is linked to; none when it is not in the CRM.
    pub link: Option<CrmLink>,
}

/// The record of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmLink {
    /// The record.
    pub record: RecordRef,
    /// Where a browser opens it.
    pub url: String,
    /// True if a person linked the two, and not the engine.
    pub by_person: bool,
    /// In what it contradicts the entity.
    pub outdated: Vec<OutdatedFact>,
    /// What the entity tells and it leaves out.
    pub missing: Vec<Fact>,
}

/// A fact in which a record contradicts its entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutdatedFact {
    /// Which one.
    pub fact: Fact,
    /// The directory's value, as it is shown.
    pub now: String,
}

impl Badge {
    /// Where the entity stands.
    #[must_use]
    pub fn state(&self) -> BadgeState {
        match &self.link {
            None => BadgeState::NotInCrm,
            Some(link) if link.outdated.is_empty() => BadgeState::InCrm,
            Some(_) => BadgeState::OutOfDate,
        }
    }
}

/// An entity as the directory has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body<'a> {
    /// A person, and the company they work for where the directory has it.
    Person(&'a Person, Option<&'a Company>),
    Company(&'a Company),
}

impl Body<'_> {
    /// What a record contradicts, and what it leaves out. `account` is the contact's account.
    pub(super) fn judge(
        self,
        record: RecordRef,
        fields: &Fields,
        account: Option<&Fields>,
    ) -> (Vec<OutdatedFact>, Vec<Fact>) {
        let Freshness { outdated, missing } = match self {
            Self::Person(person, employer) => {
                let record = crm_person(record.object, fields, account);
                Freshness::of_person(&record, person, employer)
            }
            Self::Company(company) => Freshness::of_company(&crm_account(fields), company),
        };
        let outdated = outdated.into_iter().map(|fact| OutdatedFact { fact, now: self.now(fact) });
        (outdated.collect(), missing)
    }

    /// What the entity tells of a fact, as it is shown.
    fn now(self, fact: Fact) -> String {
        match (self, fact) {
            (Self::Person(person, _), Fact::Title) => person.title.clone(),
            (Self::Person(person, _), Fact::Company) => {
                person.company.as_ref().map(|company| company.name.clone()).unwrap_or_default()
            }
            (Self::Person(person, _), Fact::Location) => {
                place([&person.city, &person.state, &person.country])
            }
            (Self::Company(company), Fact::Location) => {
                place([&company.city, &company.state, &company.country])
            }
            (Self::Company(company), Fact::Title | Fact::Company) => company.name.clone(),
        }
    }
}

fn place(parts: [&str; 3]) -> String {
    let known: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    known.join(", ")
}

#[cfg(test)]
mod tests {
    use matching::Employer;

    use super::*;
    use crate::kernel::SObject;
    use crate::testing::{entity_id, record_id};

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn person() -> Person {
        Person {
            title: "Head of Sales".into(),
            company: Some(Employer { name: "Acme GmbH".into(), ..Employer::default() }),
            city: "Berlin".into(),
            country: "Germany".into(),
            ..Person::default()
        }
    }

    #[test]
    fn a_contact_is_judged_by_its_accounts_name_and_its_own_address() {
        let record = RecordRef { object: SObject::Contact, id: record_id("003", 1) };
        let contact = fields(&[("Title", "Head of Sales"), ("MailingCity", "Hamburg")]);
        let judged = |account: Option<&Fields>| {
            Body::Person(&person(), None).judge(record, &contact, account)
        };
        let moved = OutdatedFact { fact: Fact::Location, now: "Berlin, Germany".into() };
        let (outdated, missing) = judged(Some(&fields(&[("Name", "Acme")])));
        assert_eq!((outdated, missing), (vec![moved.clone()], vec![]));
        let left = OutdatedFact { fact: Fact::Company, now: "Acme GmbH".into() };
        let (outdated, _) = judged(Some(&fields(&[("Name", "Zenith Optics")])));
        assert_eq!(outdated, [left, moved]);
        assert_eq!(judged(None).1, [Fact::Company], "a contact without an account");
    }

    #[test]
    fn a_lead_is_judged_by_what_was_typed_into_it_and_an_account_by_its_name() {
        let lead = RecordRef { object: SObject::Lead, id: record_id("00Q", 1) };
        let typed = fields(&[("Company", "Acme"), ("Title", "Buyer"), ("City", "Berlin")]);
        let (outdated, missing) = Body::Person(&person(), None).judge(lead, &typed, None);
        assert_eq!(outdated, [OutdatedFact { fact: Fact::Title, now: "Head of Sales".into() }]);
        assert_eq!(missing, []);
        let company = Company { name: "Meridian".into(), ..Company::default() };
        let account = RecordRef { object: SObject::Account, id: record_id("001", 1) };
        let (outdated, _) =
            Body::Company(&company).judge(account, &fields(&[("Name", "Quartz Telecom")]), None);
        assert_eq!(outdated, [OutdatedFact { fact: Fact::Company, now: "Meridian".into() }]);
    }

    #[test]
    fn a_badge_is_out_of_date_only_by_a_contradiction() {
        let link = CrmLink {
            record: RecordRef { object: SObject::Lead, id: record_id("00Q", 1) },
            url: "https://acme.my.salesforce.com/00Q".into(),
            by_person: false,
            outdated: vec![],
            missing: vec![Fact::Title],
        };
        let outdated = vec![OutdatedFact { fact: Fact::Title, now: "Buyer".into() }];
        let state = |link| Badge { entity: entity_id("p"), link }.state();
        assert_eq!(state(None), BadgeState::NotInCrm);
        assert_eq!(state(Some(link.clone())), BadgeState::InCrm);
        assert_eq!(state(Some(CrmLink { outdated, ..link })), BadgeState::OutOfDate);
    }
}
