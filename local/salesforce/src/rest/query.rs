//! `/query` and `/queryAll`: pages of JSON records.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::caller::Caller;
use crate::error::{ApiError, Reply};
use crate::jobs::Cursor;
use crate::org::OrgData;
use crate::reply::json;
use crate::soql::{Found, Grouping, Plan, Purpose, compile, json_record, parse, run};
use crate::storage::Value;
use crate::sync::{lock, read};

/// How long a cursor lives.
const CURSOR_LIFE_MS: i64 = 2 * 24 * 3_600_000;

/// Open queries kept at most, so that memory stays bounded; Salesforce itself has had no limit
/// since version 56.
const MOST_CURSORS: usize = 500;

/// Groups that one answer holds.
const MOST_GROUPS: usize = 2_000;

/// `GET /query?q=`. `all` also finds deleted and archived rows.
pub(super) fn query(caller: &Caller<'_>, all: bool) -> Reply {
    let text = caller
        .call
        .param("q")
        .ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "A query string has to be specified"))?;
    let parsed = parse(text)?;
    let now = caller.call.world.clock.now();
    let data = read(&caller.org.data);
    let plan = compile(&parsed, text, &data, &caller.access, Purpose::Rest, now)?;
    if caller.call.param("columns") == Some("true") {
        return Ok(json(StatusCode::OK, &column_metadata(&data, &plan)));
    }
    if let Some(grouping) = &plan.grouping {
        return groups(grouping, &grouping.groups(&data, &caller.access, &plan, all, now));
    }
    let found = run(&data, &caller.access, &plan, all, now);
    if plan.count {
        return Ok(json(
            StatusCode::OK,
            &json!({ "totalSize": found.len(), "done": true, "records": [] }),
        ));
    }
    let page = page_size(caller, &data, &plan);
    if found.len() <= page {
        return Ok(json(StatusCode::OK, &page_of(caller, &data, &plan, &found, 0, page, None)));
    }
    let key = format!("0r8{}", caller.call.world.random.text(15).replace(['.', '_'], "x"));
    let body = page_of(caller, &data, &plan, &found, 0, page, Some(&key));
    let cursor = Cursor {
        org: caller.org.id,
        user: caller.user,
        plan,
        found,
        page,
        expires: now + CURSOR_LIFE_MS,
    };
    let mut cursors = lock(&caller.call.world.cursors);
    cursors.retain(|_, cursor| cursor.expires > now);
    if cursors.len() >= MOST_CURSORS
        && let Some(oldest) = cursors.iter().min_by_key(|(_, c)| c.expires).map(|(k, _)| k.clone())
    {
        cursors.remove(&oldest);
    }
    cursors.insert(key, Arc::new(cursor));
    Ok(json(StatusCode::OK, &body))
}

/// The answer of a grouped query, which has one page.
fn groups(grouping: &Grouping, groups: &[Vec<Value<'static>>]) -> Reply {
    if groups.len() > MOST_GROUPS {
        return Err(ApiError::bad(
            "EXCEEDED_ID_LIMIT",
            "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a \
             single batch",
        ));
    }
    let record = |values: &Vec<Value<'static>>| {
        let columns = grouping.columns.iter();
        let own = columns.map(|(name, _, at)| (name.clone(), values[*at].to_json()));
        let attributes = ("attributes".to_owned(), json!({ "type": "AggregateResult" }));
        Json::Object(std::iter::once(attributes).chain(own).collect())
    };
    let records: Vec<Json> = groups.iter().map(record).collect();
    let body = json!({ "totalSize": groups.len(), "done": true, "records": records });
    Ok(json(StatusCode::OK, &body))
}

/// `GET /query/{locator}`: the next page. A `q` beside it does not count.
pub(super) fn more(caller: &Caller<'_>, locator: &str) -> Reply {
    let invalid = || ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (key, from) = locator.rsplit_once('-').ok_or_else(invalid)?;
    let from: usize = from.parse().map_err(|_| invalid())?;
    let now = caller.call.world.clock.now();
    let cursor = lock(&caller.call.world.cursors).get(key).cloned();
    let cursor = cursor
        .filter(|c| c.expires > now && c.org == caller.org.id && c.user == caller.user)
        .filter(|c| from < c.found.len())
        .ok_or_else(invalid)?;
    let data = read(&caller.org.data);
    let body = page_of(caller, &data, &cursor.plan, &cursor.found, from, cursor.page, Some(key));
    Ok(json(StatusCode::OK, &body))
}

/// Rows in a page: the org's setting, the caller's hint, and fewer when rows are wide.
fn page_size(caller: &Caller<'_>, data: &OrgData, plan: &Plan) -> usize {
    let most = data.settings.query_page_rows.max(1);
    let hint = caller.call.header("sforce-query-options").and_then(|options| {
        let size = options.split(',').find_map(|o| o.trim().strip_prefix("batchSize="))?;
        size.trim().parse::<usize>().ok()
    });
    // As Salesforce does, a hint below 200 counts as 200.
    let asked = hint.map_or(most, |hint| hint.clamp(200, 2000)).min(most);
    if plan.columns.len() > 100 { asked.min(500) } else { asked }
}

fn page_of(
    caller: &Caller<'_>,
    data: &OrgData,
    plan: &Plan,
    found: &[Found],
    from: usize,
    page: usize,
    key: Option<&str>,
) -> Json {
    let to = (from + page).min(found.len());
    let records: Vec<Json> =
        found[from..to].iter().map(|one| json_record(data, plan, one, &caller.version)).collect();
    let done = to == found.len();
    let mut body = json!({ "totalSize": found.len(), "done": done });
    if let Some(key) = key.filter(|_| !done) {
        body["nextRecordsUrl"] = format!("{}/query/{key}-{to}", caller.root()).into();
    }
    body["records"] = records.into();
    body
}

/// The description of the columns, for the sf CLI's `columns=true`.
fn column_metadata(data: &OrgData, plan: &Plan) -> Json {
    let schema = &data.tables[plan.table].schema;
    if let Some(grouping) = &plan.grouping {
        let names = grouping.columns.iter();
        let column = |(name, aggregate, _): &(String, bool, usize)| {
            json!({ "aggregate": aggregate,
            "columnName": name, "displayName": name, "joinColumns": [] })
        };
        return json!({
            "columnMetadata": names.map(column).collect::<Vec<_>>(),
            "entityName": schema.name,
            "groupBy": true,
            "idSelected": false,
            "keyPrefix": schema.prefix,
        });
    }
    let columns: Vec<Json> = plan
        .columns
        .iter()
        .map(|column| {
            let name = column.names.join(".");
            let field = schema.field(column.names.last().map_or("", String::as_str));
            let kind = field.map_or("xsd:string", |field| field.kind.soap());
            json!({
                "aggregate": false,
                "apexType": kind.rsplit(':').next(),
                "booleanType": kind == "xsd:boolean",
                "columnName": name,
                "custom": field.is_some_and(|field| field.custom),
                "displayName": name,
                "foreignKeyName": null,
                "insertable": field.is_some_and(|field| !field.readonly),
                "joinColumns": [],
                "numberType": matches!(kind, "xsd:int" | "xsd:double"),
                "textType": kind == "xsd:string",
                "updatable": field.is_some_and(|field| !field.readonly && !field.createonly),
            })
        })
        .collect();
    json!({
        "columnMetadata": columns,
        "entityName": schema.name,
        "groupBy": false,
        "idSelected": plan.columns.iter().any(|column| column.names == ["Id"]),
        "keyPrefix": schema.prefix,
    })
}
