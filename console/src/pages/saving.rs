//! What is saved for sellers, what is logged, and what they may change in the CRM: the settings of
//! an environment; and what auto-save would save under others.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::back as to;
use super::wizard::Settings;
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Visit};
use crate::trouble::Trouble;
use crate::words::{When, Word};

/// How many of the seats that would get the most are shown.
const SEATS_SHOWN: usize = 10;

/// What a setting may be, each with what a page says of it.
type Words = [(&'static str, &'static str)];

/// The settings that are one of several words, each with its label and its words.
const SELECTS: [(&str, &str, &Words); 4] = [
    ("update_title", "An update of a title", &POLICIES),
    ("update_company", "An update of a company or a contact’s account", &POLICIES),
    ("update_address", "An update of an address", &POLICIES),
    (
        "contact_owner",
        "A new contact belongs to",
        &[("seller", "the seller"), ("account_owner", "the owner of its account")],
    ),
];

const POLICIES: [(&str, &str); 3] = [
    ("overwrite", "replaces what the CRM has"),
    ("fill_blank", "only fills in what is empty"),
    ("never", "is not made"),
];

#[derive(Template)]
#[template(path = "saving.html")]
struct Page {
    frame: Frame,
    settings: Settings,
    selects: Vec<Select>,
    tried: Option<DryRun>,
    undone: Option<Undoing>,
    /// How many lists leave something out.
    full: usize,
    /// The org's stages of open opportunities, as far as they are known.
    stages: Vec<Stage>,
}

/// The org's stages.
#[derive(Deserialize)]
struct Stages {
    items: Vec<Stage>,
}

#[derive(Deserialize)]
struct Stage {
    name: String,
    label: String,
    closed: bool,
    active: bool,
}

/// The latest undoing of what auto-save saved.
#[derive(Deserialize)]
struct Undoing {
    revision: u64,
    asked_at: When,
    finished_at: Option<When>,
    removed: u64,
    kept: u64,
}

/// How full lists are.
#[derive(Deserialize)]
struct Lists {
    items: Vec<ListFill>,
}

#[derive(Deserialize)]
struct ListFill {
    full_since: Option<When>,
}

/// What auto-save would save, as it was last tried.
#[derive(Deserialize)]
struct DryRun {
    asked_at: When,
    finished_at: Option<When>,
    seats: u64,
    seats_without_user: u64,
    accounts: u64,
    leads: u64,
    had: u64,
    unmatched: u64,
    left_out: u64,
    by_rule: Vec<RuleForecast>,
    by_seat: Vec<SeatForecast>,
}

#[derive(Deserialize)]
struct RuleForecast {
    rule: Word,
    entries: u64,
}

#[derive(Deserialize)]
struct SeatForecast {
    seat_id: String,
    accounts: u64,
    leads: u64,
    /// The seller's address, where the seat is there still.
    #[serde(skip)]
    email: Option<String>,
}

#[derive(Deserialize)]
struct Seats {
    items: Vec<Seat>,
}

#[derive(Deserialize)]
struct Seat {
    seat_id: String,
    email: String,
}

/// A setting to choose.
struct Select {
    name: &'static str,
    label: &'static str,
    options: Vec<Choice>,
}

struct Choice {
    value: &'static str,
    words: &'static str,
    is_chosen: bool,
}

impl Select {
    fn all(settings: &Settings) -> Vec<Self> {
        let now = [
            &settings.update_title,
            &settings.update_company,
            &settings.update_address,
            &settings.contact_owner,
        ];
        let of = |((name, label, words), now): ((_, _, &Words), &String)| {
            let choice = |&(value, words): &_| Choice { value, words, is_chosen: now == value };
            Self { name, label, options: words.iter().map(choice).collect() }
        };
        SELECTS.into_iter().zip(now).map(of).collect()
    }
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let settings: Settings = visit.ask.on(visit.environment).get("/settings").await?;
    let selects = Select::all(&settings);
    let tried = tried(&visit).await?;
    let on = visit.ask.on(visit.environment);
    let undone: Option<Undoing> = on.find("/saving/undo").await?;
    let lists: Option<Lists> = on.find("/saving/lists").await?;
    let lists = lists.map_or_else(Vec::new, |lists| lists.items);
    let full = lists.iter().filter(|list| list.full_since.is_some()).count();
    let stages: Option<Stages> = on.find("/org-stages").await?;
    let mut stages = stages.map_or_else(Vec::new, |stages| stages.items);
    stages.retain(|stage| stage.active && !stage.closed);
    let frame = visit.frame("/saving").await?;
    page(&Page { frame, settings, selects, tried, undone, full, stages })
}

