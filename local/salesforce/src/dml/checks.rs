//! The checks that every record must pass, apart from the org's own rules.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Writer;
use crate::error::ApiError;
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::schema::{FieldType, ObjectSchema};
use crate::storage::{Draft, Table, Value};

/// Fields without which there is no record.
pub(super) fn required(
    schema: &ObjectSchema,
    draft: &Draft,
    writer: &Writer<'_>,
) -> Result<(), ApiError> {
    if writer.system {
        return Ok(());
    }
    let missing: Vec<&str> = schema
        .fields
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(at, field)| field.required && draft.get(*at).is_null())
        .map(|(_, field)| field.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(ApiError::fields("REQUIRED_FIELD_MISSING", message, &missing))
}

/// Values must fit together and point to records that exist.
pub(super) fn integrity(
    data: &OrgData,
    schema: &ObjectSchema,
    draft: &mut Draft,
    own: Option<RecordId>,
    writer: &Writer<'_>,
) -> Result<(), ApiError> {
    if writer.system {
        return Ok(());
    }
    picklists(schema, draft)?;
    references(data, schema, draft, writer)?;
    unique(data, schema, draft, own)?;
    match schema.name.as_str() {
        "Task" => activity(data, schema, draft),
        "Event" => activity(data, schema, draft).and_then(|()| event(schema, draft)),
        "ContentNote" => note_content(schema, draft),
        _ => Ok(()),
    }
}

fn picklists(schema: &ObjectSchema, draft: &Draft) -> Result<(), ApiError> {
    for (at, field) in schema.fields.iter().enumerate() {
        if !field.restricted || field.picklist.is_empty() {
            continue;
        }
        let Some(text) = draft.get(at).as_text() else { continue };
        let mut values =
            text.split(if field.kind == FieldType::MultiPicklist { ';' } else { '\0' });
        // A value that does not go with that of the controlling field is none of the list.
        let control = field.controller.as_deref().and_then(|name| schema.position(name));
        let control = control.and_then(|at| draft.get(at).as_text());
        let goes = |value: &str| {
            let with = field.goes_with.get(value);
            with.is_none_or(|with| control.as_ref().is_some_and(|c| with.iter().any(|w| w == c)))
        };
        let is_of_list = |value: &str| field.picklist.iter().any(|own| own == value) && goes(value);
        if let Some(bad) = values.find(|value| !is_of_list(value)) {
            let message =
                format!("{}: bad value for restricted picklist field: {bad}", field.label);
            return Err(ApiError::fields(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                message,
                &[&field.name],
            ));
        }
    }
    Ok(())
}

fn references(
    data: &OrgData,
    schema: &ObjectSchema,
    draft: &Draft,
    writer: &Writer<'_>,
) -> Result<(), ApiError> {
    for (at, field) in schema.fields.iter().enumerate() {
        let Value::Id(id) = *draft.get(at) else { continue };
        if field.readonly || field.references.is_empty() {
            continue;
        }
        let name = field.name.as_str();
        let target =
            data.table_of(id).filter(|table| field.references.contains(&table.schema.name));
        let Some(table) = target else {
            let shown = match name {
                "WhoId" => "Name ID".to_owned(),
                "WhatId" => "Related To ID".to_owned(),
                _ => field.label.clone(),
            };
            let message = format!("{shown}: id value of incorrect type: {id}");
            let code =
                if schema.flags.activity { "FIELD_INTEGRITY_EXCEPTION" } else { "MALFORMED_ID" };
            return Err(ApiError::fields(code, message, &[name]));
        };
        let row = table
            .get(id)
            .filter(|row| !table.is_deleted(row) && writer.access.sees_row(data, table, id, row));
        let Some(row) = row else { return Err(unreachable(table, id)) };
        if name == "RecordTypeId" && !writer.access.gives_record_type(data, id, &schema.name) {
            let message = format!("Record Type ID: this ID value isn't valid for the user: {id}");
            return Err(ApiError::fields("INVALID_CROSS_REFERENCE_KEY", message, &[name]));
        }
        // A note or a file needs the right to change what it is attached to.
        let attaches = matches!(name, "ParentId" | "LinkedEntityId") && schema.name != "Account";
        if attaches && !writer.access.edits_row(data, table, id, row) {
            let message = format!("insufficient access rights on cross-reference id: {id}");
            return Err(ApiError::fields(
                "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
                message,
                &[],
            ));
        }
        locked(data, id)?;
        if name == "OwnerId" && table.schema.name == "User" && !data.value(id, "IsActive").is_true()
        {
            let message = format!(
                "operation performed with inactive user [{id}] as owner of {}",
                schema.label.to_lowercase()
            );
            return Err(ApiError::fields("INACTIVE_OWNER_OR_USER", message, &["OwnerId"]));
        }
    }
    Ok(())
}

