//! The audit log: who did what when, the newest entries first.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde::Deserialize;

use crate::frame::{Frame, show as page};
use crate::guard::{Fields, Visit};
use crate::trouble::Trouble;
use crate::words::{When, Word};

/// So many entries are shown on a page.
const SHOWN: u64 = 50;

#[derive(Deserialize)]
struct Log {
    items: Vec<Entry>,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    number: u64,
    hash: String,
}

#[derive(Deserialize)]
struct Entry {
    number: u64,
    at: When,
    by: Actor,
    deed: Deed,
    hash: String,
}

#[derive(Deserialize)]
struct Actor {
    kind: Word,
    #[serde(default)]
    seat: Option<String>,
    #[serde(default)]
    subject: Option<String>,
}

#[derive(Deserialize)]
struct Deed {
    action: Word,
    #[serde(default)]
    environment: Option<Word>,
    #[serde(default)]
    seat: Option<String>,
    #[serde(default)]
    object: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    details: BTreeMap<String, String>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    /// The newest first.
    entries: Vec<Entry>,
    head: Head,
    /// The number above the newest entry of the page of older ones.
    older: Option<u64>,
    is_newest: bool,
}

pub(crate) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Trouble> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let of = |after: u64| format!("/audit?cursor={after}");
    let newest = match fields.number("up_to") {
        Some(number) => number,
        None => visit.ask.of_tenant::<Log>(&of(u64::from(u32::MAX))).await?.head.number,
    };
    let after = newest.saturating_sub(SHOWN);
    let Log { items, head } = visit.ask.of_tenant(&of(after)).await?;
    let in_page = |entry: &Entry| entry.number <= newest;
    let mut entries: Vec<Entry> = items.into_iter().filter(in_page).collect();
    entries.reverse();
    let (older, is_newest) = ((after > 0).then_some(after), newest >= head.number);
    page(&Page { frame: visit.frame("/audit").await?, entries, head, older, is_newest })
}
