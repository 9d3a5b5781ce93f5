//! The values that Salesforce itself fills in: defaults, names, stamps, and what follows from other
//! fields.

use std::sync::Arc;

use crate::ids::RecordId;
use crate::org::OrgData;
use crate::schema::{FieldType, ObjectSchema};
use crate::storage::{Draft, Slots, Value};

/// Which fields a caller gave, so that derived ones do not overwrite them.
#[derive(Clone, Copy)]
pub(crate) enum Presence<'a> {
    /// A file with these columns: everything in it stands.
    Columns(&'a [usize]),
    /// A write: derived fields are always computed.
    Write,
}

impl Presence<'_> {
    fn has(self, at: usize) -> bool {
        match self {
            Self::Columns(columns) => columns.contains(&at),
            Self::Write => false,
        }
    }
}

/// Completes a row of a file.
pub(crate) fn complete(
    data: &OrgData,
    schema: &Arc<ObjectSchema>,
    draft: &mut Draft,
    now: i64,
    presence: Presence<'_>,
) {
    let first_user = data.table("User").and_then(|table| table.iter().next().map(|(id, _)| id));
    fill_defaults(data, schema, draft, first_user, now);
    for (at, field) in schema.fields.iter().enumerate() {
        let absent = !presence.has(at);
        match field.name.as_str() {
            "IsActive" if absent => draft.set(at, Value::Bool(true)),
            "CreatedDate" | "LastModifiedDate" | "SystemModstamp" if draft.get(at).is_null() => {
                draft.set(at, Value::Time(now));
            }
            "CreatedById" | "LastModifiedById" if draft.get(at).is_null() => {
                draft.set(at, first_user.map_or(Value::Null, Value::Id));
            }
            _ => {}
        }
    }
    // A row modified after it was made says so in its stamp when the file gives no stamp of its
    // own.
    if !presence.has(schema.at("SystemModstamp"))
        && presence.has(schema.at("LastModifiedDate"))
        && let Value::Time(at) = *draft.get(schema.at("LastModifiedDate"))
    {
        draft.set(schema.at("SystemModstamp"), Value::Time(at));
    }
    derive(data, schema, draft, presence, now);
}

/// Fills fields that have a default and no value.
pub(crate) fn fill_defaults(
    data: &OrgData,
    schema: &ObjectSchema,
    draft: &mut Draft,
    user: Option<RecordId>,
    _now: i64,
) {
    for (at, field) in schema.fields.iter().enumerate() {
        if !draft.get(at).is_null() {
            continue;
        }
        if let Some(default) = &field.default {
            if data.has(field.feature) {
                draft.set(at, field.parse_text(default).unwrap_or(Value::Null));
            }
        } else if field.name == "OwnerId" {
            draft.set(at, user.map_or(Value::Null, Value::Id));
        }
    }
    if schema.name == "User" {
        user_defaults(data, schema, draft);
    }
}

fn user_defaults(data: &OrgData, schema: &ObjectSchema, draft: &mut Draft) {
    let email = draft.get(schema.at("Email")).as_text().unwrap_or_default().to_owned();
    let username = draft.get(schema.at("Username")).as_text().unwrap_or_default().to_owned();
    let local = email.split('@').next().unwrap_or_default().to_owned();
    if username.is_empty() && !email.is_empty() {
        draft.set(schema.at("Username"), Value::text(email.clone()));
    }
    if email.is_empty() && !username.is_empty() {
        draft.set(schema.at("Email"), Value::text(username));
    }
    for (field, length) in [("Alias", 8), ("CommunityNickname", 40)] {
        let at = schema.at(field);
        if draft.get(at).is_null() && !local.is_empty() {
            draft.set(at, Value::text(local.chars().take(length).collect::<String>()));
        }
    }
    if draft.get(schema.at("ProfileId")).is_null() {
        let administrator = data.table("Profile").and_then(|table| {
            table
                .iter()
                .map(|(id, _)| id)
                .find(|id| data.text(*id, "Name") == "System Administrator")
        });
        draft.set(schema.at("ProfileId"), administrator.map_or(Value::Null, Value::Id));
    }
}

/// Computes what follows from other fields.
pub(crate) fn derive(
    data: &OrgData,
    schema: &ObjectSchema,
    draft: &mut Draft,
    presence: Presence<'_>,
    now: i64,
) {
    match schema.name.as_str() {
        "Contact" | "Lead" | "User" => person_name(schema, draft, presence),
        "Opportunity" => opportunity(data, schema, draft, presence),
        "OpportunityStage" => stage_name(schema, draft),
        "Task" => task(data, schema, draft, presence, now),
        "Event" => event(data, schema, draft, presence),
        _ => {}
    }
}

fn person_name(schema: &ObjectSchema, draft: &mut Draft, presence: Presence<'_>) {
    let at = schema.at("Name");
    if presence.has(at) && !draft.get(at).is_null() {
        return;
    }
    let part = |field: &str| draft.get(schema.at(field)).as_text().unwrap_or_default().to_owned();
    let (first, last) = (part("FirstName"), part("LastName"));
    let name = format!("{first} {last}").trim().to_owned();
    if !name.is_empty() {
        draft.set(at, Value::text(name));
    }
}

