//! Seats: which CRM user each one is, and until when its seller is authorized.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::RawQuery;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{back as to, is_plain};
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Fields, Visit};
use crate::trouble::Trouble;
use crate::words::{When, Word};

/// So many seats are shown on a page.
const SHOWN: usize = 25;

#[derive(Deserialize)]
struct Seats {
    items: Vec<Seat>,
}

#[derive(Deserialize)]
struct Seat {
    #[serde(rename = "seat_id")]
    id: String,
    email: String,
    name: String,
    roles: Vec<Word>,
}

#[derive(Deserialize)]
struct Links {
    items: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    seat_id: String,
    status: Word,
    user_id: Option<String>,
    candidates: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "user_id")]
    id: String,
    name: Option<String>,
    active: bool,
}

#[derive(Deserialize)]
struct Authorization {
    state: Word,
    ends_at: Option<When>,
}

struct Row {
    seat: Seat,
    link: Option<Link>,
    authorization: Option<Authorization>,
}

#[derive(Template)]
#[template(path = "seats.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    total: usize,
    /// The first seat of the next page.
    next: Option<usize>,
}

pub(crate) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Trouble> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let from = fields.number("from").and_then(|from| usize::try_from(from).ok()).unwrap_or(0);
    let on = visit.ask.on(visit.environment);
    let seats = visit.ask.of_tenant::<Seats>("/seats").await?.items;
    let links = on.find::<Links>("/seats").await?.map(|links| links.items).unwrap_or_default();
    let mut links: BTreeMap<String, Link> =
        links.into_iter().map(|link| (link.seat_id.clone(), link)).collect();
    let (total, mut rows) = (seats.len(), Vec::new());
    for seat in seats.into_iter().skip(from).take(SHOWN) {
        let authorization = on.find(&format!("/seats/{}/authorization", seat.id)).await?;
        let link = links.remove(&seat.id);
        rows.push(Row { seat, link, authorization });
    }
    let next = Some(from.saturating_add(SHOWN)).filter(|next| *next < total);
    page(&Page { frame: visit.frame("/seats").await?, rows, total, next })
}

/// Chooses a seat's CRM user, or forgets the choice.
pub(crate) async fn choose(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let seat = fields.text("seat").filter(|seat| is_plain(seat)).ok_or(Trouble::Form)?;
    let path = format!("/seats/{seat}/crm-user");
    let on = visit.ask.on(visit.environment);
    match fields.text("user_id") {
        Some(user) => on.act(Method::PUT, &path, Some(json!({ "user_id": user }))).await?,
        None => on.act(Method::DELETE, &path, None).await?,
    }
    Ok(to(&visit, "/seats", "saved"))
}
