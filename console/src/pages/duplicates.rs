//! Records of the org that are one person or company: for whoever cleans up in Salesforce.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::MATCHED;
use super::decided::{Decided, object_of, query_of};
use super::record::Match;
use crate::ask::AskOn;
use crate::frame::{Frame, show as page};
use crate::guard::{Fields, Visit};
use crate::trouble::Trouble;
use crate::words::Percent;

/// So many records are shown on one page: each asks who else is the same.
const SHOWN: usize = 10;

/// The records that may be an entity.
#[derive(Default, Deserialize)]
struct Entity {
    /// The record that it is linked to.
    link: Option<Record>,
}

#[derive(Clone, Deserialize)]
struct Record {
    object: String,
    record_id: String,
}

/// A record, and the one that is the same.
struct Row {
    record_id: String,
    entity_id: String,
    probability: Percent,
    linked: Option<Record>,
}

#[derive(Template)]
#[template(path = "duplicates.html")]
struct Page {
    frame: Frame,
    object: &'static str,
    objects: [&'static str; 3],
    rows: Vec<Row>,
    next: Option<String>,
    connected: bool,
}

/// The record that an entity is linked to.
async fn linked_to(on: &AskOn<'_>, kind: &str, entity: &str) -> Result<Option<Record>, Trouble> {
    let name: String = form_urlencoded::byte_serialize(entity.as_bytes()).collect();
    let path = format!("/entities/{kind}/{}", name.replace('+', "%20"));
    Ok(on.find::<Entity>(&path).await?.unwrap_or_default().link)
}

pub(crate) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Trouble> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let object = object_of(&fields)?;
    let kind = if object == "Account" { "company" } else { "person" };
    let on = visit.ask.on(visit.environment);
    let found = Decided::find(&on, object, "duplicate", fields.text("cursor"), SHOWN).await?;
    let connected = found.is_some();
    let Decided { records, next } = found.unwrap_or_default();
    let (mut rows, mut known) = (Vec::new(), BTreeMap::new());
    for listed in &records {
        let record = Match::get(&on, object, &listed.record_id).await?;
        let Some(best) = record.candidates.into_iter().next() else { continue };
        let linked = if let Some(linked) = known.get(&best.entity_id) {
            Option::clone(linked)
        } else {
            let linked = linked_to(&on, kind, &best.entity_id).await?;
            known.insert(best.entity_id.clone(), linked.clone());
            linked
        };
        let (entity_id, probability) = (best.entity_id, best.probability);
        rows.push(Row { record_id: record.record_id, entity_id, probability, linked });
    }
    let next = next.map(|cursor| query_of(object, Some(&cursor)));
    let frame = visit.frame("/duplicates").await?;
    page(&Page { frame, object, objects: MATCHED, rows, next, connected })
}
