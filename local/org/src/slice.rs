//! A small, coherent part of the base data, for tests that must import quickly.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Base, Truth};
use crate::scene::plain_contacts;

const ACCOUNTS: usize = 60;
const CONTACTS: usize = 120;
const LEADS: usize = 80;
const PEOPLE: usize = 400;
const COMPANIES: usize = 200;
/// Accounts chosen for a contact whom any matcher recognises: the script's and the demo's.
const PLAIN_ACCOUNTS: usize = 28;
/// Accounts chosen for a contact who has left, so that there are champions.
const LEFT_ACCOUNTS: usize = 12;
/// Contacts that belong to no account.
const LOOSE_CONTACTS: usize = 14;
/// Leads who are contacts too, so that some can be converted.
const TWIN_LEADS: usize = 16;

/// Takes a slice of `base`: accounts with their contacts, leads of every case, the people and
/// companies that they are, and others to tell them from.
pub(crate) fn small(base: &Base) -> Base {
    let truth = Truth::of(base);
    let accounts = accounts(base, &truth);
    let contacts = contacts(base, &truth, &accounts);
    let leads = leads(base, &truth, &contacts);
    let records: BTreeSet<&str> = accounts.iter().chain(&contacts).chain(&leads).copied().collect();
    let companies = companies(base, &truth, &accounts);
    let people = people(base, &truth, &contacts, &leads, &companies);
    let employers: BTreeSet<&str> = base
        .people
        .iter()
        .filter(|person| people.contains(person.id.as_str()))
        .filter_map(|person| person.company.company_id.as_deref())
        .collect();
    let mut companies: BTreeSet<&str> = companies.union(&employers).copied().collect();
    fill(&mut companies, COMPANIES, base.companies.iter().map(|company| company.id.as_str()));

    Base {
        accounts: kept(&base.accounts, |row| accounts.contains(row.id.as_str())),
        contacts: kept(&base.contacts, |row| contacts.contains(row.id.as_str())),
        leads: kept(&base.leads, |row| leads.contains(row.id.as_str())),
        people: kept(&base.people, |row| people.contains(row.id.as_str())),
        companies: kept(&base.companies, |row| companies.contains(row.id.as_str())),
        truth: kept(&base.truth, |row| records.contains(row.crm_id.as_str())),
    }
}

type Ids<'a> = BTreeSet<&'a str>;

fn accounts<'a>(base: &'a Base, truth: &Truth<'a>) -> Ids<'a> {
    let plain = plain_contacts(base, truth);
    let mut ids = Ids::new();
    fill(&mut ids, PLAIN_ACCOUNTS, plain.iter().map(|plain| plain.account.id.as_str()));
    let left = base
        .contacts
        .iter()
        .filter(|contact| {
            truth.case(&contact.id) == "match_stale_employer"
                && truth.is_only_link(&contact.account_id)
        })
        .map(|contact| contact.account_id.as_str());
    fill(&mut ids, PLAIN_ACCOUNTS + LEFT_ACCOUNTS, left);
    let rest = by_case(base.accounts.iter().map(|account| account.id.as_str()), truth);
    fill(&mut ids, ACCOUNTS, rest);
    ids
}

/// The accounts' contacts first, then loose ones of every case.
fn contacts<'a>(base: &'a Base, truth: &Truth<'a>, accounts: &Ids) -> Ids<'a> {
    let plain: Ids = plain_contacts(base, truth)
        .iter()
        .filter(|plain| accounts.contains(plain.account.id.as_str()))
        .map(|plain| plain.contact.id.as_str())
        .collect();
    let mut ids = plain;
    let own = base
        .contacts
        .iter()
        .filter(|contact| accounts.contains(contact.account_id.as_str()))
        .map(|contact| contact.id.as_str());
    fill(&mut ids, CONTACTS - LOOSE_CONTACTS, own);
    let loose = base.contacts.iter().filter(|contact| contact.account_id.is_empty());
    fill(&mut ids, CONTACTS, by_case(loose.map(|contact| contact.id.as_str()), truth));
    ids
}

fn leads<'a>(base: &'a Base, truth: &Truth<'a>, contacts: &Ids) -> Ids<'a> {
    let persons: Ids = contacts.iter().filter_map(|id| truth.entity_id(id)).collect();
    let twins = base
        .leads
        .iter()
        .map(|lead| lead.id.as_str())
        .filter(|id| truth.entity_id(id).is_some_and(|person| persons.contains(person)));
    let mut ids = Ids::new();
    fill(&mut ids, TWIN_LEADS, twins);
    fill(&mut ids, LEADS, by_case(base.leads.iter().map(|lead| lead.id.as_str()), truth));
    ids
}

fn companies<'a>(base: &'a Base, truth: &Truth<'a>, accounts: &Ids) -> Ids<'a> {
    let matched: Ids = accounts.iter().filter_map(|id| truth.entity_id(id)).collect();
    let ids = base.companies.iter().map(|company| company.id.as_str());
    ids.filter(|id| matched.contains(id)).collect()
}

/// Those that the records are, then namesakes of records, colleagues at the accounts, and others.
fn people<'a>(
    base: &'a Base,
    truth: &Truth<'a>,
    contacts: &Ids,
    leads: &Ids,
    companies: &Ids,
) -> Ids<'a> {
    let matched = contacts.iter().chain(leads).filter_map(|id| truth.entity_id(id));
    let mut ids: Ids = matched.collect();
    let last_names: BTreeSet<String> = base
        .contacts
        .iter()
        .filter(|contact| contacts.contains(contact.id.as_str()))
        .map(|contact| &contact.last_name)
        .chain(
            base.leads
                .iter()
                .filter(|lead| leads.contains(lead.id.as_str()))
                .map(|lead| &lead.last_name),
        )
        .map(|name| name.to_lowercase())
        .collect();
    let colleagues = base.people.iter().filter(|person| {
        person.company.company_id.as_deref().is_some_and(|id| companies.contains(id))
    });
    fill(&mut ids, PEOPLE * 3 / 5, colleagues.map(|person| person.id.as_str()));
    let namesakes =
        base.people.iter().filter(|person| last_names.contains(&person.last_name.to_lowercase()));
    fill(&mut ids, PEOPLE * 4 / 5, namesakes.map(|person| person.id.as_str()));
    fill(&mut ids, PEOPLE, base.people.iter().map(|person| person.id.as_str()));
    ids
}

/// Adds ids in their order until there are `size`.
fn fill<'a>(ids: &mut Ids<'a>, size: usize, more: impl IntoIterator<Item = &'a str>) {
    for id in more {
        if ids.len() >= size {
            return;
        }
        ids.insert(id);
    }
}

/// Records dealt out case by case, so that each case of the truth comes early.
fn by_case<'a>(ids: impl Iterator<Item = &'a str>, truth: &Truth<'a>) -> Vec<&'a str> {
    let mut dealt: BTreeMap<&str, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, &str)> = ids
        .map(|id| {
            let turn = dealt.entry(truth.case(id)).or_insert(0);
            *turn += 1;
            (*turn, id)
        })
        .collect();
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, id)| id).collect()
}

fn kept<T: Clone>(rows: &[T], keep: impl Fn(&T) -> bool) -> Vec<T> {
    rows.iter().filter(|row| keep(row)).cloned().collect()
}
