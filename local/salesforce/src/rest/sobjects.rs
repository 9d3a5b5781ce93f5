//! `/sobjects`: describe, and single records by id or external id.

use axum::http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value as Json, json};

use super::caller::{Caller, json_body, method_not_allowed};
use super::{describe, replication};
use crate::dml::{self, Writer};
use crate::error::{ApiError, Reply};
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::reply::{empty, json, reply};
use crate::soql::{Found, Purpose, compile, json_record, parse};
use crate::storage::{Table, Value};
use crate::sync::{read, write};

/// Answers `/sobjects…`.
pub(super) fn route(caller: &Caller<'_>, rest: &[&str]) -> Reply {
    let method = &caller.call.method;
    match rest {
        [] if *method == Method::GET => Ok(describe::global(caller)),
        [object] if *method == Method::GET => describe::basic(caller, object),
        [object] if *method == Method::POST => create(caller, object),
        [object, "describe"] if *method == Method::GET => describe::full(caller, object),
        [object, "deleted"] if *method == Method::GET => replication::deleted(caller, object),
        [object, "updated"] if *method == Method::GET => replication::updated(caller, object),
        [object, id] => one(caller, object, id),
        [object, id, field] if RecordId::parse(id).is_some() && *method == Method::GET => {
            blob(caller, object, id, field)
        }
        [object, field, value] => by_external_id(caller, object, field, value),
        _ => Err(method_not_allowed(caller)),
    }
}

/// The writer of a call, with the options that its headers set.
pub(super) fn writer<'c>(caller: &'c Caller<'_>) -> Writer<'c> {
    let rule = caller.call.header("sforce-duplicate-rule-header").unwrap_or_default();
    Writer {
        access: &caller.access,
        client_id: &caller.client_id,
        now: caller.call.world.clock.now(),
        allow_duplicates: rule.to_ascii_lowercase().replace(' ', "").contains("allowsave=true"),
        system: false,
    }
}

fn object_body(caller: &Caller<'_>) -> Result<Map<String, Json>, ApiError> {
    match json_body(caller)? {
        Json::Object(map) => Ok(map),
        _ => Err(ApiError::bad("JSON_PARSER_ERROR", "an object is expected")),
    }
}

fn create(caller: &Caller<'_>, object: &str) -> Reply {
    let fields = object_body(caller)?;
    let mut data = write(&caller.org.data);
    let id = dml::create(&mut data, &writer(caller), object, &fields)?;
    let name = data.table(object).map_or_else(String::new, |table| table.schema.name.clone());
    drop(data);
    let mut response =
        json(StatusCode::CREATED, &json!({ "id": id.to_string(), "success": true, "errors": [] }));
    if let Ok(value) = HeaderValue::from_str(&format!("{}/sobjects/{name}/{id}", caller.root())) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    Ok(response)
}

fn one(caller: &Caller<'_>, object: &str, id: &str) -> Reply {
    let method = &caller.call.method;
    let id = RecordId::parse(id).ok_or_else(|| {
        let message =
            format!("Provided external ID field does not exist or is not accessible: {id}");
        ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    })?;
    // Some clients cannot send PATCH and say so in the query.
    let patch = *method == Method::PATCH
        || *method == Method::POST && caller.call.param("_HttpMethod") == Some("PATCH");
    if patch {
        let fields = object_body(caller)?;
        let mut data = write(&caller.org.data);
        belongs(&data, object, id)?;
        unmodified(caller, &data, id)?;
        dml::update(&mut data, &writer(caller), object, id, &fields)?;
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    match *method {
        Method::GET => retrieve(caller, object, id),
        Method::DELETE => {
            let mut data = write(&caller.org.data);
            belongs(&data, object, id)?;
            dml::delete(&mut data, &writer(caller), object, id)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(method_not_allowed(caller)),
    }
}

/// An id of another object is no record of this one.
fn belongs(data: &OrgData, object: &str, id: RecordId) -> Result<(), ApiError> {
    match data.table_of(id) {
        Some(table) if table.schema.name.eq_ignore_ascii_case(object) => Ok(()),
        _ => Err(ApiError::not_found()),
    }
}

/// `If-Unmodified-Since` on a change.
fn unmodified(caller: &Caller<'_>, data: &OrgData, id: RecordId) -> Result<(), ApiError> {
    let Some(since) = caller.call.header("if-unmodified-since") else { return Ok(()) };
    let since = jiff::fmt::rfc2822::parse(since).ok().map(|t| t.timestamp().as_millisecond());
    match (since, data.value(id, "LastModifiedDate")) {
        (Some(since), Value::Time(modified)) if modified > since => Err(ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "PRECONDITION_FAILED",
            "The record has been modified",
        )),
        _ => Ok(()),
    }
}

fn retrieve(caller: &Caller<'_>, object: &str, id: RecordId) -> Reply {
    let data = read(&caller.org.data);
    let table = seen(caller, &data, object, id)?;
    let schema = &table.schema;
    let fields: Vec<String> = match caller.call.param("fields") {
        Some(list) => list.split(',').map(|name| name.trim().to_owned()).collect(),
        None => schema
            .fields
            .iter()
            .filter(|field| caller.access.sees_field(&data, schema, field))
            .map(|field| field.name.clone())
            .collect(),
    };
    let text = format!("SELECT {} FROM {}", fields.join(","), schema.name);
    let now = caller.call.world.clock.now();
    let plan = compile(&parse(&text)?, &text, &data, &caller.access, Purpose::Rest, now)?;
    let row = table.get(id).ok_or_else(ApiError::not_found)?.clone();
    Ok(json(StatusCode::OK, &json_record(&data, &plan, &Found { id, row }, &caller.version)))
}

/// The table of a record that the caller sees.
fn seen<'d>(
    caller: &Caller<'_>,
    data: &'d OrgData,
    object: &str,
    id: RecordId,
) -> Result<&'d Table, ApiError> {
    belongs(data, object, id)?;
    let table = data.table_of(id).ok_or_else(ApiError::not_found)?;
    let row = table.get(id).ok_or_else(ApiError::not_found)?;
    if !caller.access.sees_object(data, &table.schema)
        || !caller.access.sees_row(data, table, id, row)
    {
        return Err(ApiError::not_found());
    }
    if table.is_deleted(row) {
        let message = "entity is deleted";
        return Err(ApiError {
            status: StatusCode::NOT_FOUND,
            ..ApiError::fields("ENTITY_IS_DELETED", message, &[])
        });
    }
    Ok(table)
}

