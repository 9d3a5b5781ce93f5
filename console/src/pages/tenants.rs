//! For who runs the product: all tenants, and how their connections stand.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use crate::frame::{Frame, show as page};
use crate::guard::{Fields, Operating};
use crate::trouble::Trouble;
use crate::words::{When, Word};

/// The states of a connection, as the API names them.
const STATES: [&str; 4] = ["connected", "reconnect_required", "lapsed", "disconnected"];

#[derive(Deserialize)]
struct Tenants {
    items: Vec<Tenant>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Tenant {
    #[serde(rename = "tenant_id")]
    id: String,
    name: String,
    entitled: bool,
    created_at: When,
    connections: BTreeMap<String, Connection>,
}

#[derive(Deserialize)]
struct Connection {
    state: Word,
    connected_at: When,
    reason: Option<Word>,
    paused_since: Option<When>,
}

#[derive(Template)]
#[template(path = "tenants.html")]
struct Page {
    frame: Frame,
    tenants: Vec<Tenant>,
    states: [Word; 4],
    /// The state that was asked for.
    state: Option<&'static str>,
    next: Option<String>,
}

impl Page {
    fn is_asked_for(&self, state: &Word) -> bool {
        self.state == Some(&state.name)
    }
}

fn query_of(state: Option<&str>, after: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(state.map(|state| ("state", state)));
    query.extend_pairs(after.map(|after| ("after", after))).finish()
}

pub(crate) async fn show(
    operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Response, Trouble> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let known = |asked: &str| STATES.into_iter().find(|state| *state == asked);
    let state = fields.text("state").map(|asked| known(asked).ok_or(Trouble::NotFound));
    let state = state.transpose()?;
    let query = query_of(state, fields.text("after"));
    let found: Tenants = operating.ask.at(&format!("/v1/tenants?{query}")).await?;
    let next = found.next.map(|after| query_of(state, Some(&after)));
    let states = STATES.map(|state| Word::from(state.to_owned()));
    let frame = Frame::of_operator(&operating, "");
    page(&Page { frame, tenants: found.items, states, state, next })
}
