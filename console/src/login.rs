//! Logging in by a link, and logging out.
//!
//! A link is followed in two steps: the first only shows whose session it opens, so that a mail
//! scanner or a browser's prefetch uses nothing up; the second, a form, uses it.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use shared::capabilities::sessions::SessionError;

use crate::assets;
use crate::frame::show;
use crate::guard::{Act, Fields, Visit, is_from_here, set_cookie};
use crate::state::Console;
use crate::trouble::Trouble;
use crate::words::words;

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    /// The link, and whom it logs in; none when there is no link.
    link: Option<(String, String, String)>,
    style: String,
    icon: String,
}

/// Shows whose session a link opens.
pub(crate) async fn ask(
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Result<Response, Trouble> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let link = match fields.text("link") {
        Some(text) => {
            let link = console.issuer.link(text).ok_or(Trouble::Link)?;
            let roles = link.visitor.roles.iter().map(|role| words(role.into()));
            let roles = roles.collect::<Vec<_>>().join(", ");
            Some((text.to_owned(), link.visitor.subject, roles))
        }
        None => None,
    };
    show(&Page { link, style: assets::STYLE.path(), icon: assets::ICON.path() })
}

/// Opens the session of a link.
pub(crate) async fn open(
    State(console): State<Console>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Trouble> {
    if !is_from_here(&headers) {
        return Err(Trouble::Form);
    }
    let fields = Fields::parse(&body);
    let link = fields.text("link").and_then(|text| console.issuer.link(text));
    let link = link.ok_or(Trouble::Link)?;
    let cookie = console.sessions.open(&link).await.map_err(|error| match error {
        SessionError::Link | SessionError::Tenant => Trouble::Link,
        SessionError::Port(error) => Trouble::broken(error),
    })?;
    Ok((set_cookie(console.secure, Some(&cookie)), Redirect::to("/console")).into_response())
}

/// Ends the session, or all of the person's.
pub(crate) async fn close(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let Visit { console, cookie, .. } = visit;
    let closed = if fields.is_ticked("everywhere") {
        console.sessions.close_all(&cookie).await
    } else {
        console.sessions.close(&cookie).await
    };
    closed.map_err(Trouble::broken)?;
    Ok((set_cookie(console.secure, None), Redirect::to("/console/login")).into_response())
}
