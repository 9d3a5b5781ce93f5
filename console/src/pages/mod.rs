//! The pages, a module for each: what it asks of the API, and how it is shown.

pub(crate) mod audit;
mod chart;
pub(crate) mod connect;
mod decided;
pub(crate) mod directory;
pub(crate) mod doctor;
pub(crate) mod duplicates;
pub(crate) mod fields;
pub(crate) mod filters;
pub(crate) mod health;
pub(crate) mod leave;
pub(crate) mod matches;
pub(crate) mod models;
pub(crate) mod network;
pub(crate) mod queues;
pub(crate) mod record;
pub(crate) mod review;
pub(crate) mod rules;
pub(crate) mod runs;
pub(crate) mod saving;
pub(crate) mod schedule;
pub(crate) mod seats;
pub(crate) mod start;
pub(crate) mod tenants;
pub(crate) mod wizard;

use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::guard::Visit;
use crate::words::{When, Word};

/// The objects of an org that are imported, as the API names them.
const OBJECTS: [&str; 11] = [
    "Account",
    "AccountTeamMember",
    "Contact",
    "Event",
    "Lead",
    "Note",
    "Opportunity",
    "OpportunityContactRole",
    "Task",
    "User",
    "UserRole",
];

/// The objects whose records are matched.
const MATCHED: [&str; 3] = ["Lead", "Contact", "Account"];

/// The connection of an environment.
#[derive(Deserialize)]
struct Connection {
    state: Word,
    generation: u64,
    org: Org,
    integration_user: String,
    connected_at: When,
    trouble: Option<TroubleOf>,
    paused_since: Option<When>,
    degraded_since: Option<When>,
    handed_over_at: Option<When>,
    grant: Option<Grant>,
}

/// The grant by which imports read.
#[derive(Deserialize)]
struct Grant {
    authorized_at: When,
    renewed_at: When,
}

/// The org behind a connection.
#[derive(Deserialize)]
struct Org {
    id: String,
    name: String,
    edition: String,
    instance_url: String,
}

/// Why a connection does not work.
#[derive(Deserialize)]
struct TroubleOf {
    reason: Word,
    since: When,
    lapses_at: When,
}

/// Sends the browser to a page below the environment, which says what was done.
fn back(visit: &Visit, path: &str, said: &str) -> Response {
    let joint = if path.contains('?') { '&' } else { '?' };
    let address = format!("/console/{}{path}{joint}said={said}", visit.environment);
    Redirect::to(&address).into_response()
}

/// True if a text can stand in a path of the API as it is.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !text.is_empty() && text.len() <= 80 && text.bytes().all(plain)
}
