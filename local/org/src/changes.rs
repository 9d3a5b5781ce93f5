//! The changes in the CRM between the first import run and the second.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::base::Person;
use crate::delta::Delta;
use crate::error::Error;
use crate::pipeline::{REOPENED_STAGE, stage_name};
use crate::rows::{Account, Opportunity};
use crate::scene::Scene;
use crate::tables::Tables;

/// The changes, in order, and what the second run must report of them.
#[derive(Debug, Serialize)]
pub(crate) struct SecondRun {
    changes: Vec<Change>,
    expected: BTreeMap<&'static str, Counts>,
    reopened: Reopened,
    created_contact: CreatedContact,
}

/// One row changed, created or deleted by somebody in the CRM.
#[derive(Debug, Serialize)]
struct Change {
    op: &'static str,
    object: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Value::is_null")]
    fields: Value,
}

/// Rows per object that the second run writes; all others are unchanged.
#[derive(Debug, Default, Serialize)]
struct Counts {
    created: u32,
    updated: u32,
    deleted: u32,
}

/// The opportunity whose reopening alone makes its account and contacts saved.
#[derive(Debug, Serialize)]
struct Reopened {
    opportunity_id: String,
    account_id: String,
    company_id: String,
    owner_id: String,
    seat_email: String,
    /// The contact that plainly is a directory's person; the opportunity may have more contacts.
    contact_id: String,
    person_id: String,
}

/// The new contact is this person of the directory.
#[derive(Debug, Serialize)]
struct CreatedContact {
    last_name: String,
    account_id: String,
    person_id: String,
}

impl SecondRun {
    pub(crate) fn generate(scene: &Scene, delta: &Delta, tables: &Tables) -> Result<Self, Error> {
        let reopened = reopened(scene, &tables.opportunities)?;
        let promoted = scene
            .plain
            .iter()
            .find(|plain| {
                !scene.is_reserved(&plain.account.id) && !delta.contacts.contains(&plain.contact.id)
            })
            .ok_or(Error::Incomplete { what: "contact to promote" })?;
        let lead = tables
            .leads
            .iter()
            .find(|lead| {
                !lead.is_converted
                    && lead.owner_id != scene.staff.queue.id
                    && scene.truth.case(&lead.id) == "match"
                    && scene.truth.is_only_link(&lead.id)
            })
            .ok_or(Error::Incomplete { what: "open lead that is a directory's person" })?;
        let (colleague, account) = colleague(scene, &tables.accounts)?;
        let task = tables
            .tasks
            .iter()
            .find(|task| task.status == "Completed" && task.who_id.starts_with("003"))
            .ok_or(Error::Incomplete { what: "done task about a contact" })?;
        let email = format!("new.address.{}@mail.example", lead.last_name.to_lowercase())
            .replace(|character: char| !character.is_ascii_graphic(), "");
        let changes = vec![
            Change::update(
                "Opportunity",
                &reopened.opportunity_id,
                json!({
                    "StageName": stage_name(REOPENED_STAGE), "IsClosed": false, "IsWon": false
                }),
            ),
            Change::update(
                "Contact",
                &promoted.contact.id,
                json!({"Title": "Chief Revenue Officer"}),
            ),
            Change::update("Lead", &lead.id, json!({"Email": email})),
            Change {
                op: "create",
                object: "Contact",
                id: None,
                fields: new_contact(colleague, account),
            },
            Change { op: "delete", object: "Task", id: Some(task.id.clone()), fields: Value::Null },
        ];
        let created_contact = CreatedContact {
            last_name: colleague.last_name.clone(),
            account_id: account.id.clone(),
            person_id: colleague.id.clone(),
        };
        Ok(Self { expected: counts(&changes), changes, reopened, created_contact })
    }
}

impl Change {
    fn update(object: &'static str, id: &str, fields: Value) -> Self {
        Self { op: "update", object, id: Some(id.to_owned()), fields }
    }
}

/// The counts that the run must report, taken from the changes themselves.
fn counts(changes: &[Change]) -> BTreeMap<&'static str, Counts> {
    let mut expected: BTreeMap<&'static str, Counts> = BTreeMap::new();
    for change in changes {
        let counts = expected.entry(change.object).or_default();
        match change.op {
            "create" => counts.created += 1,
            "delete" => counts.deleted += 1,
            _ => counts.updated += 1,
        }
    }
    expected
}

fn reopened(scene: &Scene, deals: &[Opportunity]) -> Result<Reopened, Error> {
    let plain = scene.reopened();
    let deal = deals
        .iter()
        .find(|deal| deal.account_id == plain.account.id)
        .ok_or(Error::Incomplete { what: "opportunity to reopen" })?;
    Ok(Reopened {
        opportunity_id: deal.id.clone(),
        account_id: plain.account.id.clone(),
        company_id: plain.company.id.clone(),
        owner_id: deal.owner_id.clone(),
        seat_email: scene.staff.seat_email(&deal.owner_id).to_owned(),
        contact_id: plain.contact.id.clone(),
        person_id: plain.person.id.clone(),
    })
}

/// A person of the directory who works at an account and is no contact or lead yet.
fn colleague<'a>(
    scene: &Scene<'a>,
    accounts: &'a [Account],
) -> Result<(&'a Person, &'a Account), Error> {
    let by_company: BTreeMap<&str, &Account> = accounts
        .iter()
        .filter(|account| scene.truth.is_only_link(&account.id) && !scene.is_reserved(&account.id))
        .filter_map(|account| Some((scene.truth.entity_id(&account.id)?, account)))
        .collect();
    scene
        .base
        .people
        .iter()
        .filter(|person| {
            !person.emails.is_empty()
                && !scene.truth.is_linked("Contact", &person.id)
                && !scene.truth.is_linked("Lead", &person.id)
        })
        .find_map(|person| {
            let account = by_company.get(person.company.company_id.as_deref()?)?;
            Some((person, *account))
        })
        .ok_or(Error::Incomplete { what: "person at an account who is no contact yet" })
}

fn new_contact(person: &Person, account: &Account) -> Value {
    json!({
        "FirstName": person.first_name,
        "LastName": person.last_name,
        "Title": person.title,
        "Email": person.emails.first(),
        "AccountId": account.id,
        "OwnerId": account.owner_id,
        "MailingCity": person.city,
        "MailingCountry": person.country,
    })
}
