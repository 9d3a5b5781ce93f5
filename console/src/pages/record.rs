//! A record's match: its candidates with their evidence, what people said, and what can be said.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::Method;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;

use super::{MATCHED, back as to, is_plain};
use crate::ask::AskOn;
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Fields, Visit};
use crate::trouble::Trouble;
use crate::words::{Percent, When, Word};

/// A record's match, with who else it could be.
#[derive(Deserialize)]
pub(super) struct Match {
    pub(super) object: String,
    pub(super) record_id: String,
    pub(super) decision: Word,
    entity_id: Option<String>,
    source: Option<Word>,
    probability: Option<Percent>,
    pub(super) candidates: Vec<Candidate>,
    ruling: Option<Ruling>,
}

/// Who a record could be.
#[derive(Deserialize)]
pub(super) struct Candidate {
    pub(super) entity_id: String,
    pub(super) weight: f64,
    pub(super) probability: Percent,
    pub(super) words: String,
    pub(super) comparisons: Vec<Comparison>,
}

/// How one field agrees.
#[derive(Deserialize)]
pub(super) struct Comparison {
    pub(super) name: Word,
    pub(super) level: Word,
    pub(super) exact: bool,
    pub(super) weight: f64,
}

/// What people said, as far as it holds.
#[derive(Deserialize)]
struct Ruling {
    #[serde(default)]
    always: Option<String>,
    #[serde(default)]
    never: Vec<String>,
}

#[derive(Deserialize)]
struct Corrections {
    history: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    action: Word,
    #[serde(default)]
    entity_id: Option<String>,
    #[serde(default)]
    by: Option<String>,
    at: When,
}

impl Match {
    /// The match of a record.
    pub(super) async fn get(on: &AskOn<'_>, object: &str, record: &str) -> Result<Self, Trouble> {
        let at = path(object, record).ok_or(Trouble::NotFound)?;
        on.get(&at).await
    }

    /// True if a candidate is the entity that the record is linked to.
    pub(super) fn is_linked_to(&self, candidate: &Candidate) -> bool {
        self.entity_id.as_ref() == Some(&candidate.entity_id)
    }
}

/// The API's path of a record, if there can be one.
fn path(object: &str, record: &str) -> Option<String> {
    let exists = MATCHED.contains(&object) && is_plain(record);
    exists.then(|| format!("/matches/{object}/{record}"))
}

/// A record that a path names.
#[derive(Deserialize)]
pub(crate) struct AtRecord {
    object: String,
    record: String,
}

#[derive(Template)]
#[template(path = "record.html")]
struct Page {
    frame: Frame,
    found: Match,
    history: Vec<Said>,
}

#[derive(Template)]
#[template(path = "find.html")]
struct FindPage {
    frame: Frame,
    objects: [&'static str; 3],
}

/// Asks for a record, or goes to the one that was asked for.
pub(crate) async fn find(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Trouble> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    if let (Some(object), Some(record)) = (fields.text("object"), fields.text("record")) {
        path(object, record).ok_or(Trouble::NotFound)?;
        let address = format!("/console/{}/records/{object}/{record}", visit.environment);
        return Ok(Redirect::to(&address).into_response());
    }
    page(&FindPage { frame: visit.frame("/record").await?, objects: MATCHED })
}

pub(crate) async fn show(
    visit: Visit,
    Path(AtRecord { object, record }): Path<AtRecord>,
) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    let found = Match::get(&on, &object, &record).await?;
    let said = path(&object, &record).ok_or(Trouble::NotFound)? + "/corrections";
    let said = on.find::<Corrections>(&said).await?;
    let history = said.map(|said| said.history).unwrap_or_default();
    page(&Page { frame: visit.frame("/record").await?, found, history })
}

/// Says something of a record, or takes back all that was said.
pub(crate) async fn correct(
    Path(AtRecord { object, record }): Path<AtRecord>,
    Act(visit, fields): Act,
) -> Result<Response, Trouble> {
    let at = path(&object, &record).ok_or(Trouble::NotFound)?;
    // A button says what and of whom: `match ent_…`.
    let deed = fields.text("say").ok_or(Trouble::NotFound)?;
    let (action, entity) = deed.split_once(' ').map_or((deed, None), |(a, e)| (a, Some(e)));
    let body = match (action, entity) {
        ("reset" | "unmatch", None) => json!({ "action": action }),
        ("match" | "unmatch" | "wrong_match", Some(entity)) => {
            json!({ "action": action, "entity_id": entity })
        }
        _ => return Err(Trouble::NotFound),
    };
    let on = visit.ask.on(visit.environment);
    on.act(Method::POST, &format!("{at}/corrections"), Some(body)).await?;
    let said = if action == "reset" { "undone" } else { "decided" };
    let page = match fields.text("from") {
        Some("review") => format!("/review?object={object}"),
        _ => format!("/records/{object}/{record}"),
    };
    Ok(to(&visit, &page, said))
}
