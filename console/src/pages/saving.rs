//! What is saved for sellers, and what is logged: the switches of an environment.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde_json::json;

use super::back as to;
use super::wizard::Settings;
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Visit};
use crate::trouble::Trouble;

#[derive(Template)]
#[template(path = "saving.html")]
struct Page {
    frame: Frame,
    settings: Settings,
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let settings = visit.ask.on(visit.environment).get("/settings").await?;
    page(&Page { frame: visit.frame("/saving").await?, settings })
}

pub(crate) async fn change(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let settings = json!({
        "auto_save": fields.is_ticked("auto_save"),
        "stage": fields.text("stage"),
        "log_messages": fields.is_ticked("log_messages"),
        "log_notes": fields.is_ticked("log_notes"),
        "log_smart_links": fields.is_ticked("log_smart_links"),
        "log_calls": fields.is_ticked("log_calls"),
        "log_connection_requests": fields.is_ticked("log_connection_requests"),
        "desktop_calls": fields.is_ticked("desktop_calls"),
        "enhanced_notes": fields.is_ticked("enhanced_notes"),
        "refuse_converted_leads": fields.is_ticked("refuse_converted_leads"),
        "roi": fields.is_ticked("roi"),
        "embedded_profile": fields.is_ticked("embedded_profile"),
        "data_validation": fields.is_ticked("data_validation"),
        "restricted_data": fields.is_ticked("restricted_data"),
    });
    visit.ask.on(visit.environment).act(Method::PATCH, "/settings", Some(settings)).await?;
    Ok(to(&visit, "/saving", "saved"))
}
