//! Person accounts: an account that is a person has a contact of its own, which only the account
//! can change.

use std::sync::Arc;

use super::{Writer, commit};
use crate::error::ApiError;
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::schema::ObjectSchema;
use crate::storage::{Draft, Value};

/// Account field, contact field.
const SHARED: [(&str, &str); 7] = [
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("PersonEmail", "Email"),
    ("PersonTitle", "Title"),
    ("PersonMobilePhone", "MobilePhone"),
    ("PersonMailingCity", "MailingCity"),
    ("PersonMailingCountry", "MailingCountry"),
];

/// An account with a last name is a person, and its name is the person's.
pub(super) fn recognise(data: &OrgData, schema: &ObjectSchema, draft: &mut Draft) {
    let is_account = schema.name == "Account" && data.settings.person_accounts;
    let part = |field: &str| draft.get(schema.at(field)).as_text().unwrap_or_default().to_owned();
    let (first, last) = (part("FirstName"), part("LastName"));
    if is_account && !last.is_empty() {
        draft.set(schema.at("Name"), Value::text(format!("{first} {last}").trim().to_owned()));
        draft.set(schema.at("IsPersonAccount"), Value::Bool(true));
    }
}

/// Makes or changes the contact of a person account that was just written.
pub(super) fn follow(data: &mut OrgData, writer: &Writer<'_>, account: RecordId, draft: &Draft) {
    let (Some(accounts), Some(contacts)) = (data.position("Account"), data.position("Contact"))
    else {
        return;
    };
    let of_account = Arc::clone(&data.tables[accounts].schema);
    let of_contact = Arc::clone(&data.tables[contacts].schema);
    if account.prefix() != "001" || !draft.get(of_account.at("IsPersonAccount")).is_true() {
        return;
    }
    let known = draft.get(of_account.at("PersonContactId")).as_id();
    let stored = known.and_then(|id| data.tables[contacts].get(id));
    let mut contact =
        stored.map_or_else(|| Draft::new(&of_contact), |row| Draft::of(&of_contact, row));
    for (own, target) in SHARED {
        contact.set(of_contact.at(target), draft.get(of_account.at(own)).clone());
    }
    for same in [
        "Name",
        "OwnerId",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
        "SystemModstamp",
    ] {
        contact.set(of_contact.at(same), draft.get(of_account.at(same)).clone());
    }
    contact.set(of_contact.at("AccountId"), Value::Id(account));
    contact.set(of_contact.at("IsPersonAccount"), Value::Bool(true));
    let id = known.unwrap_or_else(|| data.tables[contacts].next_id());
    commit(data, contacts, id, &contact, writer);
    if known.is_none() {
        let mut draft = draft.clone();
        draft.set(of_account.at("PersonContactId"), Value::Id(id));
        commit(data, accounts, account, &draft, writer);
    }
}

/// The contact of a person account is changed through the account only.
pub(super) fn guard(data: &OrgData, writer: &Writer<'_>, id: RecordId) -> Result<(), ApiError> {
    if !writer.system && id.prefix() == "003" && data.value(id, "IsPersonAccount").is_true() {
        let message = "Cannot modify the contact of a person account; change the account instead";
        return Err(ApiError::fields("INVALID_FIELD_FOR_INSERT_UPDATE", message, &[]));
    }
    Ok(())
}
