//! Writes: what they must be, who may make them, and what follows from them.

mod checks;
pub(crate) mod derive;
mod lifecycle;
mod person;
mod places;
mod rules;
mod transaction;
mod values;

use axum::http::StatusCode;
use serde_json::{Map, Value as Json};

pub(crate) use lifecycle::{
    archive, convert_lead, empty_bin, expire_bin, hard_delete, merge, undelete,
};
pub(crate) use transaction::Transaction;
pub(crate) use values::find_by;
use values::value_of;

use crate::error::ApiError;
use crate::ids::RecordId;
use crate::org::{Access, OrgData, WriteEntry};
use crate::storage::{Draft, Late, Row, Value, format_date_time};

/// Who writes, when, and by what headers.
pub(crate) struct Writer<'a> {
    pub(crate) access: &'a Access,
    /// The app; `control` for the control API.
    pub(crate) client_id: &'a str,
    pub(crate) now: i64,
    /// `Sforce-Duplicate-Rule-Header: allowSave=true`.
    pub(crate) allow_duplicates: bool,
    /// The control API may set what users cannot, and meets no rules.
    pub(crate) system: bool,
}

/// Creates a record.
pub(crate) fn create(
    data: &mut OrgData,
    writer: &Writer<'_>,
    object: &str,
    fields: &Map<String, Json>,
) -> Result<RecordId, ApiError> {
    let position =
        object_position(data, writer, object, |allowed| allowed.create, |flags| flags.create)?;
    if data.settings.storage_full && !writer.system {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "STORAGE_LIMIT_EXCEEDED",
            "storage limit exceeded",
        ));
    }
    let schema = std::sync::Arc::clone(&data.tables[position].schema);
    let mut draft = Draft::new(&schema);
    let mut own_id = None;
    for (name, json) in fields {
        if name == "attributes" {
            continue;
        }
        let at = settable(data, writer, position, name, true)?;
        let value = value_of(&schema.fields[at], json)?;
        if at == 0 {
            own_id = value.as_id();
        } else {
            draft.set(at, value);
        }
    }
    derive::fill_defaults(
        data,
        &schema,
        &mut draft,
        writer.access.user.or_else(|| first_user(data)),
        writer.now,
    );
    person::recognise(data, &schema, &mut draft);
    let given = |name: &str| fields.keys().any(|own| own.eq_ignore_ascii_case(name));
    places::settle(data, &schema, &mut draft, &given, writer)?;
    checks::required(&schema, &draft, writer)?;
    checks::integrity(data, &schema, &mut draft, None, writer)?;
    derive::derive(data, &schema, &mut draft, derive::Presence::Write, writer.now);
    stamp(&mut draft, &schema, writer, true, data);
    let id = own_id.unwrap_or_else(|| data.tables[position].next_id());
    rules::check(data, position, id, &draft, writer, true)?;
    if data.tables[position].get(id).is_some() {
        return Err(ApiError::bad(
            "DUPLICATE_VALUE",
            format!("duplicate value found: Id duplicates value on record with id: {id}"),
        ));
    }
    commit(data, position, id, &draft, writer);
    person::follow(data, writer, id, &draft);
    record_write(data, writer, "create", position, id, fields);
    Ok(id)
}