/// `GET /sobjects/ContentNote/{id}/Content`: the bytes of a base64 field.
fn blob(caller: &Caller<'_>, object: &str, id: &str, field: &str) -> Reply {
    use base64::Engine as _;
    let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?;
    let data = read(&caller.org.data);
    let table = seen(caller, &data, object, id)?;
    let at = caller.access.position(&data, &table.schema, field).ok_or_else(ApiError::not_found)?;
    if table.schema.fields[at].kind != crate::schema::FieldType::Base64 {
        return Err(ApiError::not_found());
    }
    let content = data.text(id, &table.schema.fields[at].name);
    let bytes = base64::engine::general_purpose::STANDARD.decode(content).unwrap_or_default();
    Ok(reply(StatusCode::OK, "application/octet-stream", bytes))
}

/// `/sobjects/{X}/{ExtField}/{value}`: read, or create-or-update.
fn by_external_id(caller: &Caller<'_>, object: &str, field: &str, value: &str) -> Reply {
    let unknown = || {
        let message =
            format!("Provided external ID field does not exist or is not accessible: {field}");
        ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    };
    let mut data = write(&caller.org.data);
    let position = data.position(object).ok_or_else(ApiError::not_found)?;
    let schema = std::sync::Arc::clone(&data.tables[position].schema);
    let at = caller.access.position(&data, &schema, field).ok_or_else(unknown)?;
    if !(schema.fields[at].external_id || schema.fields[at].unique) {
        return Err(unknown());
    }
    let found = dml::find_by(&data, object, &schema.fields[at].name, value);
    if let [_, _, ..] = found.as_slice() {
        let urls: Vec<String> = found
            .iter()
            .map(|id| format!("{}/sobjects/{}/{id}", caller.root(), schema.name))
            .collect();
        return Ok(json(StatusCode::MULTIPLE_CHOICES, &urls.into()));
    }
    match (caller.call.method.clone(), found.first().copied()) {
        (Method::GET, Some(id)) => {
            drop(data);
            retrieve(caller, object, id)
        }
        (Method::DELETE, Some(id)) => {
            dml::delete(&mut data, &writer(caller), object, id)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        (Method::PATCH, found) => {
            upsert(caller, &mut data, object, (&schema.fields[at].name, value), found)
        }
        (Method::GET | Method::DELETE, None) => Err(ApiError::not_found()),
        _ => Err(method_not_allowed(caller)),
    }
}

fn upsert(
    caller: &Caller<'_>,
    data: &mut OrgData,
    object: &str,
    key: (&str, &str),
    found: Option<RecordId>,
) -> Reply {
    let mut fields = object_body(caller)?;
    let writer = writer(caller);
    let (id, created) = match found {
        Some(id) => {
            dml::update(data, &writer, object, id, &fields)?;
            (id, false)
        }
        None if caller.call.param("updateOnly") == Some("true") => {
            return Err(ApiError::not_found());
        }
        None => {
            fields.insert(key.0.to_owned(), key.1.into());
            (dml::create(data, &writer, object, &fields)?, true)
        }
    };
    if !created && caller.number() < 46.0 {
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let body = json!({ "id": id.to_string(), "success": true, "errors": [], "created": created });
    Ok(json(status, &body))
}
