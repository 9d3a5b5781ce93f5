//! The state that every part of the generator shares, and the records of the demo's script.

use std::collections::BTreeMap;

use crate::base::{Base, Company, Person, Truth};
use crate::error::Error;
use crate::rows::{Account, Contact};
use crate::staff::Staff;
use crate::time::Calendar;

/// How many rows of each kind to aim for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) opportunities: usize,
    pub(crate) contact_roles: usize,
    pub(crate) team_members: usize,
    pub(crate) tasks: usize,
    pub(crate) events: usize,
    pub(crate) notes: usize,
    pub(crate) converted_leads: usize,
    /// Job changes of each kind in the directory delta.
    pub(crate) job_changes: usize,
}

impl Size {
    pub(crate) const FULL: Self = Self {
        opportunities: 1_500,
        contact_roles: 3_000,
        team_members: 800,
        tasks: 4_000,
        events: 500,
        notes: 400,
        converted_leads: 100,
        job_changes: 4,
    };
    pub(crate) const SMALL: Self = Self {
        opportunities: 36,
        contact_roles: 66,
        team_members: 24,
        tasks: 90,
        events: 20,
        notes: 16,
        converted_leads: 6,
        job_changes: 2,
    };
}

/// The ground that the org is built on.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) base: &'a Base,
    pub(crate) truth: Truth<'a>,
    pub(crate) staff: Staff,
    pub(crate) calendar: Calendar,
    pub(crate) seed: u64,
    pub(crate) size: Size,
    /// Contacts that any sound matcher recognises, the plainest first.
    pub(crate) plain: Vec<PlainContact<'a>>,
}

/// A contact whose names, employer and account agree with the directory, whose person has no
/// namesake in it, and with which no other record shares person or company: the demo's script must
/// show the product, not the limits of a matcher.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainContact<'a> {
    pub(crate) contact: &'a Contact,
    pub(crate) account: &'a Account,
    pub(crate) person: &'a Person,
    pub(crate) company: &'a Company,
    score: u8,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(
        base: &'a Base,
        calendar: Calendar,
        seed: u64,
        size: Size,
    ) -> Result<Self, Error> {
        let truth = Truth::of(base);
        let plain = plain_contacts(base, &truth);
        let Some(first) = plain.first() else {
            return Err(Error::Incomplete { what: "contact that plainly is a directory's person" });
        };
        if plain.iter().all(|other| other.account.id == first.account.id) {
            return Err(Error::Incomplete { what: "second account with such a contact" });
        }
        if base.leads.is_empty() {
            return Err(Error::Incomplete { what: "lead" });
        }
        let staff = Staff::generate(calendar, seed);
        Ok(Self { base, truth, staff, calendar, seed, size, plain })
    }

    /// The contact of the opportunity that the second run's changes reopen. Its account has no
    /// other deal, no team and an owner without a seat, so that nothing but the reopening can save
    /// it.
    pub(crate) fn reopened(&self) -> PlainContact<'a> {
        self.plain[0]
    }

    pub(crate) fn is_reserved(&self, account_id: &str) -> bool {
        self.reopened().account.id == account_id
    }
}

/// The plain contacts of `base`, best first, in file order among equals.
pub(crate) fn plain_contacts<'a>(base: &'a Base, truth: &Truth<'a>) -> Vec<PlainContact<'a>> {
    let accounts: BTreeMap<&str, &Account> =
        base.accounts.iter().map(|account| (account.id.as_str(), account)).collect();
    let mut plain: Vec<PlainContact<'a>> = base
        .contacts
        .iter()
        .filter_map(|contact| {
            let account = *accounts.get(contact.account_id.as_str())?;
            plain_contact(contact, account, truth)
        })
        .collect();
    plain.sort_by_key(|plain| std::cmp::Reverse(plain.score));
    plain
}

fn plain_contact<'a>(
    contact: &'a Contact,
    account: &'a Account,
    truth: &Truth<'a>,
) -> Option<PlainContact<'a>> {
    let person = truth.person(&contact.id)?;
    let company = truth.company(&account.id)?;
    let agrees = truth.case(&contact.id) == "match"
        && truth.is_only_link(&contact.id)
        && truth.is_only_link(&account.id)
        && truth.is_only_bearer(person)
        && person.company.company_id.as_deref() == Some(company.id.as_str())
        && person.first_name.eq_ignore_ascii_case(&contact.first_name)
        && person.last_name.eq_ignore_ascii_case(&contact.last_name);
    let same_email = person.emails.iter().any(|email| email.eq_ignore_ascii_case(&contact.email));
    let same_company = company.name.eq_ignore_ascii_case(&account.name);
    let same_site = account.website.contains(&company.domain);
    let same_title = person.title.eq_ignore_ascii_case(&contact.title);
    let score = 3 * u8::from(same_email)
        + 2 * (u8::from(same_company) + u8::from(same_site))
        + u8::from(same_title);
    agrees.then_some(PlainContact { contact, account, person, company, score })
}