/// Changes a record.
pub(crate) fn update(
    data: &mut OrgData,
    writer: &Writer<'_>,
    object: &str,
    id: RecordId,
    fields: &Map<String, Json>,
) -> Result<(), ApiError> {
    let position =
        object_position(data, writer, object, |allowed| allowed.edit, |flags| flags.update)?;
    let row = writable(data, writer, position, id)?;
    let schema = std::sync::Arc::clone(&data.tables[position].schema);
    checks::converted_lead(data, id, writer)?;
    person::guard(data, writer, id)?;
    let mut draft = Draft::of(&schema, &row);
    for (name, json) in fields {
        if name == "attributes" {
            continue;
        }
        let at = settable(data, writer, position, name, false)?;
        if at == 0 {
            return Err(ApiError::fields(
                "INVALID_FIELD",
                "The Id field should not be specified in the sobject data.",
                &["Id"],
            ));
        }
        draft.set(at, value_of(&schema.fields[at], json)?);
    }
    let given = |name: &str| fields.keys().any(|own| own.eq_ignore_ascii_case(name));
    if schema.name == "Event"
        && !given("EndDateTime")
        && (given("DurationInMinutes") || given("StartDateTime"))
    {
        draft.set(schema.at("EndDateTime"), Value::Null);
    }
    person::recognise(data, &schema, &mut draft);
    places::settle(data, &schema, &mut draft, &given, writer)?;
    checks::required(&schema, &draft, writer)?;
    checks::integrity(data, &schema, &mut draft, Some(id), writer)?;
    if schema.name == "Opportunity" && given("StageName") && !given("Probability") {
        draft.set(schema.at("Probability"), Value::Null);
        draft.set(schema.at("ForecastCategory"), Value::Null);
        draft.set(schema.at("ForecastCategoryName"), Value::Null);
    }
    derive::derive(data, &schema, &mut draft, derive::Presence::Write, writer.now);
    if writer.system {
        // A test may force what follows from other fields.
        for (name, json) in fields {
            if let Some(at) = schema.position(name).filter(|at| *at != 0) {
                draft.set(at, value_of(&schema.fields[at], json)?);
            }
        }
    }
    let kept = ["SystemModstamp", "LastModifiedDate"]
        .map(|name| (schema.at(name), writer.system && given(name)))
        .map(|(at, own)| own.then(|| (at, draft.get(at).clone())));
    stamp(&mut draft, &schema, writer, false, data);
    for (at, value) in kept.into_iter().flatten() {
        draft.set(at, value);
    }
    rules::check(data, position, id, &draft, writer, false)?;
    commit(data, position, id, &draft, writer);
    person::follow(data, writer, id, &draft);
    record_write(data, writer, "update", position, id, fields);
    Ok(())
}

/// Moves a record to the recycle bin, or removes it where the object has none.
pub(crate) fn delete(
    data: &mut OrgData,
    writer: &Writer<'_>,
    object: &str,
    id: RecordId,
) -> Result<(), ApiError> {
    let position =
        object_position(data, writer, object, |allowed| allowed.delete, |flags| flags.delete)?;
    writable(data, writer, position, id)?;
    lifecycle::delete(data, writer, position, id);
    record_write(data, writer, "delete", position, id, &Map::new());
    Ok(())
}

fn first_user(data: &OrgData) -> Option<RecordId> {
    data.table("User").and_then(|table| table.iter().next().map(|(id, _)| id))
}

