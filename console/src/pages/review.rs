//! The review queue: records that could be somebody, side by side with who they could be.

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;

use super::MATCHED;
use super::decided::{Decided, object_of, query_of};
use super::record::Match;
use crate::frame::{Frame, show as page};
use crate::guard::{Fields, Visit};
use crate::trouble::Trouble;

/// So many records are shown side by side on one page.
const SHOWN: usize = 5;

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

pub(crate) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Trouble> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let object = object_of(&fields)?;
    let on = visit.ask.on(visit.environment);
    let waiting = Decided::find(&on, object, "review", fields.text("cursor"), SHOWN).await?;
    let connected = waiting.is_some();
    let Decided { records, next } = waiting.unwrap_or_default();
    let mut found = Vec::new();
    for listed in records.iter().take(SHOWN) {
        let record = Match::beside(&on, object, &listed.record_id).await?;
        // It may have been decided since the list was read.
        found.extend(record.decision.is("review").then_some(record));
    }
    let more = records.len().saturating_sub(SHOWN);
    let next = next.map(|cursor| query_of(object, Some(&cursor)));
    let frame = visit.frame("/review").await?;
    page(&Page { frame, object, objects: MATCHED, found, more, next, connected })
}
