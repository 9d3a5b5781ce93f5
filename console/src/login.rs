//! Logging in, by a link or at an issuer, and logging out.
//!
//! A link is followed in two steps: the first only shows whose session it opens, so that a mail
//! scanner or a browser's prefetch uses nothing up; the second, a form, uses it. At an issuer the
//! browser goes by a plain link as well: a form may not lead to another host by the pages' policy.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use shared::capabilities::sessions::{LinkText, SessionError};

use crate::assets;
use crate::frame::show;
use crate::guard::{Act, Entry, Fields, is_from_here, login_cookie, set_cookie, set_login_cookie};
use crate::openid::OpenIdError;
use crate::state::Console;
use crate::trouble::Trouble;
use crate::words::words;

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    /// The link, and whom it logs in; none when there is no link.
    link: Option<(String, String, String)>,
    /// True if people may log in at an issuer.
    openid: bool,
    style: String,
    icon: String,
}

/// Shows whose session a link opens, or how to log in.
pub(crate) async fn ask(
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Result<Response, Trouble> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let link = match fields.text("link") {
        Some(text) => {
            let link: LinkText = text.parse().map_err(|_| Trouble::Link)?;
            let visitor = console.sessions.invited(&link).await.map_err(Trouble::broken)?;
            let visitor = visitor.ok_or(Trouble::Link)?;
            let roles = visitor.roles.iter().map(|role| words(role.into()));
            let roles = roles.collect::<Vec<_>>().join(", ");
            Some((text.to_owned(), visitor.subject, roles))
        }
        None => None,
    };
    let openid = console.openid.is_some();
    show(&Page { link, openid, style: assets::STYLE.path(), icon: assets::ICON.path() })
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
    let link = fields.text("link").and_then(|text| text.parse::<LinkText>().ok());
    let followed = console.sessions.follow(&link.ok_or(Trouble::Link)?).await;
    let cookie = followed.map_err(|error| match error {
        SessionError::Port(error) => Trouble::broken(error),
        _ => Trouble::Link,
    })?;
    Ok((set_cookie(console.secure, Some(&cookie)), Redirect::to("/console")).into_response())
}

/// Sends the browser to the issuer.
pub(crate) async fn leave_for_issuer(State(console): State<Console>) -> Result<Response, Trouble> {
    let openid = console.openid.as_ref().ok_or(Trouble::NotFound)?;
    let (secret, address) = openid.begin().await?;
    let cookie = set_login_cookie(console.secure, Some(&secret));
    Ok((cookie, Redirect::to(address.as_str())).into_response())
}

/// Takes a browser in that comes from the issuer.
pub(crate) async fn come_from_issuer(
    State(console): State<Console>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Trouble> {
    let openid = console.openid.as_ref().ok_or(Trouble::NotFound)?;
    let secret = login_cookie(&headers, console.secure).ok_or(OpenIdError::NotBegun)?;
    let answer = Fields::parse(query.unwrap_or_default().as_bytes());
    let visitor = openid.finish(&secret, &answer).await?;
    let begun = console.sessions.open(&visitor).await;
    let cookie = begun.map_err(|error| match error {
        SessionError::Port(error) => Trouble::broken(error),
        SessionError::Tenant | SessionError::Seat | SessionError::Home | SessionError::Link => {
            OpenIdError::NoRights.into()
        }
    })?;
    let done = set_login_cookie(console.secure, None);
    let own = set_cookie(console.secure, Some(&cookie));
    Ok((done, own, Redirect::to("/console")).into_response())
}

/// Ends the session, or all of the person's.
pub(crate) async fn close(Act(entry, fields): Act<Entry>) -> Result<Response, Trouble> {
    let Entry { console, cookie, .. } = entry;
    let closed = if fields.is_ticked("everywhere") {
        console.sessions.close_all(&cookie).await
    } else {
        console.sessions.close(&cookie).await
    };
    closed.map_err(Trouble::broken)?;
    Ok((set_cookie(console.secure, None), Redirect::to("/console/login")).into_response())
}
