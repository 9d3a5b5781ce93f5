//! A seller's worklist: the people of their lists whose records the directory is ahead of, with
//! what an update would write.
//!
//! It tells what the directory has, and no value of a record: what the seller may see in the CRM is
//! asked of it. A seller approves what is told, as many as they like at once, as a bulk of updates.

use std::collections::BTreeMap;
use std::sync::Arc;

use matching::{Fact, Person};

use super::{Values, policy_of};
use crate::capabilities::badges::{
    BadgeError, Badges, MOST_BADGES, News, employer_of, employers_accounts,
};
use crate::capabilities::custody::{Custody, LookupError};
use crate::capabilities::saving::{SavedError, SavedList, SavedLists};
use crate::capabilities::settings::{self, Settings};
use crate::kernel::{EntityId, RecordRef, SObject, SeatId, TenantEnvironment};
use crate::ports::{Clock, PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::Store;
use crate::work::boxed;

/// A page of a worklist looks at as many people as one look at badges.
const LOOKED_AT: usize = MOST_BADGES;

/// Why a worklist is not shown.
#[derive(Debug, thiserror::Error)]
pub enum WorklistError {
    /// The admin lets sellers update neither leads nor contacts.
    #[error("the admin has not turned updates on; the settings are update_leads, update_contacts")]
    TurnedOff,
    /// The seller's list cannot be shown.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// Records cannot be compared with the directory.
    #[error(transparent)]
    Badges(#[from] BadgeError),
    /// There is no such connection.
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

impl From<PortError> for WorklistError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

/// A page of a worklist.
#[derive(Debug)]
pub struct Worklist {
    /// Those whose records can be brought up to date; there may be none while more pages follow.
    pub items: Vec<WorklistItem>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// A person whose record can be brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorklistItem {
    /// The person.
    pub person: EntityId,
    /// Their record.
    pub record: RecordRef,
    /// Where a browser opens it.
    pub record_url: String,
    /// What an update would write, fact by fact.
    pub proposals: Vec<Proposal>,
}

/// What an update would write of one fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The fact.
    pub fact: Fact,
    /// The record leaves it out; otherwise it has another value.
    pub is_missing: bool,
    /// The values by API names. Of a contact's company there are none while none of the org's
    /// accounts is that company: the seller chooses the account.
    pub to: Values,
}

/// Shows worklists.
#[derive(Clone)]
pub struct Worklists {
    store: Store,
    custody: Custody,
    saved: SavedLists,
    badges: Badges,
}

impl Worklists {
    /// Worklists of generations that `custody` opens.
    #[must_use]
    pub fn new(ports: &Ports, custody: Custody, badges: Badges) -> Self {
        let clock: Arc<dyn Clock> = ports.clock.clone();
        let saved = SavedLists::new(clock, custody.clone());
        Self { store: Store::new(ports.clone()), custody, saved, badges }
    }

    /// A page of a seat's worklist. What the admin does not let sellers update is left out.
    ///
    /// # Errors
    /// When updates are turned off, or the cursor is none of this list's.
    #[must_use]
    #[boxed]
    pub async fn page(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        cursor: Option<&str>,
    ) -> Result<Worklist, WorklistError> {
        let kept = self.store.read(&settings::keys::settings(at)).await?;
        let settings = kept.unwrap_or_default().settings;
        if !settings.update_leads && !settings.update_contacts {
            return Err(WorklistError::TurnedOff);
        }
        let saved = self.saved.some(at, seat, SavedList::Leads, cursor, LOOKED_AT).await?;
        let people: Vec<EntityId> = saved.items.into_iter().map(|saved| saved.entity).collect();
        let news = self.badges.news_of(at, &people).await?;
        let opened = self.custody.shown(at).await?;
        let accounts = employers_accounts(&opened, &news).await?;
        let items = news.into_iter().filter_map(|news| item(&settings, &accounts, news));
        Ok(Worklist { items: items.collect(), next: saved.next })
    }
}

/// What of the news may be written; none where nothing may.
fn item(
    settings: &Settings,
    accounts: &BTreeMap<EntityId, SalesforceId>,
    news: News,
) -> Option<WorklistItem> {
    let is_at_home = news.is_at_home(accounts);
    let News { person, link, body, account: _ } = news;
    let is_on = match link.record.object {
        SObject::Lead => settings.update_leads,
        _ => settings.update_contacts,
    };
    let employer = employer_of(&body).and_then(|employer| accounts.get(&employer).copied());
    let outdated = link.outdated.iter().map(|outdated| (outdated.fact, false));
    let facts = outdated.chain(link.missing.iter().map(|fact| (*fact, true)));
    let proposals = facts.filter_map(|(fact, is_missing)| {
        if fact == Fact::Company && is_at_home {
            return None;
        }
        let (field, to) = written(link.record.object, fact, &body, employer);
        let may = policy_of(settings, field).0.lets(is_missing);
        may.then_some(Proposal { fact, is_missing, to })
    });
    let proposals: Vec<Proposal> = proposals.collect();
    (is_on && !proposals.is_empty()).then_some(WorklistItem {
        person,
        record: link.record,
        record_url: link.url,
        proposals,
    })
}

/// What is written of a fact, and the field whose policy says whether it may be.
fn written(
    object: SObject,
    fact: Fact,
    person: &Person,
    employer: Option<SalesforceId>,
) -> (&'static str, Values) {
    let values = |pairs: &[(&str, &str)]| {
        let told = pairs.iter().filter(|(_, value)| !value.is_empty());
        told.map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    };
    let (city, state, country) = (&person.city, &person.state, &person.country);
    let company = person.company.as_ref().map_or("", |company| &company.name);
    match (fact, object) {
        (Fact::Title, _) => ("Title", values(&[("Title", &person.title)])),
        (Fact::Company, SObject::Lead) => ("Company", values(&[("Company", company)])),
        (Fact::Company, _) => {
            let account = employer.map(|id| id.to_string()).unwrap_or_default();
            ("AccountId", values(&[("AccountId", &account)]))
        }
        (Fact::Location, SObject::Lead) => {
            ("City", values(&[("City", city), ("State", state), ("Country", country)]))
        }
        (Fact::Location, _) => (
            "MailingCity",
            values(&[("MailingCity", city), ("MailingState", state), ("MailingCountry", country)]),
        ),
    }
}

#[cfg(test)]
mod tests {
    use matching::Employer;

    use super::*;
    use crate::capabilities::badges::{CrmLink, OutdatedFact};
    use crate::capabilities::settings::UpdatePolicy;
    use crate::testing::{entity_id, record_id};

    fn news(object: SObject, outdated: &[Fact], missing: &[Fact]) -> News {
        let prefix = if object == SObject::Lead { "00Q" } else { "003" };
        let record = RecordRef { object, id: record_id(prefix, 1) };
        let outdated =
            outdated.iter().map(|fact| OutdatedFact { fact: *fact, now: String::new() }).collect();
        let link = CrmLink {
            record,
            url: String::new(),
            by_person: false,
            outdated,
            missing: missing.to_vec(),
        };
        let body = Person {
            title: "Head of Sales".into(),
            company: Some(Employer {
                name: "Acme".into(),
                company_id: Some("co_1".into()),
                ..Employer::default()
            }),
            city: "Berlin".into(),
            country: "Germany".into(),
            ..Person::default()
        };
        News { person: entity_id("pr_1"), link, body, account: None }
    }

    fn settings() -> Settings {
        Settings { update_leads: true, update_contacts: true, ..Settings::default() }
    }

    fn names(item: &WorklistItem) -> Vec<(Fact, Vec<&str>)> {
        let names = item.proposals.iter().map(|of| of.to.keys().map(String::as_str).collect());
        item.proposals.iter().map(|of| of.fact).zip(names).collect()
    }

    #[test]
    fn a_lead_is_given_texts_and_a_contact_the_account_that_its_company_is() {
        let all = [Fact::Title, Fact::Company, Fact::Location];
        let lead = item(&settings(), &BTreeMap::new(), news(SObject::Lead, &all, &[])).unwrap();
        let place = vec!["City", "Country"];
        assert_eq!(
            names(&lead),
            [
                (Fact::Title, vec!["Title"]),
                (Fact::Company, vec!["Company"]),
                (Fact::Location, place),
            ]
        );
        let known = BTreeMap::from([(entity_id("co_1"), record_id("001", 1))]);
        let contact = item(&settings(), &known, news(SObject::Contact, &all[1..], &[])).unwrap();
        let place = vec!["MailingCity", "MailingCountry"];
        let told = [(Fact::Company, vec!["AccountId"]), (Fact::Location, place)];
        assert_eq!(names(&contact), told);
        let unknown = news(SObject::Contact, &[Fact::Company], &[]);
        let unknown = item(&settings(), &BTreeMap::new(), unknown).unwrap();
        assert_eq!(names(&unknown), [(Fact::Company, vec![])], "the seller chooses the account");
        let at_home = News {
            account: Some(RecordRef { object: SObject::Account, id: record_id("001", 1) }),
            ..news(SObject::Contact, &[Fact::Company], &[])
        };
        assert_eq!(item(&settings(), &known, at_home), None, "its account has an old name");
    }

    #[test]
    fn what_the_admin_does_not_let_sellers_write_is_not_proposed() {
        let none = BTreeMap::new();
        let off = Settings { update_leads: false, ..settings() };
        assert_eq!(item(&off, &none, news(SObject::Lead, &[Fact::Title], &[])), None);
        let blank = Settings { update_title: UpdatePolicy::FillBlank, ..settings() };
        assert_eq!(item(&blank, &none, news(SObject::Lead, &[Fact::Title], &[])), None);
        let missing = item(&blank, &none, news(SObject::Lead, &[], &[Fact::Title])).unwrap();
        assert!(missing.proposals[0].is_missing);
        let never = Settings { update_title: UpdatePolicy::Never, ..settings() };
        assert_eq!(item(&never, &none, news(SObject::Lead, &[], &[Fact::Title])), None);
    }
}
