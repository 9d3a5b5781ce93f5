//! The start: what CRM sync does, what it needs, and the one thing to do next.

use askama::Template;
use axum::response::Response;
use shared::capabilities::seats::Role;

use super::Connection;
use crate::frame::{Frame, show as page};
use crate::guard::Visit;
use crate::trouble::Trouble;

#[derive(Template)]
#[template(path = "start.html")]
struct Page {
    frame: Frame,
    admin: bool,
    connection: Option<Connection>,
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let frame = visit.frame("").await?;
    let admin = visit.has(Role::Admin);
    let connection = if admin { visit.ask.on(visit.environment).find("").await? } else { None };
    page(&Page { frame, admin, connection })
}
