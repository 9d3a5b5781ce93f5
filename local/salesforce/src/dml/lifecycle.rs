//! Deletion, undeletion, merge, lead conversion and archiving of records.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{Writer, commit, create};
use crate::error::ApiError;
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::storage::{Draft, Value, format_date_time};

/// Deletes a record and what cascades from it.
pub(super) fn delete(data: &mut OrgData, writer: &Writer<'_>, position: usize, id: RecordId) {
    let table = &data.tables[position];
    if table.schema.flags.hard_delete {
        hard_delete(data, writer, id);
        return;
    }
    let Some(deleted_at) = table.schema.position("IsDeleted") else {
        hard_delete(data, writer, id);
        return;
    };
    touch(data, writer, id, |draft, _| draft.set(deleted_at, Value::Bool(true)));
    data.tables[position].deletions.push((id, writer.now));
    // Contacts, opportunities, activities and notes of an account go with it, as do contact roles
    // and team members.
    for child in children(data, id) {
        let Some(position) = data.position_of(child) else { continue };
        let Some(deleted_at) = data.tables[position].schema.position("IsDeleted") else { continue };
        touch(data, writer, child, |draft, _| draft.set(deleted_at, Value::Bool(true)));
        data.tables[position].deletions.push((child, writer.now));
    }
}

/// Live records that point to a record by a cascading field, and theirs in turn.
fn children(data: &OrgData, id: RecordId) -> Vec<RecordId> {
    const CASCADES: [(&str, &str); 12] = [
        ("Contact", "AccountId"),
        ("Opportunity", "AccountId"),
        ("AccountTeamMember", "AccountId"),
        ("OpportunityContactRole", "OpportunityId"),
        ("OpportunityContactRole", "ContactId"),
        ("Task", "WhatId"),
        ("Task", "WhoId"),
        ("Event", "WhatId"),
        ("Event", "WhoId"),
        ("Note", "ParentId"),
        ("ContentDocumentLink", "LinkedEntityId"),
        ("ContentDocumentLink", "ContentDocumentId"),
    ];
    let mut all = Vec::new();
    let mut next = vec![id];
    while let Some(parent) = next.pop() {
        for (object, field) in CASCADES {
            for (child, _) in pointing(data, object, field, parent) {
                if !all.contains(&child) && child != id {
                    all.push(child);
                    next.push(child);
                }
            }
        }
    }
    all
}

/// Live records of an object whose field points to a record.
fn pointing(data: &OrgData, object: &str, field: &str, to: RecordId) -> Vec<(RecordId, usize)> {
    let Some(table) = data.table(object) else { return Vec::new() };
    let Some(at) = table.schema.position(field) else { return Vec::new() };
    let mut slots = crate::storage::Slots::default();
    table
        .iter()
        .filter(|(_, row)| {
            slots.read(row);
            slots.bytes(row, at) == Some(&to.bytes()[..]) && !table.is_deleted(row)
        })
        .map(|(id, _)| (id, at))
        .collect()
}

/// Changes a record and its stamps.
fn touch(
    data: &mut OrgData,
    writer: &Writer<'_>,
    id: RecordId,
    change: impl FnOnce(&mut Draft, &crate::schema::ObjectSchema),
) {
    let Some(position) = data.position_of(id) else { return };
    let schema = Arc::clone(&data.tables[position].schema);
    let Some(row) = data.tables[position].get(id) else { return };
    let mut draft = Draft::of(&schema, row);
    change(&mut draft, &schema);
    let second = writer.now.div_euclid(1000) * 1000;
    draft.set(schema.at("SystemModstamp"), Value::Time(second));
    draft.set(schema.at("LastModifiedDate"), Value::Time(second));
    commit(data, position, id, &draft, writer);
}

/// Removes a record for good: it never was in the recycle bin, or is emptied from it.
pub(crate) fn hard_delete(data: &mut OrgData, writer: &Writer<'_>, id: RecordId) -> bool {
    let Some(position) = data.position_of(id) else { return false };
    let table = &mut data.tables[position];
    let known = table.deletions.iter().any(|(own, _)| *own == id);
    let removed = table.remove(id).is_some();
    if removed && !known {
        table.deletions.push((id, writer.now));
    }
    removed
}

