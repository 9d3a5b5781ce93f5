//! Disconnecting an org, the deletion of what it brought in, and its certificate.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Connection, is_plain};
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Visit};
use crate::trouble::Trouble;
use crate::words::{Count, When, Word};

#[derive(Deserialize)]
struct Disconnected {
    purge_id: String,
}

/// A deletion.
#[derive(Deserialize)]
struct Purge {
    state: Word,
    requested_at: When,
    deadline: When,
    data_key_destroyed: bool,
    waiting_for: Option<Word>,
    waiting_until: Option<When>,
    grants: Grants,
    certificate: Option<Certificate>,
}

#[derive(Deserialize)]
struct Grants {
    open: Count,
    revoked: Count,
    already_dead: Count,
    unconfirmed: Count,
}

#[derive(Deserialize)]
struct Certificate {
    tenant: String,
    environment: Word,
    generation: u64,
    org_id: String,
    completed_at: Option<When>,
    found: BTreeMap<String, Count>,
    remaining: BTreeMap<String, Count>,
    kept_elsewhere: Vec<Kept>,
}

#[derive(Deserialize)]
struct Kept {
    what: Word,
    until: When,
}

/// What the certificate counts, as a person calls it; none for a kind that has no words yet.
const KINDS: [(&str, &str); 16] = [
    ("items ACT", "Activities"),
    ("items CAND", "Matches and candidates"),
    ("items CORR", "Corrections"),
    ("items EDGE", "Relations between records"),
    ("items ENT", "Records by entity"),
    ("items EXPORT", "Exports"),
    ("items GRANT", "Authorizations, permissions"),
    ("items LIST", "Sellers’ own lists"),
    ("items MODEL", "Models"),
    ("items MRUN", "Match runs"),
    ("items REC", "Records"),
    ("items RUN", "Runs"),
    ("items SAVE", "Saved lists"),
    ("due items", "Work to come"),
    ("objects", "Files"),
    ("secrets", "Secrets"),
];

impl Certificate {
    /// A kind in words, if it has some.
    fn words(kind: &str) -> Option<&'static str> {
        KINDS.into_iter().find(|(name, _)| *name == kind).map(|(_, words)| words)
    }

    /// How many of a kind are left.
    fn left(&self, kind: &str) -> Count {
        self.remaining.get(kind).copied().unwrap_or_default()
    }
}

/// What the log says of deletions that are over.
#[derive(Deserialize)]
struct Log {
    items: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    at: When,
    deed: Deed,
}

#[derive(Deserialize)]
struct Deed {
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    generation: Option<u64>,
}

struct Past {
    purge: String,
    at: When,
}

#[derive(Template)]
#[template(path = "leave.html")]
struct AskPage {
    frame: Frame,
    connection: Option<Connection>,
    /// The deletions that are over, the newest last.
    past: Vec<Past>,
}

#[derive(Template)]
#[template(path = "purge.html")]
struct PurgePage {
    frame: Frame,
    purge: Purge,
}

/// The purge of a generation, as the API names it.
fn name(environment: &str, generation: u64) -> String {
    format!("{environment}-{generation}")
}

pub(crate) async fn ask(visit: Visit) -> Result<Response, Trouble> {
    let connection = visit.ask.on(visit.environment).find::<Connection>("").await?;
    let environment = visit.environment.to_string();
    let ended = match &connection {
        Some(found) if found.state.is("disconnected") => Some(found.generation),
        _ => None,
    };
    if let Some(generation) = ended {
        let purge = name(&environment, generation);
        let address = format!("/console/{environment}/purges/{purge}");
        return Ok(Redirect::to(&address).into_response());
    }
    let path = format!("/audit?action=purged&environment={environment}");
    let log = visit.ask.of_tenant::<Log>(&path).await;
    let items = log.map(|log| log.items).unwrap_or_default();
    let past = items.into_iter().filter_map(|Entry { at, deed }| {
        Some(Past { purge: name(&deed.environment?, deed.generation?), at })
    });
    let past = past.collect();
    page(&AskPage { frame: visit.frame("/leave").await?, connection, past })
}

pub(crate) async fn disconnect(Act(visit, fields): Act) -> Result<Response, Trouble> {
    if !fields.is_ticked("sure") {
        return Err(Trouble::Form);
    }
    let on = visit.ask.on(visit.environment);
    let begun = on.answer::<Disconnected>(Method::DELETE, "", None).await?.value;
    let address = format!("/console/{}/purges/{}", visit.environment, begun.purge_id);
    Ok(Redirect::to(&address).into_response())
}

/// A deletion that a path names.
#[derive(Deserialize)]
pub(crate) struct AtPurge {
    purge: String,
}

pub(crate) async fn show(
    visit: Visit,
    Path(AtPurge { purge }): Path<AtPurge>,
) -> Result<Response, Trouble> {
    if !is_plain(&purge) {
        return Err(Trouble::NotFound);
    }
    let purge = visit.ask.of_tenant(&format!("/purges/{purge}")).await?;
    page(&PurgePage { frame: visit.frame("/leave").await?, purge })
}
