//! Accounts, contacts and leads: the base data's values, and what an org knows besides.

use std::collections::BTreeMap;

use crate::random::Random;
use crate::rows::{Account, Contact, Lead};
use crate::scene::Scene;
use crate::time::{Audit, Stamp};

const ACCOUNT_TYPES: [&str; 5] =
    ["Prospect", "Prospect", "Customer - Direct", "Customer - Channel", "Technology Partner"];
const RATINGS: [&str; 4] = ["", "Hot", "Warm", "Cold"];
const OWNERSHIPS: [&str; 4] = ["", "Public", "Private", "Subsidiary"];
const DEPARTMENTS: [&str; 6] = ["", "", "Finance", "Operations", "Purchasing", "Technology"];
pub(crate) const LEAD_SOURCES: [&str; 7] =
    ["", "", "Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"];
const LEAD_STATUSES: [&str; 4] = [
    "Open - Not Contacted",
    "Open - Not Contacted",
    "Working - Contacted",
    "Closed - Not Converted",
];
const LEAD_INDUSTRIES: [&str; 5] = ["", "", "", "Technology", "Manufacturing"];
const REMARKS: [&str; 4] = [
    "Asked to be called in the afternoon.",
    "Prefers e-mail; \"no slides, please\".",
    "Line one of a longer remark,\nand its second line.",
    "Knows our product from an earlier job.",
];

/// All accounts, with owners, parents and audit times.
pub(crate) fn accounts(scene: &Scene) -> Vec<Account> {
    let mut random = Random::new(scene.seed, "accounts");
    let mut accounts: Vec<Account> = Vec::with_capacity(scene.base.accounts.len());
    for (index, base) in scene.base.accounts.iter().enumerate() {
        let reserved = scene.is_reserved(&base.id);
        let owner = scene.staff.owner(index, &mut random);
        let parent = (random.chance(3) && !reserved && index > 0)
            .then(|| accounts[random.below(index)].id.clone());
        let mut account = Account {
            annual_revenue: annual_revenue(&base.number_of_employees, &mut random),
            kind: (*random.pick(&ACCOUNT_TYPES)).to_owned(),
            rating: (*random.pick(&RATINGS)).to_owned(),
            ownership: (*random.pick(&OWNERSHIPS)).to_owned(),
            description: remark(&mut random),
            fax: fax(&mut random),
            parent_id: parent.unwrap_or_default(),
            owner_id: if reserved { scene.staff.unseated().to_owned() } else { owner },
            ..base.clone()
        };
        if account.ownership == "Public" {
            account.ticker_symbol = ticker(&base.name);
        }
        if random.chance(30) {
            ship_to_billing_address(&mut account);
        }
        account.created_date = scene.calendar.days_ago(random.between(60, 1_500), &mut random);
        account.touch(&audit(scene, account.created_date, &mut random));
        (account.last_viewed_date, account.last_referenced_date) = seen(scene, &mut random);
        accounts.push(account);
    }
    accounts
}

/// All contacts; mostly owned by their account's owner.
pub(crate) fn contacts(scene: &Scene, accounts: &[Account]) -> Vec<Contact> {
    let mut random = Random::new(scene.seed, "contacts");
    let owners: BTreeMap<&str, &str> =
        accounts.iter().map(|account| (account.id.as_str(), account.owner_id.as_str())).collect();
    scene
        .base
        .contacts
        .iter()
        .enumerate()
        .map(|(index, base)| {
            let other = scene.staff.owner(index, &mut random);
            let follows = random.chance(85) || scene.is_reserved(&base.account_id);
            let owner = owners.get(base.account_id.as_str()).filter(|_| follows);
            let mut contact = Contact {
                name: full_name(&base.first_name, &base.last_name),
                department: (*random.pick(&DEPARTMENTS)).to_owned(),
                fax: fax(&mut random),
                lead_source: (*random.pick(&LEAD_SOURCES)).to_owned(),
                description: remark(&mut random),
                do_not_call: random.chance(3),
                has_opted_out_of_email: random.chance(4),
                owner_id: owner.map_or(other, |owner| (*owner).to_owned()),
                created_date: scene.calendar.days_ago(random.between(45, 1_400), &mut random),
                ..base.clone()
            };
            contact.touch(&audit(scene, contact.created_date, &mut random));
            (contact.last_viewed_date, contact.last_referenced_date) = seen(scene, &mut random);
            contact
        })
        .collect()
}

/// All leads, none converted yet; some wait in the queue.
pub(crate) fn leads(scene: &Scene) -> Vec<Lead> {
    let mut random = Random::new(scene.seed, "leads");
    scene
        .base
        .leads
        .iter()
        .enumerate()
        .map(|(index, base)| {
            let owner = scene.staff.owner(index, &mut random);
            let in_queue = index % 40 == 5;
            let mut lead = Lead {
                industry: (*random.pick(&LEAD_INDUSTRIES)).to_owned(),
                lead_source: (*random.pick(&LEAD_SOURCES)).to_owned(),
                status: (*random.pick(&LEAD_STATUSES)).to_owned(),
                do_not_call: random.chance(3),
                has_opted_out_of_email: random.chance(4),
                owner_id: if in_queue { scene.staff.queue.id.clone() } else { owner },
                is_unread_by_owner: in_queue || random.chance(15),
                created_date: scene.calendar.days_ago(random.between(20, 900), &mut random),
                ..base.clone()
            };
            lead.touch(&audit(scene, lead.created_date, &mut random));
            (lead.last_viewed_date, lead.last_referenced_date) = seen(scene, &mut random);
            lead
        })
        .collect()
}

/// A fifth of the rows that are old enough were last touched by one mass update, all in the same
/// second.
fn audit(scene: &Scene, created: Stamp, random: &mut Random) -> Audit {
    let audit = scene.calendar.audit(created, random);
    let mass_update = scene.calendar.mass_update();
    if created < mass_update && random.chance(20) {
        return Audit { created, modified: mass_update, stamp: mass_update };
    }
    audit
}

/// When the integration user last saw a row: viewed, and referred to, which is never earlier.
fn seen(scene: &Scene, random: &mut Random) -> (Option<Stamp>, Option<Stamp>) {
    let viewed = random.chance(12).then(|| scene.calendar.days_ago(random.between(1, 90), random));
    (viewed, viewed.map(|viewed| viewed.plus_seconds(60)))
}

fn full_name(first_name: &str, last_name: &str) -> String {
    format!("{first_name} {last_name}").trim().to_owned()
}

fn remark(random: &mut Random) -> String {
    if random.chance(6) { (*random.pick(&REMARKS)).to_owned() } else { String::new() }
}

fn fax(random: &mut Random) -> String {
    if random.chance(5) { format!("+1 555 01{:02}", random.between(0, 99)) } else { String::new() }
}

/// Some revenue per head, for accounts whose size is known.
fn annual_revenue(employees: &str, random: &mut Random) -> String {
    let per_head = random.between(60, 400) * 1_000;
    employees.parse::<i64>().map_or_else(|_| String::new(), |heads| (heads * per_head).to_string())
}

fn ticker(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphabetic).take(4);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

fn ship_to_billing_address(account: &mut Account) {
    account.shipping_street.clone_from(&account.billing_street);
    account.shipping_city.clone_from(&account.billing_city);
    account.shipping_state.clone_from(&account.billing_state);
    account.shipping_postal_code.clone_from(&account.billing_postal_code);
    account.shipping_country.clone_from(&account.billing_country);
}
