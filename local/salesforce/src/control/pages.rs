//! Pages for a person who tries the demo: the org's records and what was written to it.

use std::fmt::Write as _;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Control, ControlError};
use crate::ids::RecordId;
use crate::oauth::escape;
use crate::org::WriteEntry;
use crate::sync::read;

/// Rows on a page of records.
const ROWS: usize = 100;
/// Writes shown on an org's page, newest first.
const WRITES: usize = 100;
/// Columns of a list of records, where an object has them; its name stands before them.
const COLUMNS: [&str; 11] = [
    "Email",
    "Title",
    "Company",
    "AccountId",
    "WhoId",
    "WhatId",
    "ParentId",
    "StageName",
    "Status",
    "OwnerId",
    "SystemModstamp",
];

/// A page, or why there is none.
type Shown = Result<Html<String>, Refused>;

/// A page that cannot be shown.
pub(super) struct Refused(ControlError);

impl From<ControlError> for Refused {
    fn from(error: ControlError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = format!("<h1>Not here</h1><p>{}</p>", escape(&self.0.to_string()));
        (StatusCode::NOT_FOUND, page("Not here", &[], &body)).into_response()
    }
}

/// A page with the way back to it: pairs of address and text.
fn page(title: &str, way: &[(String, &str)], body: &str) -> Html<String> {
    let mut back = String::new();
    for (address, text) in way {
        // Writing to a String cannot fail.
        let _ = write!(back, " › <a href=\"{}\">{}</a>", escape(address), escape(text));
    }
    Html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} | \
         Salesforce simulator</title><meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\"><style>{style}</style></head>\n<body><header><a href=\"/simulator\">\
         Salesforce simulator</a>{back}</header><main>{body}</main></body></html>\n",
        title = escape(title),
        style = include_str!("pages.css"),
    ))
}

/// `GET /simulator`: all orgs.
pub(super) async fn orgs(State(control): State<Control>) -> Shown {
    let mut body = "<h1>Orgs</h1><table><tr><th>My Domain</th><th>Id</th></tr>".to_owned();
    for label in control.orgs() {
        let (shown, id) = (escape(&label), control.org_id(&label)?);
        let _ = write!(
            body,
            "<tr><td><a href=\"/simulator/{shown}\">{shown}</a></td><td>{id}</td></tr>"
        );
    }
    body.push_str("</table>");
    if let Some(addresses) = control.world.addresses.get() {
        let address = escape(&addresses.http);
        let _ = write!(
            body,
            "<p class=\"pale\">The orgs' API and their login are at <code>{address}</code>.</p>"
        );
    }
    Ok(page("Orgs", &[], &body))
}

/// `GET /simulator/{org}`: what was written, and its objects.
pub(super) async fn org(State(control): State<Control>, Path(org): Path<String>) -> Shown {
    let host = control.org(&org)?.host();
    let mut body = format!(
        "<h1>{}</h1><p class=\"pale\">{}</p><div class=\"columns\"><section><h2>Records</h2>\
         <table>",
        escape(&org),
        escape(&host)
    );
    for (object, count) in control.counts(&org)?.into_iter().filter(|(_, count)| *count > 0) {
        let _ = write!(
            body,
            "<tr><td><a href=\"/simulator/{}/{object}\">{object}</a></td><td class=\"number\">\
             {count}</td></tr>",
            escape(&org)
        );
    }
    body.push_str("</table></section><section><h2>Written through the API</h2>");
    let writes = control.writes(&org)?;
    if writes.is_empty() {
        body.push_str("<p class=\"pale\">Nothing yet.</p>");
    }
    for entry in writes.iter().rev().take(WRITES) {
        body.push_str(&write_entry(&control, &org, entry));
    }
    if let Some(older) = writes.len().checked_sub(WRITES + 1) {
        let _ = write!(body, "<p class=\"pale\">And {} before these.</p>", older + 1);
    }
    body.push_str("</section></div>");
    Ok(page(&org, &[], &body))
}

fn write_entry(control: &Control, org: &str, entry: &WriteEntry) -> String {
    format!(
        "<article><h3>{} {}d: {}</h3><p class=\"pale\">{} · {} · {}</p>{}</article>",
        escape(&entry.object),
        entry.operation,
        reference(control, org, &entry.id),
        escape(&entry.at),
        escape(&entry.username),
        escape(&entry.client_id),
        fields(control, org, &entry.fields)
    )
}

/// A record as a link with its name; any other text as it is.
fn reference(control: &Control, org: &str, text: &str) -> String {
    let shown = escape(text);
    if RecordId::parse(text).is_none() || text.len() != 18 {
        return shown;
    }
    let Ok(record) = control.record(org, text) else { return shown };
    let name = name_of(&record).map_or_else(|| shown.clone(), escape);
    format!("<a href=\"/simulator/{}/record/{shown}\" title=\"{shown}\">{name}</a>", escape(org))
}

/// The name of a record, as a person reads it.
fn name_of(record: &Json) -> Option<&str> {
    let text = |field: &str| record.get(field).and_then(Json::as_str).filter(|t| !t.is_empty());
    ["Name", "Subject", "Title"].into_iter().find_map(text)
}

