//! A record's match: its candidates with their evidence, what people said, and what can be said.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::Method;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;
use shared::capabilities::seats::Role;

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
    /// What the record and its candidates say of themselves; none for who may not see it.
    #[serde(skip)]
    sides: Option<Sides>,
}

/// A record beside its candidates.
#[derive(Deserialize)]
struct Sides {
    record: Side,
    candidates: Vec<CandidateSide>,
}

#[derive(Deserialize)]
struct CandidateSide {
    entity_id: String,
    #[serde(flatten)]
    side: Side,
}

/// What a record or an entity says of itself.
#[derive(Deserialize)]
struct Side {
    name: Option<String>,
    title: Option<String>,
    company: Option<String>,
    website: Option<String>,
    place: Option<String>,
}

impl Side {
    /// Its values in the order of [`Row::NAMES`].
    fn values(&self) -> [Option<&str>; 5] {
        [&self.name, &self.title, &self.company, &self.website, &self.place]
            .map(|value| value.as_deref())
    }
}

/// What all of them say of one thing.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) record: String,
    /// A value for each candidate, and whether it is the record's own.
    pub(super) candidates: Vec<(String, bool)>,
}

impl Row {
    const NAMES: [&str; 5] = ["Name", "Title", "Company", "Site", "Place"];
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

    /// The same, with what the record and its candidates say of themselves.
    pub(super) async fn beside(
        on: &AskOn<'_>,
        object: &str,
        record: &str,
    ) -> Result<Self, Trouble> {
        let mut found = Self::get(on, object, record).await?;
        let at = path(object, record).ok_or(Trouble::NotFound)?;
        found.sides = on.find(&format!("{at}/sides")).await?;
        Ok(found)
    }

    /// What the record and its candidates say of themselves, thing by thing.
    pub(super) fn rows(&self) -> Vec<Row> {
        let Some(sides) = &self.sides else { return Vec::new() };
        let record = sides.record.values();
        let of = |candidate: &Candidate| {
            let found = sides.candidates.iter().find(|of| of.entity_id == candidate.entity_id);
            found.map_or([None; 5], |of| of.side.values())
        };
        let candidates: Vec<_> = self.candidates.iter().map(of).collect();
        let row = |place: usize| {
            let own = record[place].unwrap_or_default();
            let values = candidates.iter().map(|values| {
                let value = values[place].unwrap_or_default();
                (value.to_owned(), !own.is_empty() && is_same(own, value))
            });
            let candidates: Vec<_> = values.collect();
            let is_said = !own.is_empty() || candidates.iter().any(|(value, _)| !value.is_empty());
            let name = Row::NAMES[place];
            is_said.then(|| Row { name, record: own.to_owned(), candidates })
        };
        (0..Row::NAMES.len()).filter_map(row).collect()
    }

    /// True if a candidate is the entity that the record is linked to.
    pub(super) fn is_linked_to(&self, candidate: &Candidate) -> bool {
        self.entity_id.as_ref() == Some(&candidate.entity_id)
    }
}

/// True if two texts are the same but for case and space.
fn is_same(one: &str, other: &str) -> bool {
    let folded = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    folded(one) == folded(other)
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
    let found = if visit.has(Role::Admin) {
        Match::beside(&on, &object, &record).await?
    } else {
        Match::get(&on, &object, &record).await?
    };
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
