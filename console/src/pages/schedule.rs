//! How often an org is read, and how much of its API that may take.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::back as to;
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Visit};
use crate::trouble::Trouble;

#[derive(Deserialize)]
struct ImportSettings {
    every_minutes: u32,
    schedule_paused: bool,
    api_percent: u8,
    api_reserve: u64,
    formula_refresh_hours: u16,
}

#[derive(Template)]
#[template(path = "schedule.html")]
struct Page {
    frame: Frame,
    settings: ImportSettings,
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let settings = visit.ask.on(visit.environment).get("/import-settings").await?;
    page(&Page { frame: visit.frame("/schedule").await?, settings })
}

pub(crate) async fn change(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let settings = json!({
        "every_minutes": fields.number("every_minutes"),
        "schedule_paused": fields.is_ticked("schedule_paused"),
        "api_percent": fields.number("api_percent"),
        "api_reserve": fields.number("api_reserve"),
        "formula_refresh_hours": fields.number("formula_refresh_hours"),
    });
    visit.ask.on(visit.environment).act(Method::PUT, "/import-settings", Some(settings)).await?;
    Ok(to(&visit, "/schedule", "saved"))
}