/// A stage that was never renamed has its label for an API name.
fn stage_name(schema: &ObjectSchema, draft: &mut Draft) {
    let at = schema.at("ApiName");
    if draft.get(at).is_null() {
        draft.set(at, draft.get(schema.at("MasterLabel")).clone());
    }
}

fn opportunity(data: &OrgData, schema: &ObjectSchema, draft: &mut Draft, presence: Presence<'_>) {
    if let Some(close) = draft.get(schema.at("CloseDate")).as_text().map(str::to_owned) {
        let year: i64 = close[..4].parse().unwrap_or(0);
        let quarter = (close[5..7].parse::<i64>().unwrap_or(1) + 2) / 3;
        draft.set(schema.at("FiscalYear"), Value::Int(year));
        draft.set(schema.at("FiscalQuarter"), Value::Int(quarter));
        draft.set(schema.at("Fiscal"), Value::text(format!("{year} {quarter}")));
    }
    let name = draft.get(schema.at("StageName")).as_text().unwrap_or_default().to_owned();
    let Some(table) = data.table("OpportunityStage") else { return };
    let stage = table.iter().find(|(_, row)| {
        let mut slots = Slots::default();
        slots.read(row);
        let own = slots.value(row, table.schema.at("ApiName"), FieldType::String);
        own.as_text().is_some_and(|own| own.eq_ignore_ascii_case(&name))
    });
    let Some((stage, _)) = stage else { return };
    for (field, of) in [("IsClosed", "IsClosed"), ("IsWon", "IsWon")] {
        if !presence.has(schema.at(field)) {
            draft.set(schema.at(field), data.value(stage, of).into_owned());
        }
    }
    let at = schema.at("Probability");
    if draft.get(at).is_null() {
        draft.set(at, data.value(stage, "DefaultProbability").into_owned());
    }
    for field in ["ForecastCategory", "ForecastCategoryName"] {
        if draft.get(schema.at(field)).is_null() {
            draft.set(schema.at(field), data.value(stage, field).into_owned());
        }
    }
    if let (Value::Double(amount), Value::Double(p)) =
        (draft.get(schema.at("Amount")), draft.get(at))
    {
        let expected = amount * p / 100.0;
        draft.set(schema.at("ExpectedRevenue"), Value::Double(expected));
    }
}

fn task(
    data: &OrgData,
    schema: &ObjectSchema,
    draft: &mut Draft,
    presence: Presence<'_>,
    now: i64,
) {
    let is = |field: &str, value: &str| draft.get(schema.at(field)).as_text() == Some(value);
    let (closed, high) = (is("Status", "Completed"), is("Priority", "High"));
    if !presence.has(schema.at("IsClosed")) {
        draft.set(schema.at("IsClosed"), Value::Bool(closed));
    }
    draft.set(schema.at("IsHighPriority"), Value::Bool(high));
    if draft.get(schema.at("TaskSubtype")).is_null() {
        draft.set(schema.at("TaskSubtype"), Value::text("Task"));
    }
    let at = schema.at("CompletedDateTime");
    if closed && draft.get(at).is_null() && !presence.has(at) {
        draft.set(at, Value::Time(now));
    }
    related_account(data, schema, draft, presence);
}

fn event(data: &OrgData, schema: &ObjectSchema, draft: &mut Draft, presence: Presence<'_>) {
    let time = |draft: &Draft, field: &str| match draft.get(schema.at(field)) {
        Value::Time(at) => Some(*at),
        _ => None,
    };
    let start = time(draft, "StartDateTime").or_else(|| time(draft, "ActivityDateTime"));
    if let Some(start) = start {
        let minutes = match draft.get(schema.at("DurationInMinutes")) {
            Value::Int(minutes) => *minutes,
            _ => 60,
        };
        let end = time(draft, "EndDateTime").unwrap_or(start + minutes * 60_000);
        draft.set(schema.at("StartDateTime"), Value::Time(start));
        draft.set(schema.at("ActivityDateTime"), Value::Time(start));
        draft.set(schema.at("EndDateTime"), Value::Time(end));
        draft.set(schema.at("DurationInMinutes"), Value::Int((end - start) / 60_000));
        let day = |ms| crate::storage::format_date_time(ms, "")[..10].to_owned();
        draft.set(schema.at("ActivityDate"), Value::text(day(start)));
        draft.set(schema.at("EndDate"), Value::text(day(end)));
    }
    related_account(data, schema, draft, presence);
}

/// An activity's account: its `What` when that is one, else the account of its `What` or `Who`.
fn related_account(
    data: &OrgData,
    schema: &ObjectSchema,
    draft: &mut Draft,
    presence: Presence<'_>,
) {
    if presence.has(schema.at("AccountId")) {
        return;
    }
    let account = ["WhatId", "WhoId"].into_iter().find_map(|field| {
        let id = draft.get(schema.at(field)).as_id()?;
        if id.prefix() == "001" { Some(id) } else { data.value(id, "AccountId").as_id() }
    });
    draft.set(schema.at("AccountId"), account.map_or(Value::Null, Value::Id));
    for (field, count) in [("WhoId", "WhoCount"), ("WhatId", "WhatCount")] {
        let n = i64::from(!draft.get(schema.at(field)).is_null());
        draft.set(schema.at(count), Value::Int(n));
    }
}
