//! Field mappings: which custom field is read in a standard field's place, and a look at what that
//! gives for a record before anything is changed.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{OBJECTS, back as to};
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Fields, Visit};
use crate::trouble::Trouble;
use crate::words::{When, Word};

/// One mapping.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mapping {
    object: String,
    field: String,
    custom_field: String,
}

#[derive(Deserialize)]
struct Mappings {
    items: Vec<Mapping>,
}

#[derive(Deserialize)]
struct Preview {
    mapping: Mapping,
    record_id: String,
    asked_at: When,
    state: Word,
    #[serde(default)]
    reason: Option<String>,
    values: Option<Values>,
}

#[derive(Deserialize)]
struct Values {
    field: Option<String>,
    custom_field: Option<String>,
}

#[derive(Template)]
#[template(path = "fields.html")]
struct Page {
    frame: Frame,
    mappings: Vec<Mapping>,
    preview: Option<Preview>,
    objects: [&'static str; 11],
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    let mappings = on.get::<Mappings>("/field-mappings").await?.items;
    let preview = on.find("/field-mappings/preview").await?;
    page(&Page { frame: visit.frame("/fields").await?, mappings, preview, objects: OBJECTS })
}

/// The mapping that a form holds.
fn mapping_of(fields: &Fields) -> Option<Mapping> {
    let text = |name| fields.text(name).map(str::to_owned);
    let (object, field) = (text("object")?, text("field")?);
    Some(Mapping { object, field, custom_field: text("custom_field")? })
}

/// Adds a mapping, or takes one away.
pub(crate) async fn change(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    let mapping = mapping_of(&fields).ok_or(Trouble::Form)?;
    let mut items = on.get::<Mappings>("/field-mappings").await?.items;
    items.retain(|item| item.object != mapping.object || item.field != mapping.field);
    if !fields.is_ticked("remove") {
        items.push(mapping);
    }
    let body = json!({ "items": items });
    on.act(Method::PUT, "/field-mappings", Some(body)).await?;
    Ok(to(&visit, "/fields", "saved"))
}

/// Asks the org what a mapping gives for a record.
pub(crate) async fn preview(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let mapping = mapping_of(&fields).ok_or(Trouble::Form)?;
    let record = fields.text("record_id").ok_or(Trouble::Form)?;
    let body = json!({ "mapping": mapping, "record_id": record });
    let on = visit.ask.on(visit.environment);
    on.act(Method::POST, "/field-mappings/preview", Some(body)).await?;
    Ok(to(&visit, "/fields", "asked"))
}