/// The latest dry run, if one was asked for, with the addresses of the seats that it tells of.
async fn tried(visit: &Visit) -> Result<Option<DryRun>, Trouble> {
    let found: Option<DryRun> = visit.ask.on(visit.environment).find("/saving/dry-run").await?;
    let Some(mut tried) = found else { return Ok(None) };
    tried.by_seat.truncate(SEATS_SHOWN);
    if !tried.by_seat.is_empty() {
        let seats: Seats = visit.ask.of_tenant("/seats").await?;
        let emails: BTreeMap<String, String> =
            seats.items.into_iter().map(|seat| (seat.seat_id, seat.email)).collect();
        for seat in &mut tried.by_seat {
            seat.email = emails.get(&seat.seat_id).cloned();
        }
    }
    Ok(Some(tried))
}

pub(crate) async fn change(Act(visit, fields): Act) -> Result<Response, Trouble> {
    if let Some(revision) = fields.number("undo") {
        let undo = json!({ "revision": revision });
        let on = visit.ask.on(visit.environment);
        on.act(Method::POST, "/saving/undo", Some(undo)).await?;
        return Ok(to(&visit, "/saving", "undoing"));
    }
    let mut settings = json!({
        "auto_save": fields.is_ticked("auto_save"),
        "save_opportunity_accounts": fields.is_ticked("save_opportunity_accounts"),
        "save_opportunity_people": fields.is_ticked("save_opportunity_people"),
        "save_owned_accounts": fields.is_ticked("save_owned_accounts"),
        "save_team_accounts": fields.is_ticked("save_team_accounts"),
        "save_people_of_owned_accounts": fields.is_ticked("save_people_of_owned_accounts"),
        "save_owned_people": fields.is_ticked("save_owned_people"),
        "stage": fields.text("stage"),
        "after_stage": fields.is_ticked("after_stage"),
        "unsave_after_days": fields.number("unsave_after_days"),
        "log_messages": fields.is_ticked("log_messages"),
        "log_notes": fields.is_ticked("log_notes"),
        "log_smart_links": fields.is_ticked("log_smart_links"),
        "log_calls": fields.is_ticked("log_calls"),
        "log_connection_requests": fields.is_ticked("log_connection_requests"),
        "log_on_opportunities": fields.is_ticked("log_on_opportunities"),
        "desktop_calls": fields.is_ticked("desktop_calls"),
        "enhanced_notes": fields.is_ticked("enhanced_notes"),
        "refuse_converted_leads": fields.is_ticked("refuse_converted_leads"),
        "create_leads": fields.is_ticked("create_leads"),
        "create_contacts": fields.is_ticked("create_contacts"),
        "create_accounts": fields.is_ticked("create_accounts"),
        "update_leads": fields.is_ticked("update_leads"),
        "update_contacts": fields.is_ticked("update_contacts"),
        "update_accounts": fields.is_ticked("update_accounts"),
        "bulk_changes": fields.is_ticked("bulk_changes"),
        "lead_source": fields.text("lead_source"),
        "require_email": fields.is_ticked("require_email"),
        "roi": fields.is_ticked("roi"),
        "embedded_profile": fields.is_ticked("embedded_profile"),
        "data_validation": fields.is_ticked("data_validation"),
        "restricted_data": fields.is_ticked("restricted_data"),
    });
    for name in ["most_saved_accounts", "most_saved_people"] {
        if let Some(most) = fields.number(name) {
            settings[name] = json!(most);
        }
    }
    for (name, ..) in SELECTS {
        if let Some(chosen) = fields.text(name) {
            settings[name] = json!(chosen);
        }
    }
    let on = visit.ask.on(visit.environment);
    if fields.is_ticked("try") {
        on.act(Method::POST, "/saving/dry-run", Some(settings)).await?;
        return Ok(to(&visit, "/saving", "tried"));
    }
    on.act(Method::PATCH, "/settings", Some(settings)).await?;
    Ok(to(&visit, "/saving", "saved"))
}
