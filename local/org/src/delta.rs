//! The directory's second version, as a delta: people who change jobs, one merge, one retirement.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::base::{Company, Employer, Person, Position};
use crate::error::Error;
use crate::random::Random;
use crate::rows::{Opportunity, OpportunityContactRole};
use crate::scene::{PlainContact, Scene};

const NEW_COMPANY_ID: &str = "co_900001";
const MERGED_PERSON_ID: &str = "pr_9000001";
const NEW_TITLES: [&str; 4] = [
    "Chief Operating Officer",
    "Vice President of Operations",
    "Head of Procurement",
    "General Manager",
];
/// How long a won deal makes its contacts past customers worth following.
const CHAMPION_DAYS: i64 = 730;

/// One line of a delta: a whole entity to insert or replace, or what happens to an id.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum DeltaLine<T> {
    Upsert(T),
    Delete { id: String, op: &'static str },
    Merge { id: String, op: &'static str, into: String },
}

/// The delta and what should be seen of it.
#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) people: Vec<DeltaLine<Person>>,
    pub(crate) companies: Vec<DeltaLine<Company>>,
    pub(crate) expected: DeltaExpectations,
    /// Contacts that the delta's people are, so that the second run's changes choose others.
    pub(crate) contacts: BTreeSet<String>,
}

/// The results that a match run over the second version should show.
#[derive(Debug, Serialize)]
pub(crate) struct DeltaExpectations {
    pub(crate) job_changes: Vec<JobChange>,
    pub(crate) merge: Merge,
    pub(crate) retirement: Retirement,
}

/// A contact's person who works elsewhere in the second version.
#[derive(Debug, Serialize)]
pub(crate) struct JobChange {
    /// `open`: the contact is on an open opportunity. `won`: on one won in the last 24 months.
    role_on: &'static str,
    person_id: String,
    contact_id: String,
    account_id: String,
    opportunity_id: String,
    opportunity_owner_id: String,
    seat_email: String,
    old_title: String,
    old_employer: Employer,
    new_title: String,
    new_employer: Employer,
}

/// A contact's person whose id is merged into another.
#[derive(Debug, Serialize)]
pub(crate) struct Merge {
    contact_id: String,
    person_id: String,
    into: String,
}

/// A contact's person who is no longer in the directory.
#[derive(Debug, Serialize)]
pub(crate) struct Retirement {
    contact_id: String,
    person_id: String,
}

/// A past customer now elsewhere, in the first version already.
#[derive(Debug, Serialize)]
pub(crate) struct Champion {
    contact_id: String,
    person_id: String,
    account_id: String,
    opportunity_id: String,
    opportunity_owner_id: String,
    seat_email: String,
    now_at: Employer,
}

/// The deals that a contact has a role in.
pub(crate) struct Deals<'a> {
    by_contact: BTreeMap<&'a str, Vec<&'a Opportunity>>,
}

impl<'a> Deals<'a> {
    pub(crate) fn of(deals: &'a [Opportunity], roles: &'a [OpportunityContactRole]) -> Self {
        let by_id: BTreeMap<&str, &Opportunity> =
            deals.iter().map(|deal| (deal.id.as_str(), deal)).collect();
        let mut by_contact: BTreeMap<&str, Vec<&Opportunity>> = BTreeMap::new();
        for role in roles {
            if let Some(deal) = by_id.get(role.opportunity_id.as_str()) {
                by_contact.entry(&role.contact_id).or_default().push(deal);
            }
        }
        Self { by_contact }
    }

    fn find(
        &self,
        contact: &str,
        wanted: impl Fn(&Opportunity) -> bool,
    ) -> Option<&'a Opportunity> {
        self.by_contact.get(contact)?.iter().copied().find(|deal| wanted(deal))
    }
}

impl Delta {
    pub(crate) fn generate(scene: &Scene, deals: &Deals) -> Result<Self, Error> {
        let mut random = Random::new(scene.seed, "delta");
        let mut script = Script { scene, contacts: BTreeSet::new() };
        let new_company = new_company(scene);
        let mut people = Vec::new();
        let mut job_changes = Vec::new();
        for role_on in ["open", "won"] {
            for _ in 0..scene.size.job_changes {
                let (mover, deal) = script.mover(role_on, deals)?;
                let employer = match job_changes.len() {
                    0 => employer(&new_company),
                    index => new_employer(scene, mover, index % 2 == 1, &mut random)?,
                };
                let (person, change) =
                    change_job(scene, mover, deal, role_on, employer, &mut random);
                people.push(DeltaLine::Upsert(person));
                job_changes.push(change);
            }
        }
        let merged = script.next("person to merge")?;
        let survivor = Person { id: MERGED_PERSON_ID.to_owned(), ..merged.person.clone() };
        people.push(DeltaLine::Upsert(survivor));
        people.push(DeltaLine::Merge {
            id: merged.person.id.clone(),
            op: "merge",
            into: MERGED_PERSON_ID.to_owned(),
        });
        let retired = script.next("person to retire")?;
        people.push(DeltaLine::Delete { id: retired.person.id.clone(), op: "delete" });
        Ok(Self {
            people,
            companies: vec![
                DeltaLine::Upsert(grown(merged.company)),
                DeltaLine::Upsert(new_company),
            ],
            expected: DeltaExpectations {
                job_changes,
                merge: Merge {
                    contact_id: merged.contact.id.clone(),
                    person_id: merged.person.id.clone(),
                    into: MERGED_PERSON_ID.to_owned(),
                },
                retirement: Retirement {
                    contact_id: retired.contact.id.clone(),
                    person_id: retired.person.id.clone(),
                },
            },
            contacts: script.contacts,
        })
    }
}