/// The fields that hold something, as a list.
fn fields(control: &Control, org: &str, record: &Json) -> String {
    let mut out = "<dl>".to_owned();
    let own = record.as_object().into_iter().flatten();
    let unseen = ["attributes", "Id"];
    for (name, value) in own.filter(|(name, v)| !unseen.contains(&name.as_str()) && !v.is_null()) {
        let value = cell(control, org, value);
        let _ = write!(out, "<dt>{}</dt><dd>{value}</dd>", escape(name));
    }
    out.push_str("</dl>");
    out
}

fn cell(control: &Control, org: &str, value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => reference(control, org, text),
        other => escape(&other.to_string()),
    }
}

#[derive(Deserialize)]
pub(super) struct Offset {
    #[serde(default)]
    offset: usize,
}

/// `GET /simulator/{org}/{object}`: a page of its records.
pub(super) async fn object(
    State(control): State<Control>,
    Path((org, object)): Path<(String, String)>,
    Query(from): Query<Offset>,
) -> Shown {
    let records = control.records(&org, &object, from.offset, ROWS)?;
    let all = control.counts(&org)?.get(&object).copied().unwrap_or_default();
    let mut body =
        format!("<h1>{}</h1><p class=\"pale\">{all} outside the recycle bin</p>", escape(&object));
    body.push_str(&list(&control, &org, &records));
    body.push_str("<p>");
    if from.offset > 0 {
        let before = from.offset.saturating_sub(ROWS);
        let _ = write!(body, "<a href=\"?offset={before}\">← Previous</a> ");
    }
    if records.len() == ROWS {
        let _ = write!(body, "<a href=\"?offset={}\">Next →</a>", from.offset + ROWS);
    }
    body.push_str("</p>");
    Ok(page(&object, &[(format!("/simulator/{org}"), &org)], &body))
}

/// Records as a table.
fn list(control: &Control, org: &str, records: &[Json]) -> String {
    let columns: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|column| records.iter().any(|r| r.get(column).is_some_and(|v| !v.is_null())))
        .collect();
    let mut out = "<div class=\"wide\"><table><tr><th>Record</th>".to_owned();
    for column in &columns {
        let _ = write!(out, "<th>{column}</th>");
    }
    out.push_str("</tr>");
    for record in records {
        let deleted = record.get("IsDeleted") == Some(&Json::Bool(true));
        out.push_str(if deleted { "<tr class=\"deleted\">" } else { "<tr>" });
        let id = record.get("Id").and_then(Json::as_str).unwrap_or_default();
        let _ = write!(out, "<td>{}</td>", reference(control, org, id));
        for column in &columns {
            let value = record.get(column).unwrap_or(&Json::Null);
            let _ = write!(out, "<td>{}</td>", cell(control, org, value));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div>");
    out
}

/// `GET /simulator/{org}/{object}/{id}`: one record, and what was logged on it.
pub(super) async fn record(
    State(control): State<Control>,
    Path((org, _, id)): Path<(String, String, String)>,
) -> Shown {
    let record = control.record(&org, &id)?;
    let object = object_of(&control, &org, &id)?;
    let mut body = format!(
        "<h1>{}</h1><p class=\"pale\">{} {}</p>",
        escape(name_of(&record).unwrap_or(&id)),
        escape(&object),
        escape(&id)
    );
    let logged = logged_on(&control, &org, &id)?;
    if !logged.is_empty() {
        let _ = write!(body, "<h2>Logged here</h2>{}", list(&control, &org, &logged));
    }
    let _ = write!(body, "<h2>Fields</h2>{}", fields(&control, &org, &record));
    let own = record.as_object().into_iter().flatten();
    let empty: Vec<String> =
        own.filter(|(_, value)| value.is_null()).map(|(name, _)| escape(name)).collect();
    if !empty.is_empty() {
        let (count, names) = (empty.len(), empty.join(", "));
        let _ = write!(
            body,
            "<details><summary class=\"pale\">{count} empty fields</summary>{names}</details>"
        );
    }
    let way = [
        (format!("/simulator/{org}"), org.as_str()),
        (format!("/simulator/{org}/{object}"), object.as_str()),
    ];
    Ok(page(&id, &way, &body))
}

fn object_of(control: &Control, org: &str, id: &str) -> Result<String, ControlError> {
    let org = control.org(org)?;
    let data = read(&org.data);
    let table = RecordId::parse(id).and_then(|id| data.table_of(id));
    Ok(table.map_or_else(String::new, |table| table.schema.name.clone()))
}

/// The tasks and notes about a record that were written through the API, newest first.
fn logged_on(control: &Control, org: &str, id: &str) -> Result<Vec<Json>, ControlError> {
    let writes = control.writes(org)?;
    let created = writes.iter().rev().filter(|entry| entry.operation == "create");
    Ok(created
        .filter(|entry| {
            ["WhoId", "WhatId", "ParentId"].iter().any(|field| entry.fields[field] == id)
        })
        .filter_map(|entry| control.record(org, &entry.id).ok())
        .take(ROWS)
        .collect())
}
