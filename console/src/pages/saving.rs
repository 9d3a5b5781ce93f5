//! What is saved for sellers, what is logged, and what they may change in the CRM: the settings of
//! an environment.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde_json::json;

use super::back as to;
use super::wizard::Settings;
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Visit};
use crate::trouble::Trouble;

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
    page(&Page { frame: visit.frame("/saving").await?, settings, selects })
}

pub(crate) async fn change(Act(visit, fields): Act) -> Result<Response, Trouble> {
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
    for (name, ..) in SELECTS {
        if let Some(chosen) = fields.text(name) {
            settings[name] = json!(chosen);
        }
    }
    visit.ask.on(visit.environment).act(Method::PATCH, "/settings", Some(settings)).await?;
    Ok(to(&visit, "/saving", "saved"))
}
