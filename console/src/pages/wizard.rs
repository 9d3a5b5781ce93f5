//! The four steps of setting up.

use askama::Template;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::health::Progress;
use super::{Connection, back as to};
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Fields, Visit, set_cookie};
use crate::trouble::Trouble;
use crate::words::{When, Word};

/// How far the wizard is.
#[derive(Deserialize)]
struct Wizard {
    at: Word,
    finished: bool,
    steps: Vec<Step>,
    login_host: Option<String>,
    settings: Settings,
}

#[derive(Deserialize)]
struct Step {
    step: Word,
    answered: bool,
}

/// What an admin chose.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the wire")]
pub(super) struct Settings {
    pub(super) auto_save: bool,
    pub(super) save_opportunity_accounts: bool,
    pub(super) save_opportunity_people: bool,
    pub(super) save_owned_accounts: bool,
    pub(super) save_team_accounts: bool,
    pub(super) save_people_of_owned_accounts: bool,
    pub(super) save_owned_people: bool,
    pub(super) stage: Option<String>,
    pub(super) after_stage: bool,
    pub(super) most_saved_accounts: u64,
    pub(super) most_saved_people: u64,
    pub(super) unsave_after_days: Option<u64>,
    pub(super) log_messages: bool,
    pub(super) log_notes: bool,
    pub(super) log_smart_links: bool,
    pub(super) log_calls: bool,
    pub(super) log_connection_requests: bool,
    pub(super) log_on_opportunities: bool,
    pub(super) desktop_calls: bool,
    pub(super) enhanced_notes: bool,
    pub(super) refuse_converted_leads: bool,
    pub(super) create_leads: bool,
    pub(super) create_contacts: bool,
    pub(super) create_accounts: bool,
    pub(super) update_leads: bool,
    pub(super) update_contacts: bool,
    pub(super) update_accounts: bool,
    pub(super) bulk_changes: bool,
    pub(super) lead_source: Option<String>,
    pub(super) require_email: bool,
    pub(super) update_title: String,
    pub(super) update_company: String,
    pub(super) update_address: String,
    pub(super) contact_owner: String,
    pub(super) roi: bool,
    pub(super) embedded_profile: bool,
    pub(super) data_validation: bool,
    pub(super) restricted_data: bool,
    pub(super) changed_at: Option<When>,
}

/// What the import's user must see, and what was found.
#[derive(Deserialize)]
struct Permissions {
    state: Word,
    required: Vec<Required>,
    found: Option<Found>,
}

#[derive(Deserialize)]
struct Required {
    object: Word,
    optional: bool,
    fields: Vec<RequiredField>,
}

#[derive(Deserialize)]
struct RequiredField {
    field: String,
}

#[derive(Deserialize)]
struct Found {
    inspected_at: When,
    refused: Option<String>,
    #[serde(default)]
    personal_user: Option<bool>,
    objects: Vec<FoundObject>,
}

#[derive(Deserialize)]
struct FoundObject {
    object: Word,
    readable: bool,
    optional: bool,
    #[serde(default)]
    blocks: Vec<Word>,
    #[serde(default)]
    hidden: Vec<Hidden>,
}

#[derive(Deserialize)]
struct Hidden {
    field: String,
    blocks: Word,
}

#[derive(Template)]
#[template(path = "wizard.html")]
struct Page {
    frame: Frame,
    wizard: Wizard,
    connection: Option<Connection>,
    permissions: Permissions,
    progress: Option<Progress>,
    is_connected: bool,
    /// Something moves by itself.
    moving: bool,
}

pub(crate) async fn show(mut visit: Visit) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    let wizard = on.get::<Wizard>("/wizard").await?;
    let connection = on.find::<Connection>("").await?;
    let permissions = on.get("/permissions").await?;
    let is_connected = connection.as_ref().is_some_and(|found| found.state.is("connected"));
    let progress = if is_connected { Progress::of(&on).await? } else { None };
    let moving = progress.as_ref().is_some_and(Progress::is_moving);
    // A login that this session began has ended: whoever held its cookie before holds nothing now.
    let fresh = if is_connected && visit.entry.session.connecting {
        visit.entry.cookie = visit.entry.rotate(false).await?;
        Some(set_cookie(visit.entry.console.secure, Some(&visit.entry.cookie)))
    } else {
        None
    };
    let frame = visit.frame("/wizard").await?;
    let shown =
        page(&Page { frame, wizard, connection, permissions, progress, is_connected, moving })?;
    Ok(match fresh {
        Some(cookie) => (cookie, shown).into_response(),
        None => shown,
    })
}

/// The answer of a step's form.
fn answer_of(fields: &Fields) -> Option<Value> {
    let ticked = |name: &str| fields.is_ticked(name);
    Some(match fields.text("step")? {
        "sync" => json!({
            "step": "sync", "auto_save": ticked("auto_save"), "stage": fields.text("stage"),
            "log_messages": ticked("log_messages"), "log_notes": ticked("log_notes"),
        }),
        "roi" => json!({ "step": "roi", "roi": ticked("roi") }),
        "advanced" => json!({
            "step": "advanced", "embedded_profile": ticked("embedded_profile"),
            "data_validation": ticked("data_validation"),
        }),
        _ => return None,
    })
}

pub(crate) async fn answer(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let answer = answer_of(&fields).ok_or(Trouble::NotFound)?;
    visit.ask.on(visit.environment).act(Method::PUT, "/wizard", Some(answer)).await?;
    Ok(to(&visit, "/wizard", "saved"))
}

pub(crate) async fn back(Act(visit, _): Act) -> Result<Response, Trouble> {
    visit.ask.on(visit.environment).act(Method::POST, "/wizard/back", None).await?;
    Ok(to(&visit, "/wizard", ""))
}

pub(crate) async fn check(Act(visit, _): Act) -> Result<Response, Trouble> {
    visit.ask.on(visit.environment).act(Method::POST, "/permissions/check", None).await?;
    Ok(to(&visit, "/wizard", "asked"))
}