/// Takes a record out of the recycle bin.
pub(crate) fn undelete(
    data: &mut OrgData,
    writer: &Writer<'_>,
    id: RecordId,
) -> Result<(), ApiError> {
    let position = data.position_of(id).ok_or_else(ApiError::not_found)?;
    let table = &data.tables[position];
    let row = table.get(id).ok_or_else(ApiError::not_found)?;
    if !table.is_deleted(row) {
        return Err(ApiError::bad("UNDELETE_FAILED", "Entity is not in the recycle bin"));
    }
    touch(data, writer, id, |draft, schema| {
        draft.set(schema.at("IsDeleted"), Value::Bool(false));
        draft.set(schema.at("MasterRecordId"), Value::Null);
    });
    data.tables[position].deletions.retain(|(own, _)| *own != id);
    Ok(())
}

/// Merges records into one: the losers' children move to it, the losers are deleted and name it as
/// their master.
pub(crate) fn merge(
    data: &mut OrgData,
    writer: &Writer<'_>,
    master: RecordId,
    losers: &[RecordId],
) -> Result<(), ApiError> {
    let object = data
        .table_of(master)
        .filter(|_| data.is_live(master))
        .map(|table| table.schema.name.clone());
    let object = object.ok_or_else(ApiError::not_found)?;
    for loser in losers {
        if *loser == master || !data.is_live(*loser) || loser.prefix() != master.prefix() {
            return Err(ApiError::bad(
                "INVALID_CROSS_REFERENCE_KEY",
                format!("{loser} cannot be merged into {master}"),
            ));
        }
        reparent(data, writer, &object, *loser, master);
        let position = data.position_of(*loser);
        touch(data, writer, *loser, |draft, schema| {
            draft.set(schema.at("IsDeleted"), Value::Bool(true));
            draft.set(schema.at("MasterRecordId"), Value::Id(master));
        });
        if let Some(position) = position {
            data.tables[position].deletions.push((*loser, writer.now));
        }
    }
    touch(data, writer, master, |_, _| {});
    Ok(())
}

/// Moves what points to one record to another.
fn reparent(data: &mut OrgData, writer: &Writer<'_>, object: &str, from: RecordId, to: RecordId) {
    let fields: &[(&str, &str)] = match object {
        "Account" => &[
            ("Contact", "AccountId"),
            ("Opportunity", "AccountId"),
            ("AccountTeamMember", "AccountId"),
            ("Task", "WhatId"),
            ("Event", "WhatId"),
            ("Note", "ParentId"),
            ("Account", "ParentId"),
        ],
        _ => &[
            ("Task", "WhoId"),
            ("Event", "WhoId"),
            ("OpportunityContactRole", "ContactId"),
            ("Note", "ParentId"),
            ("Contact", "ReportsToId"),
        ],
    };
    for (child, field) in fields {
        for (id, at) in pointing(data, child, field, from) {
            touch(data, writer, id, |draft, _| draft.set(at, Value::Id(to)));
        }
    }
}

/// The records that a lead was converted to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversion {
    pub(crate) account: RecordId,
    pub(crate) contact: RecordId,
    pub(crate) opportunity: Option<RecordId>,
}

/// Converts a lead into an account, a contact and, if it is to have a name, an opportunity. Its
/// activities move to the contact.
pub(crate) fn convert_lead(
    data: &mut OrgData,
    writer: &Writer<'_>,
    lead: RecordId,
    account: Option<RecordId>,
    contact: Option<RecordId>,
    opportunity: Option<&str>,
) -> Result<Conversion, ApiError> {
    if lead.prefix() != "00Q" || !data.is_live(lead) {
        return Err(ApiError::not_found());
    }
    if data.value(lead, "IsConverted").is_true() {
        return Err(ApiError::bad(
            "CANNOT_UPDATE_CONVERTED_LEAD",
            "cannot reference converted lead",
        ));
    }
    let account = match account {
        Some(account) => account,
        None => create(data, writer, "Account", &copied(data, lead, &ACCOUNT_FIELDS))?,
    };
    let contact = if let Some(contact) = contact {
        contact
    } else {
        let mut fields = copied(data, lead, &CONTACT_FIELDS);
        fields.insert("AccountId".to_owned(), account.to_string().into());
        create(data, writer, "Contact", &fields)?
    };
    let opportunity = match opportunity {
        None => None,
        Some(name) => {
            let close = format_date_time(writer.now + 30 * 86_400_000, "")[..10].to_owned();
            let fields = json!({
                "Name": name,
                "AccountId": account.to_string(),
                "StageName": "Prospecting",
                "CloseDate": close,
                "OwnerId": data.value(lead, "OwnerId").to_json(),
            });
            Some(create(data, writer, "Opportunity", fields.as_object().unwrap_or(&Map::new()))?)
        }
    };
    reparent(data, writer, "Lead", lead, contact);
    let today = format_date_time(writer.now, "")[..10].to_owned();
    touch(data, writer, lead, |draft, schema| {
        draft.set(schema.at("IsConverted"), Value::Bool(true));
        draft.set(schema.at("Status"), Value::text("Closed - Converted"));
        draft.set(schema.at("ConvertedDate"), Value::text(today));
        draft.set(schema.at("ConvertedAccountId"), Value::Id(account));
        draft.set(schema.at("ConvertedContactId"), Value::Id(contact));
        draft.set(schema.at("ConvertedOpportunityId"), opportunity.map_or(Value::Null, Value::Id));
    });
    Ok(Conversion { account, contact, opportunity })
}

