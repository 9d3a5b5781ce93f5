//! `/composite/sobjects`: up to 200 records in a call.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::caller::{Caller, json_body, method_not_allowed};
use super::sobjects::writer;
use crate::dml;
use crate::error::{ApiError, Reply};
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::reply::json;
use crate::sync::write;

/// The most records in a call.
const MOST: usize = 200;

/// Answers `/composite/sobjects…`.
pub(super) fn route(caller: &Caller<'_>, rest: &[&str]) -> Reply {
    let method = &caller.call.method;
    match rest {
        [] if *method == Method::POST => each(caller, Operation::Create),
        [] if *method == Method::PATCH => each(caller, Operation::Update),
        [] if *method == Method::DELETE => delete(caller),
        [_object, field] if *method == Method::PATCH => each(caller, Operation::Upsert(field)),
        [object] if *method == Method::GET || *method == Method::POST => retrieve(caller, object),
        _ => Err(method_not_allowed(caller)),
    }
}

#[derive(Clone, Copy)]
enum Operation<'a> {
    Create,
    Update,
    Upsert(&'a str),
}

fn each(caller: &Caller<'_>, operation: Operation<'_>) -> Reply {
    let body = json_body(caller)?;
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or(false);
    let records = body
        .get("records")
        .and_then(Json::as_array)
        .ok_or_else(|| ApiError::bad("JSON_PARSER_ERROR", "records is required"))?;
    bounded(records.len())?;
    let mut data = write(&caller.org.data);
    let transaction = dml::Transaction::begin(&data);
    let results: Vec<Result<(RecordId, bool), ApiError>> =
        records.iter().map(|record| one(caller, &mut data, record, operation)).collect();
    Ok(finish(
        &mut data,
        results,
        all_or_none,
        transaction,
        matches!(operation, Operation::Upsert(_)),
    ))
}

fn bounded(count: usize) -> Result<(), ApiError> {
    if count > MOST {
        let message =
            format!("record limit reached. cannot submit more than {MOST} records into this call");
        return Err(ApiError::bad("EXCEEDED_ID_LIMIT", message));
    }
    Ok(())
}

fn one(
    caller: &Caller<'_>,
    data: &mut OrgData,
    record: &Json,
    operation: Operation<'_>,
) -> Result<(RecordId, bool), ApiError> {
    let mut fields: Map<String, Json> = record.as_object().cloned().unwrap_or_default();
    let object = fields
        .get("attributes")
        .and_then(|attributes| attributes.get("type"))
        .and_then(Json::as_str)
        .map(str::to_owned)
        .ok_or_else(|| {
            ApiError::fields(
                "INVALID_INPUT",
                "Include an entity type in the record's attributes",
                &[],
            )
        })?;
    let writer = writer(caller);
    let key = fields.keys().find(|key| key.eq_ignore_ascii_case("id")).cloned();
    match operation {
        Operation::Create => {
            let id = dml::create(data, &writer, &object, &fields)?;
            Ok((id, true))
        }
        Operation::Update => {
            let id = key.and_then(|key| fields.remove(&key));
            let id =
                id.as_ref().and_then(Json::as_str).and_then(RecordId::parse).ok_or_else(|| {
                    ApiError::fields("MISSING_ARGUMENT", "Id not specified in an update call", &[])
                })?;
            dml::update(data, &writer, &object, id, &fields)?;
            Ok((id, false))
        }
        Operation::Upsert(field) => {
            let value = fields.get(field).and_then(Json::as_str).unwrap_or_default().to_owned();
            let found = dml::find_by(data, &object, field, &value).first().copied();
            if let Some(id) = found {
                fields.retain(|name, _| !name.eq_ignore_ascii_case(field));
                dml::update(data, &writer, &object, id, &fields)?;
                return Ok((id, false));
            }
            let id = dml::create(data, &writer, &object, &fields)?;
            Ok((id, true))
        }
    }
}

