//! To Salesforce's login, and what is shown meanwhile.
//!
//! A form may not lead to another host by the pages' policy, so that the way there is a link on a
//! page of its own. It opens beside the console, which notices by itself when the org is connected.

use askama::Template;
use axum::http::Method;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::ask::Answer;
use crate::frame::{Frame, show as page};
use crate::guard::{Act, set_cookie};
use crate::trouble::Trouble;

#[derive(Deserialize)]
struct AuthorizeUrl {
    authorize_url: String,
}

#[derive(Template)]
#[template(path = "connect.html")]
struct Page {
    frame: Frame,
    address: String,
}

pub(crate) async fn begin(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    // Only a field that was there is an answer: a reconnection keeps the host that was chosen.
    if fields.each("login_host").next().is_some() {
        let answer = json!({ "step": "connect", "login_host": fields.text("login_host") });
        on.act(Method::PUT, "/wizard", Some(answer)).await?;
    }
    let begun = on.answer::<AuthorizeUrl>(Method::POST, "/authorize", Some(json!({}))).await?;
    let Answer { value: AuthorizeUrl { authorize_url: address }, cookies } = begun;
    let rotated = visit.entry.rotate(true).await?;
    let mut frame = visit.frame("/wizard").await?;
    frame.csrf = rotated.form_token();
    let cookies = AppendHeaders(cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)));
    let own = set_cookie(visit.entry.console.secure, Some(&rotated));
    Ok((cookies, own, page(&Page { frame, address })?).into_response())
}