/// Deals out plain contacts, none twice and none of the reserved account.
struct Script<'a> {
    scene: &'a Scene<'a>,
    contacts: BTreeSet<String>,
}

impl<'a> Script<'a> {
    fn free(&self) -> impl Iterator<Item = PlainContact<'a>> {
        self.scene.plain.iter().copied().filter(|plain| {
            !self.scene.is_reserved(&plain.account.id) && !self.contacts.contains(&plain.contact.id)
        })
    }

    fn mover<'d>(
        &mut self,
        role_on: &'static str,
        deals: &Deals<'d>,
    ) -> Result<(PlainContact<'a>, &'d Opportunity), Error> {
        let scene = self.scene;
        let wanted = |deal: &Opportunity| {
            scene.staff.is_seller(&deal.owner_id)
                && if role_on == "open" { !deal.is_closed } else { is_recent_win(scene, deal) }
        };
        let found = self
            .free()
            .find_map(|plain| Some((plain, deals.find(&plain.contact.id, wanted)?)))
            .ok_or(Error::Incomplete { what: "plain contact on an open or won opportunity" })?;
        self.contacts.insert(found.0.contact.id.clone());
        Ok(found)
    }

    fn next(&mut self, what: &'static str) -> Result<PlainContact<'a>, Error> {
        let found = self.free().next().ok_or(Error::Incomplete { what })?;
        self.contacts.insert(found.contact.id.clone());
        Ok(found)
    }
}

/// Contacts of recent wins whose person, by the truth, works elsewhere; one line per contact.
pub(crate) fn champions(scene: &Scene, deals: &Deals) -> Vec<Champion> {
    scene
        .base
        .contacts
        .iter()
        .filter(|contact| {
            scene.truth.case(&contact.id) == "match_stale_employer"
                && scene.truth.is_only_link(&contact.id)
        })
        .filter_map(|contact| {
            let deal = deals.find(&contact.id, |deal| {
                deal.account_id == contact.account_id && is_recent_win(scene, deal)
            })?;
            let person = scene.truth.person(&contact.id)?;
            Some(Champion {
                contact_id: contact.id.clone(),
                person_id: person.id.clone(),
                account_id: contact.account_id.clone(),
                opportunity_id: deal.id.clone(),
                opportunity_owner_id: deal.owner_id.clone(),
                seat_email: scene.staff.seat_email(&deal.owner_id).to_owned(),
                now_at: person.company.clone(),
            })
        })
        .collect()
}

fn is_recent_win(scene: &Scene, deal: &Opportunity) -> bool {
    deal.is_won && deal.close_date.is_some_and(|day| day >= scene.calendar.day(-CHAMPION_DAYS))
}

fn change_job(
    scene: &Scene,
    mover: PlainContact,
    deal: &Opportunity,
    role_on: &'static str,
    employer: Employer,
    random: &mut Random,
) -> (Person, JobChange) {
    let title = (*random.pick(&NEW_TITLES)).to_owned();
    let mut person = mover.person.clone();
    let position = Position { title: person.title.clone(), company: person.company.name.clone() };
    person.past_positions.insert(0, position);
    person.headline = format!("{title} at {}", employer.name);
    person.title.clone_from(&title);
    person.company.clone_from(&employer);
    let change = JobChange {
        role_on,
        person_id: person.id.clone(),
        contact_id: mover.contact.id.clone(),
        account_id: mover.account.id.clone(),
        opportunity_id: deal.id.clone(),
        opportunity_owner_id: deal.owner_id.clone(),
        seat_email: scene.staff.seat_email(&deal.owner_id).to_owned(),
        old_title: mover.person.title.clone(),
        old_employer: mover.person.company.clone(),
        new_title: title,
        new_employer: employer,
    };
    (person, change)
}

fn employer(company: &Company) -> Employer {
    Employer { name: company.name.clone(), company_id: Some(company.id.clone()) }
}

/// Another company of the directory; every other time one that is an account of the org.
fn new_employer(
    scene: &Scene,
    mover: PlainContact,
    in_crm: bool,
    random: &mut Random,
) -> Result<Employer, Error> {
    let companies: Vec<&Company> = scene
        .base
        .companies
        .iter()
        .filter(|company| company.id != mover.company.id)
        .filter(|company| scene.truth.is_linked("Account", &company.id) == in_crm)
        .collect();
    if companies.is_empty() {
        return Err(Error::Incomplete { what: "other company to work for" });
    }
    Ok(employer(companies[random.below(companies.len())]))
}

/// A company that the first version does not know.
fn new_company(scene: &Scene) -> Company {
    let place = scene.reopened().company;
    Company {
        id: NEW_COMPANY_ID.to_owned(),
        name: "Larkfield Robotics Ltd".to_owned(),
        domain: "larkfieldrobotics.example".to_owned(),
        website: "https://www.larkfieldrobotics.example".to_owned(),
        phone: "+15550142".to_owned(),
        street: "12 Foundry Lane".to_owned(),
        city: place.city.clone(),
        state: place.state.clone(),
        postal_code: place.postal_code.clone(),
        country: place.country.clone(),
        industry: "Machinery".to_owned(),
        employees: 140,
    }
}

/// The same company with more people: an update that changes no match.
fn grown(company: &Company) -> Company {
    Company { employees: company.employees + 25, ..company.clone() }
}
