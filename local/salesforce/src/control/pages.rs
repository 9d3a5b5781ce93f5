//! Pages for a person who tries the demo: the org's records and what was written to it.

use std::fmt::Write as _;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Control, ControlError};
use crate::oauth::escape;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;color:#1b1f24;margin:2rem;max-width:80rem}\
table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{text-align:left;padding:.25rem .75rem;border-bottom:1px solid #d5dae1;\
vertical-align:top;max-width:28rem;overflow-wrap:anywhere}th{background:#f3f5f8}a{color:#0b5cab}.none{color:#555f6d}\
td.number{text-align:right;font-variant-numeric:tabular-nums}";
/// Rows on a page of records.
const ROWS: usize = 100;
/// Writes shown on an org's page, newest first.
const WRITES: usize = 200;

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
        (StatusCode::NOT_FOUND, page("Not here", &body)).into_response()
    }
}

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} | Salesforce simulator</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head>\n\
         <body><p><a href=\"/simulator\">Salesforce simulator</a></p>{body}</body></html>\n",
        title = escape(title)
    ))
}

/// `GET /simulator`: all orgs.
pub(super) async fn orgs(State(control): State<Control>) -> Shown {
    let mut body = "<h1>Orgs</h1><table><tr><th>My Domain</th><th>Id</th></tr>".to_owned();
    for label in control.orgs() {
        let id = control.org_id(&label)?;
        let _ = write!(
            body,
            "<tr><td><a href=\"/simulator/{label}\">{label}</a></td><td>{id}</td></tr>"
        );
    }
    body.push_str("</table>");
    if let Some(addresses) = control.world.addresses.get() {
        let _ = write!(body, "<p>The API is at <code>{}</code>.</p>", escape(&addresses.http));
    }
    Ok(page("Orgs", &body))
}

/// `GET /simulator/{org}`: its objects and what was written.
pub(super) async fn org(State(control): State<Control>, Path(org): Path<String>) -> Shown {
    let mut body = format!(
        "<h1>{}</h1><h2>Records</h2><table><tr><th>Object</th><th>Live rows</th></tr>",
        escape(&org)
    );
    for (object, count) in control.counts(&org)?.into_iter().filter(|(_, count)| *count > 0) {
        let _ = write!(
            body,
            "<tr><td><a href=\"/simulator/{}/{object}\">{object}</a></td><td class=\"number\">{count}</td></tr>",
            escape(&org)
        );
    }
    body.push_str("</table><h2>Written through the API</h2>");
    let writes = control.writes(&org)?;
    if writes.is_empty() {
        body.push_str("<p class=\"none\">Nothing yet.</p>");
    } else {
        body.push_str("<table><tr><th>When</th><th>What</th><th>Record</th><th>Who</th><th>App</th><th>Fields</th></tr>");
    }
    for entry in writes.iter().rev().take(WRITES) {
        let _ = write!(
            body,
            "<tr><td>{}</td><td>{} {}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&entry.at),
            entry.operation,
            escape(&entry.object),
            link(&org, &entry.id, Some(&entry.object)),
            escape(&entry.username),
            escape(&entry.client_id),
            fields(&org, &entry.fields),
        );
    }
    body.push_str("</table>");
    Ok(page(&org, &body))
}

/// A link to a record, where the text looks like an id.
fn link(org: &str, id: &str, object: Option<&str>) -> String {
    let shown = escape(id);
    if crate::ids::RecordId::parse(id).is_none() || id.len() != 18 {
        return shown;
    }
    format!(
        "<a href=\"/simulator/{}/{}/{shown}\">{shown}</a>",
        escape(org),
        escape(object.unwrap_or("record"))
    )
}

fn fields(org: &str, fields: &Json) -> String {
    let mut out = String::new();
    for (name, value) in
        fields.as_object().into_iter().flatten().filter(|(name, _)| *name != "attributes")
    {
        let _ = write!(out, "<b>{}</b> {}<br>", escape(name), cell(org, Some(value)));
    }
    out
}

fn cell(org: &str, value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => link(org, text, None),
        Some(other) => escape(&other.to_string()),
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
    let columns: Vec<&str> = [
        "Name",
        "Subject",
        "Title",
        "Email",
        "Company",
        "AccountId",
        "WhoId",
        "ParentId",
        "StageName",
        "Status",
        "OwnerId",
        "IsDeleted",
        "SystemModstamp",
    ]
    .into_iter()
    .filter(|column| records.iter().any(|record| record.get(column).is_some()))
    .collect();
    let mut body = format!("<h1>{}</h1><table><tr><th>Id</th>", escape(&object));
    for column in &columns {
        let _ = write!(body, "<th>{column}</th>");
    }
    body.push_str("</tr>");
    for record in &records {
        let id = record.get("Id").and_then(Json::as_str).unwrap_or_default();
        let _ = write!(body, "<tr><td>{}</td>", link(&org, id, Some(&object)));
        for column in &columns {
            let _ = write!(body, "<td>{}</td>", cell(&org, record.get(column)));
        }
        body.push_str("</tr>");
    }
    body.push_str("</table>");
    if records.len() == ROWS {
        let next = from.offset + ROWS;
        let _ = write!(body, "<p><a href=\"?offset={next}\">Next</a></p>");
    }
    Ok(page(&object, &body))
}

/// `GET /simulator/{org}/{object}/{id}`: one record.
pub(super) async fn record(
    State(control): State<Control>,
    Path((org, _, id)): Path<(String, String, String)>,
) -> Shown {
    let record = control.record(&org, &id)?;
    let mut body = format!("<h1>{}</h1><table>", escape(&id));
    for (name, value) in record.as_object().into_iter().flatten() {
        let _ =
            write!(body, "<tr><th>{}</th><td>{}</td></tr>", escape(name), cell(&org, Some(value)));
    }
    body.push_str("</table>");
    Ok(page(&id, &body))
}
