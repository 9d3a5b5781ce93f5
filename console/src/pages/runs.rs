//! Import runs: the list, one run with its objects, and what can be done to it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{back as to, is_plain};
use crate::ask::AskOn;
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Visit};
use crate::trouble::Trouble;
use crate::words::{Count, Seconds, When, Word};

/// A run, as the list has it.
#[derive(Deserialize)]
pub(super) struct Run {
    #[serde(rename = "run_id")]
    pub(super) id: String,
    pub(super) state: Word,
    trigger: Word,
    pub(super) full: bool,
    pub(super) paused: bool,
    stands_back_until: Option<When>,
    pub(super) started_at: When,
    pub(super) finished_at: Option<When>,
    objects_left: u32,
}

/// The latest runs.
#[derive(Deserialize)]
pub(super) struct Runs {
    /// The newest first.
    pub(super) items: Vec<Run>,
    pub(super) last_sync_at: Option<When>,
    pub(super) next_sync_at: Option<When>,
}

/// A run with its objects.
#[derive(Deserialize)]
pub(super) struct RunOfObjects {
    #[serde(flatten)]
    pub(super) run: Run,
    pub(super) api_calls: Count,
    /// All calls of the org's API, as the org said last.
    pub(super) org_calls: Option<OrgCalls>,
    pub(super) seconds_left: Option<Seconds>,
    pub(super) objects: BTreeMap<String, Object>,
}

/// Calls of an org's API within 24 hours, whoever made them.
#[derive(Deserialize)]
pub(super) struct OrgCalls {
    pub(super) used: Count,
    pub(super) most: Count,
    pub(super) seen_at: When,
}

/// One object of a run.
#[derive(Deserialize)]
pub(super) struct Object {
    pub(super) phase: Word,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) message: Option<String>,
    /// What mends it.
    #[serde(default)]
    pub(super) fix: Option<String>,
    pub(super) new: Count,
    pub(super) updated: Count,
    pub(super) unchanged: Count,
    pub(super) deleted: Count,
    pub(super) skipped: Count,
    pub(super) failed: Count,
    pub(super) rows_fetched: Count,
    pub(super) rows_expected: Count,
    pub(super) rows_per_second: Option<f64>,
    #[serde(default)]
    pub(super) errors: Vec<Errors>,
    #[serde(default)]
    pub(super) hidden_fields: Vec<String>,
    pub(super) salesforce_count: Option<Count>,
    pub(super) live: Option<Count>,
}

/// Errors of one kind.
#[derive(Deserialize)]
pub(super) struct Errors {
    code: String,
    message: String,
    count: Count,
    /// What mends it.
    fix: Option<String>,
}

impl Object {
    /// How far it is, in whole per cent.
    pub(super) fn share(&self) -> i64 {
        let (done, all) = (self.rows_fetched.0, self.rows_expected.0);
        if all > 0 { (done * 100 / all).min(100) } else { 0 }
    }
}

impl Run {
    /// True while it works, or could.
    pub(super) fn is_open(&self) -> bool {
        self.finished_at.is_none()
    }

    /// True if it reads every row: the first of a connection has no other to go on from.
    fn reads_all(&self) -> bool {
        self.full || self.trigger.is("connected")
    }

    /// The state, or that it is paused.
    fn shown(&self) -> Word {
        if self.paused { Word::from("paused".to_owned()) } else { self.state.clone() }
    }
}

impl RunOfObjects {
    /// A run by its id.
    pub(super) async fn get(on: &AskOn<'_>, run: &str) -> Result<Self, Trouble> {
        if !is_plain(run) {
            return Err(Trouble::NotFound);
        }
        on.get(&format!("/runs/{run}")).await
    }
}

#[derive(Template)]
#[template(path = "runs.html")]
struct ListPage {
    frame: Frame,
    runs: Option<Runs>,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    found: RunOfObjects,
}

/// The run that a path names.
#[derive(Deserialize)]
pub(crate) struct AtRun {
    run: String,
}

pub(crate) async fn list(visit: Visit) -> Result<Response, Trouble> {
    let runs = visit.ask.on(visit.environment).find("/runs").await?;
    page(&ListPage { frame: visit.frame("/runs").await?, runs })
}

pub(crate) async fn show(visit: Visit, Path(at): Path<AtRun>) -> Result<Response, Trouble> {
    let found = RunOfObjects::get(&visit.ask.on(visit.environment), &at.run).await?;
    page(&RunPage { frame: visit.frame("/runs").await?, found })
}

pub(crate) async fn start(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let body = json!({ "full": fields.is_ticked("full") });
    visit.ask.on(visit.environment).act(Method::POST, "/runs", Some(body)).await?;
    Ok(to(&visit, "/runs", "started"))
}

pub(crate) async fn steer(
    Path(at): Path<AtRun>,
    Act(visit, fields): Act,
) -> Result<Response, Trouble> {
    let run = at.run;
    let (steer, said) = match fields.text("steer") {
        Some("pause") => ("pause", "paused"),
        Some("resume") => ("resume", "resumed"),
        Some("cancel") => ("cancel", "cancelled"),
        _ => return Err(Trouble::NotFound),
    };
    if !is_plain(&run) {
        return Err(Trouble::NotFound);
    }
    let path = format!("/runs/{run}/{steer}");
    visit.ask.on(visit.environment).act(Method::POST, &path, None).await?;
    Ok(to(&visit, &format!("/runs/{run}"), said))
}
