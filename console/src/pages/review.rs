//! The review queue: records that could be somebody, side by side with who they could be.

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::MATCHED;
use super::record::Match;
use crate::ask::AskOn;
use crate::frame::{Frame, show as page};
use crate::guard::{Fields, Visit};
use crate::trouble::Trouble;
use crate::words::Word;

/// So many records are shown side by side on one page.
const SHOWN: usize = 5;

/// So many pages of the API's list are looked through for records to review at the most: a small
/// org's records are spread over many that hold hardly any.
const PAGES: usize = 64;

/// No further page is looked at after so many records.
const LOOKED_THROUGH: usize = 2_000;

#[derive(Deserialize)]
struct Listed {
    items: Vec<Item>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    record_id: String,
    decision: Word,
}

#[derive(Template)]
#[template(path = "review.html")]
struct Page {
    frame: Frame,
    object: &'static str,
    objects: [&'static str; 3],
    found: Vec<Match>,
    /// How many more were found that are not shown yet.
    more: usize,
    /// Where to look further.
    next: Option<String>,
    connected: bool,
}

/// The query for an object's list from some place on.
fn query_of(object: &str, cursor: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("object", object);
    query.extend_pairs(cursor.map(|cursor| ("cursor", cursor))).finish()
}

/// The records to review of some pages of an object's list, and where to look further.
async fn waiting(
    on: &AskOn<'_>,
    object: &str,
    mut cursor: Option<String>,
) -> Result<Option<(Vec<String>, Option<String>)>, Trouble> {
    let (mut waiting, mut seen) = (Vec::new(), 0);
    for _ in 0..PAGES {
        let path = format!("/matches?{}", query_of(object, cursor.as_deref()));
        let Some(Listed { items, next }) = on.find(&path).await? else { return Ok(None) };
        seen += items.len();
        let review = items.into_iter().filter(|item| item.decision.is("review"));
        waiting.extend(review.map(|item| item.record_id));
        cursor = next;
        if cursor.is_none() || waiting.len() >= SHOWN || seen >= LOOKED_THROUGH {
            break;
        }
    }
    Ok(Some((waiting, cursor)))
}

pub(crate) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Trouble> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let asked = fields.text("object").unwrap_or(MATCHED[0]);
    let object = MATCHED.into_iter().find(|object| *object == asked).ok_or(Trouble::NotFound)?;
    let on = visit.ask.on(visit.environment);
    let waiting = waiting(&on, object, fields.text("cursor").map(str::to_owned)).await?;
    let connected = waiting.is_some();
    let (waiting, next) = waiting.unwrap_or_default();
    let mut found = Vec::new();
    for record in waiting.iter().take(SHOWN) {
        let record = Match::get(&on, object, record).await?;
        // It may have been decided since the list was read.
        found.extend(record.decision.is("review").then_some(record));
    }
    let more = waiting.len().saturating_sub(SHOWN);
    let next = next.map(|cursor| query_of(object, Some(&cursor)));
    let frame = visit.frame("/review").await?;
    page(&Page { frame, object, objects: MATCHED, found, more, next, connected })
}