/// The table of an object that the caller may write in this way.
fn object_position(
    data: &OrgData,
    writer: &Writer<'_>,
    object: &str,
    allowed: impl Fn(crate::org::ObjectPermission) -> bool,
    possible: impl Fn(crate::schema::ObjectFlags) -> bool,
) -> Result<usize, ApiError> {
    let position = data
        .position(object)
        .filter(|at| writer.system || writer.access.sees_object(data, &data.tables[*at].schema))
        .ok_or_else(ApiError::not_found)?;
    let schema = &data.tables[position].schema;
    if writer.system {
        return Ok(position);
    }
    if !possible(schema.flags) {
        let message = format!("entity type {} does not support this operation", schema.name);
        return Err(ApiError::bad("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message));
    }
    if !allowed(writer.access.profile.object(&schema.name)) {
        return Err(insufficient(data));
    }
    Ok(position)
}

/// `INSUFFICIENT_ACCESS_OR_READONLY`, with the status that the org is set to.
fn insufficient(data: &OrgData) -> ApiError {
    let status =
        StatusCode::from_u16(data.settings.readonly_status).unwrap_or(StatusCode::BAD_REQUEST);
    ApiError {
        status,
        ..ApiError::fields(
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "insufficient access rights on object id",
            &[],
        )
    }
}

/// The row of a record that the caller may change now.
fn writable(
    data: &OrgData,
    writer: &Writer<'_>,
    position: usize,
    id: RecordId,
) -> Result<Row, ApiError> {
    let table = &data.tables[position];
    let gone = || ApiError {
        status: StatusCode::NOT_FOUND,
        ..ApiError::fields("ENTITY_IS_DELETED", "entity is deleted", &[])
    };
    let row = table.get(id).ok_or_else(ApiError::not_found)?;
    if writer.system {
        return Ok(row.clone());
    }
    if table.is_deleted(row) {
        return Err(gone());
    }
    if !writer.access.sees_row(data, table, id, row) {
        return Err(ApiError::not_found());
    }
    if !writer.access.edits_row(data, table, id, row) {
        return Err(insufficient(data));
    }
    checks::locked(data, id)?;
    Ok(row.clone())
}

/// The position of a field that the caller may set.
fn settable(
    data: &OrgData,
    writer: &Writer<'_>,
    position: usize,
    name: &str,
    creating: bool,
) -> Result<usize, ApiError> {
    let schema = &data.tables[position].schema;
    let missing = || {
        let message = format!("No such column '{name}' on sobject of type {}", schema.name);
        ApiError::bad("INVALID_FIELD", message)
    };
    if writer.system {
        return schema.position(name).ok_or_else(missing);
    }
    let at = writer.access.position(data, schema, name).ok_or_else(missing)?;
    let field = &schema.fields[at];
    let allowed = if creating {
        writer.access.creates_field(schema, field)
    } else {
        at == 0 || writer.access.updates_field(schema, field)
    };
    if !allowed {
        let message = format!(
            "Unable to create/update fields: {}. Please check the security settings of this field \
             and verify that it is read/write for your profile or permission set.",
            field.name
        );
        return Err(ApiError::fields("INVALID_FIELD_FOR_INSERT_UPDATE", message, &[&field.name]));
    }
    Ok(at)
}

fn stamp(
    draft: &mut Draft,
    schema: &crate::schema::ObjectSchema,
    writer: &Writer<'_>,
    created: bool,
    data: &OrgData,
) {
    let by = writer.access.user.or_else(|| first_user(data)).map_or(Value::Null, Value::Id);
    let second = writer.now.div_euclid(1000) * 1000;
    let mut set = |field: &str, value: Value<'static>, keep: bool| {
        let at = schema.at(field);
        if !keep || draft.get(at).is_null() {
            draft.set(at, value);
        }
    };
    let mut free = writer.access.profile.set_audit_fields || writer.system;
    if created {
        set("CreatedDate", Value::Time(second), free);
        set("CreatedById", by.clone(), free);
    }
    free &= created;
    set("LastModifiedDate", Value::Time(second), free);
    set("LastModifiedById", by, free);
    set("SystemModstamp", Value::Time(second), writer.system && created);
}

/// Stores a row; queries show it after the org's visibility lag.
fn commit(data: &mut OrgData, position: usize, id: RecordId, draft: &Draft, writer: &Writer<'_>) {
    let mut draft = draft.clone();
    let schema = std::sync::Arc::clone(&data.tables[position].schema);
    for (name, value) in &data.settings.trigger_values {
        if let Some(field) = name.strip_prefix(&format!("{}.", schema.name))
            && let Some(at) = schema.position(field)
            && !writer.system
        {
            draft.set(at, schema.fields[at].parse_text(value).unwrap_or(Value::Null));
        }
    }
    let lag = data.settings.visibility_lag_ms;
    let table = &mut data.tables[position];
    let before = table.put(id, draft.encode());
    if lag > 0 {
        let now = writer.now;
        table.late.retain(|_, late| late.until > now);
        // A row that is late already keeps the form that queries know.
        table.late.entry(id).or_insert(Late { until: 0, before }).until = now + lag;
    }
}

/// Adds to the list of what was written through the API.
fn record_write(
    data: &mut OrgData,
    writer: &Writer<'_>,
    operation: &'static str,
    position: usize,
    id: RecordId,
    fields: &Map<String, Json>,
) {
    if writer.system {
        return;
    }
    let user = writer.access.user;
    let entry = WriteEntry {
        at: format_date_time(writer.now, "Z"),
        operation,
        object: data.tables[position].schema.name.clone(),
        id: id.to_string(),
        user_id: user.map(|user| user.to_string()).unwrap_or_default(),
        username: user.map(|user| data.text(user, "Username")).unwrap_or_default(),
        client_id: writer.client_id.to_owned(),
        fields: Json::Object(fields.clone()),
    };
    data.writes.push(entry);
}