/// What a reference to a record meets that is gone, hidden, or was never there.
fn unreachable(table: &Table, id: RecordId) -> ApiError {
    match table.get(id) {
        Some(row) if table.is_deleted(row) => ApiError {
            status: axum::http::StatusCode::NOT_FOUND,
            ..ApiError::fields("ENTITY_IS_DELETED", "entity is deleted", &[])
        },
        Some(_) => ApiError::fields(
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            format!("insufficient access rights on cross-reference id: {id}"),
            &[],
        ),
        None => ApiError::fields("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[]),
    }
}

/// A record that some other transaction holds.
pub(super) fn locked(data: &OrgData, id: RecordId) -> Result<(), ApiError> {
    if data.settings.locked_records.is_empty()
        || !data.settings.locked_records.contains(&id.to_string())
    {
        return Ok(());
    }
    let message = format!("unable to obtain exclusive access to this record or 1 records: {id}");
    Err(ApiError::fields("UNABLE_TO_LOCK_ROW", message, &[]))
}

/// A converted lead cannot be changed or pointed to.
pub(super) fn converted_lead(
    data: &OrgData,
    id: RecordId,
    writer: &Writer<'_>,
) -> Result<(), ApiError> {
    let free = writer.system || writer.access.profile.edit_converted_leads;
    if id.prefix() == "00Q" && !free && data.value(id, "IsConverted").is_true() {
        return Err(ApiError::fields(
            "CANNOT_UPDATE_CONVERTED_LEAD",
            "cannot reference converted lead",
            &[],
        ));
    }
    Ok(())
}

fn unique(
    data: &OrgData,
    schema: &ObjectSchema,
    draft: &Draft,
    own: Option<RecordId>,
) -> Result<(), ApiError> {
    for (at, field) in schema.fields.iter().enumerate() {
        let Some(value) = draft.get(at).as_text().filter(|_| field.unique && field.custom) else {
            continue;
        };
        let Some(table) = data.table(&schema.name) else { continue };
        let holder = table.iter().find(|(id, row)| {
            Some(*id) != own
                && !table.is_deleted(row)
                && data
                    .value(*id, &field.name)
                    .as_text()
                    .is_some_and(|v| v.eq_ignore_ascii_case(value))
        });
        if let Some((id, _)) = holder {
            let message = format!(
                "duplicate value found: {} duplicates value on record with id: {id}",
                field.name
            );
            return Err(ApiError::fields("DUPLICATE_VALUE", message, &[]));
        }
    }
    Ok(())
}

fn activity(data: &OrgData, schema: &ObjectSchema, draft: &Draft) -> Result<(), ApiError> {
    let who = draft.get(schema.at("WhoId")).as_id();
    let what = draft.get(schema.at("WhatId")).as_id();
    if let Some(who) = who.filter(|who| who.prefix() == "00Q") {
        if data.value(who, "IsConverted").is_true() {
            return Err(ApiError::fields(
                "CANNOT_UPDATE_CONVERTED_LEAD",
                "cannot reference converted lead",
                &[],
            ));
        }
        if what.is_some() {
            let message =
                "Related To ID: If the Name ID is a lead, then the Related To ID must be blank";
            return Err(ApiError::fields("FIELD_INTEGRITY_EXCEPTION", message, &["WhatId"]));
        }
    }
    Ok(())
}

fn event(schema: &ObjectSchema, draft: &mut Draft) -> Result<(), ApiError> {
    const MINUTE: i64 = 60_000;
    let time = |draft: &Draft, field: &str| match draft.get(schema.at(field)) {
        Value::Time(at) => Some(*at),
        _ => None,
    };
    let all_day = draft.get(schema.at("IsAllDayEvent")).is_true();
    let mut start = time(draft, "StartDateTime").or_else(|| time(draft, "ActivityDateTime"));
    if let (None, true, Some(day)) =
        (start, all_day, draft.get(schema.at("ActivityDate")).as_text())
    {
        start = crate::storage::parse_date_time(day);
        draft.set(schema.at("StartDateTime"), start.map_or(Value::Null, Value::Time));
    }
    let Some(start) = start else {
        let message = "Required fields are missing: [StartDateTime]";
        return Err(ApiError::fields("REQUIRED_FIELD_MISSING", message, &["StartDateTime"]));
    };
    let minutes = match draft.get(schema.at("DurationInMinutes")) {
        Value::Int(minutes) => Some(*minutes),
        _ => None,
    };
    let end = time(draft, "EndDateTime")
        .or_else(|| minutes.map(|m| start + m * MINUTE))
        .or_else(|| all_day.then_some(start + 24 * 60 * MINUTE));
    let Some(end) = end else {
        let message = "Required fields are missing: [DurationInMinutes, EndDateTime]";
        return Err(ApiError::fields(
            "REQUIRED_FIELD_MISSING",
            message,
            &["DurationInMinutes", "EndDateTime"],
        ));
    };
    let broken = |message: &str, field: &str| {
        Err(ApiError::fields("FIELD_INTEGRITY_EXCEPTION", message, &[field]))
    };
    if end < start {
        return broken("Event duration can not be negative", "EndDateTime");
    }
    if end - start > 14 * 24 * 60 * MINUTE {
        return broken("Event duration can not be longer than fourteen days", "DurationInMinutes");
    }
    if minutes.is_some_and(|m| start + m * MINUTE != end) {
        return broken("DurationInMinutes and EndDateTime do not agree", "DurationInMinutes");
    }
    draft.set(schema.at("EndDateTime"), Value::Time(end));
    Ok(())
}

/// The text of an enhanced note is base64 of HTML.
fn note_content(schema: &ObjectSchema, draft: &mut Draft) -> Result<(), ApiError> {
    let at = schema.at("Content");
    let Some(content) = draft.get(at).as_text() else { return Ok(()) };
    let decoded = STANDARD.decode(content).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(html) = decoded else {
        return Err(ApiError::fields(
            "INVALID_FIELD",
            "Content is not base64 of UTF-8 text",
            &["Content"],
        ));
    };
    let preview: String = html.chars().take(255).collect();
    draft.set(schema.at("ContentSize"), Value::Int(i64::try_from(html.len()).unwrap_or(i64::MAX)));
    draft.set(schema.at("TextPreview"), Value::text(preview));
    draft.set(schema.at("FileType"), Value::text("SNOTE"));
    draft.set(schema.at("FileExtension"), Value::text("snote"));
    Ok(())
}