/// Lead field, target field.
const ACCOUNT_FIELDS: [(&str, &str); 10] = [
    ("Company", "Name"),
    ("Website", "Website"),
    ("Phone", "Phone"),
    ("Industry", "Industry"),
    ("Street", "BillingStreet"),
    ("City", "BillingCity"),
    ("State", "BillingState"),
    ("PostalCode", "BillingPostalCode"),
    ("Country", "BillingCountry"),
    ("OwnerId", "OwnerId"),
];

const CONTACT_FIELDS: [(&str, &str); 12] = [
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Title", "Title"),
    ("Email", "Email"),
    ("Phone", "Phone"),
    ("MobilePhone", "MobilePhone"),
    ("Street", "MailingStreet"),
    ("City", "MailingCity"),
    ("State", "MailingState"),
    ("PostalCode", "MailingPostalCode"),
    ("Country", "MailingCountry"),
    ("OwnerId", "OwnerId"),
];

fn copied(data: &OrgData, from: RecordId, fields: &[(&str, &str)]) -> Map<String, Json> {
    fields
        .iter()
        .map(|(own, target)| ((*target).to_owned(), data.value(from, own).to_json()))
        .filter(|(_, value)| !value.is_null())
        .collect()
}

/// Removes everything that lies in the recycle bin; gives how many records that were.
pub(crate) fn empty_bin(data: &mut OrgData, writer: &Writer<'_>) -> usize {
    let binned: Vec<RecordId> = data
        .tables
        .iter()
        .flat_map(|table| table.iter().filter(|(_, row)| table.is_deleted(row)).map(|(id, _)| id))
        .collect();
    binned.iter().filter(|id| hard_delete(data, writer, **id)).count()
}

/// How long a deleted record stays in the recycle bin.
const BIN_MS: i64 = 15 * 86_400_000;

/// Removes what has been in the recycle bin for 15 days. Rows that a file loaded as deleted stay.
pub(crate) fn expire_bin(data: &mut OrgData, now: i64) {
    for table in &mut data.tables {
        let due: Vec<RecordId> = table
            .deletions
            .iter()
            .filter(|(_, at)| now - at > BIN_MS)
            .map(|(id, _)| *id)
            .filter(|id| table.get(*id).is_some_and(|row| table.is_deleted(row)))
            .collect();
        for id in due {
            table.remove(id);
        }
    }
}

/// Archives closed tasks and events that were over before a day; gives how many. Archiving moves no
/// stamp.
pub(crate) fn archive(data: &mut OrgData, before: &str) -> usize {
    let mut count = 0;
    for object in ["Task", "Event"] {
        let Some(position) = data.position(object) else { continue };
        let schema = Arc::clone(&data.tables[position].schema);
        let ended = if object == "Task" { "ActivityDate" } else { "EndDate" };
        let due: Vec<(RecordId, Draft)> = data.tables[position]
            .iter()
            .map(|(id, row)| (id, Draft::of(&schema, row)))
            .filter(|(_, draft)| {
                let is_over = object == "Event" || draft.get(schema.at("IsClosed")).is_true();
                let day = draft.get(schema.at(ended)).as_text();
                is_over && day.is_some_and(|day| day < before)
            })
            .collect();
        for (id, mut draft) in due {
            draft.set(schema.at("IsArchived"), Value::Bool(true));
            data.tables[position].put(id, draft.encode());
            count += 1;
        }
    }
    count
}