fn finish(
    data: &mut OrgData,
    results: Vec<Result<(RecordId, bool), ApiError>>,
    all_or_none: bool,
    transaction: dml::Transaction,
    upsert: bool,
) -> axum::http::Response<axum::body::Body> {
    let failed = results.iter().any(Result::is_err);
    let rolled_back = all_or_none && failed;
    if rolled_back {
        transaction.roll_back(data);
    } else {
        transaction.commit();
    }
    let rows: Vec<Json> = results
        .into_iter()
        .map(|result| match result {
            Ok(_) if rolled_back => failure(&ApiError::fields(
                "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "Record rolled back because not all records were valid and the request was using \
                 AllOrNone header",
                &[],
            )),
            Ok((id, created)) => {
                let mut row = json!({ "id": id.to_string(), "success": true, "errors": [] });
                if upsert {
                    row["created"] = created.into();
                }
                row
            }
            Err(error) => failure(&error),
        })
        .collect();
    json(StatusCode::OK, &rows.into())
}

/// A row that failed: here the code's key is `statusCode`.
fn failure(error: &ApiError) -> Json {
    let mut error = error.clone();
    error.fields.get_or_insert_default();
    json!({ "success": false, "errors": [error.body("statusCode")] })
}

fn delete(caller: &Caller<'_>) -> Reply {
    let ids: Vec<&str> = caller
        .call
        .param("ids")
        .unwrap_or_default()
        .split(',')
        .filter(|id| !id.is_empty())
        .collect();
    bounded(ids.len())?;
    let all_or_none = caller.call.param("allOrNone") == Some("true");
    let mut data = write(&caller.org.data);
    let transaction = dml::Transaction::begin(&data);
    let results: Vec<Result<(RecordId, bool), ApiError>> = ids
        .iter()
        .map(|text| {
            let malformed =
                || ApiError::fields("MALFORMED_ID", format!("malformed id {text}"), &[]);
            let id = RecordId::parse(text).ok_or_else(malformed)?;
            let object =
                data.table_of(id).map(|table| table.schema.name.clone()).ok_or_else(malformed)?;
            dml::delete(&mut data, &writer(caller), &object, id)?;
            Ok((id, false))
        })
        .collect();
    Ok(finish(&mut data, results, all_or_none, transaction, false))
}

/// Several records of an object by id.
fn retrieve(caller: &Caller<'_>, object: &str) -> Reply {
    let body = if caller.call.body.is_empty() { Json::Null } else { json_body(caller)? };
    let list = |key: &str| -> Vec<String> {
        match (body.get(key), caller.call.param(key)) {
            (Some(Json::Array(all)), _) => {
                all.iter().filter_map(Json::as_str).map(str::to_owned).collect()
            }
            (_, Some(text)) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            _ => Vec::new(),
        }
    };
    let (ids, fields) = (list("ids"), list("fields"));
    let text = format!("SELECT {} FROM {object}", fields.join(","));
    let data = crate::sync::read(&caller.org.data);
    let now = caller.call.world.clock.now();
    let plan = crate::soql::compile(
        &crate::soql::parse(&text)?,
        &text,
        &data,
        &caller.access,
        crate::soql::Purpose::Rest,
        now,
    )?;
    let table = &data.tables[plan.table];
    let rows: Vec<Json> = ids
        .iter()
        .map(|id| {
            let id = RecordId::parse(id).filter(|id| data.is_live(*id));
            let found = id.and_then(|id| table.get(id).map(|row| (id, row)));
            match found.filter(|(id, row)| caller.access.sees_row(&data, table, *id, row)) {
                Some((id, row)) => crate::soql::json_record(
                    &data,
                    &plan,
                    &crate::soql::Found { id, row: row.clone() },
                    &caller.version,
                ),
                None => Json::Null,
            }
        })
        .collect();
    Ok(json(StatusCode::OK, &rows.into()))
}
