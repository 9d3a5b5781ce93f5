//! The OAuth endpoints: login, consent, tokens and identity.

mod authorize;
mod identity;
mod pages;
mod token;

pub(crate) use authorize::approve_directly;
use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
pub(crate) use identity::identity;
pub(crate) use pages::escape;

use crate::call::Call;
use crate::error::ApiError;
use crate::reply::empty;

/// Answers `/services/oauth2/…` and `/id/…`.
pub(crate) fn dispatch(call: &Call, rest: &[&str]) -> Response<Body> {
    let get_or_post = call.method == Method::GET || call.method == Method::POST;
    match rest {
        ["oauth2", "authorize"] if call.method == Method::GET => authorize::start(call),
        ["oauth2", "authorize"] if call.method == Method::POST => authorize::login(call),
        ["oauth2", "approve"] if call.method == Method::POST => authorize::decide(call),
        ["oauth2", "token"] if call.method == Method::POST => token::token(call),
        ["oauth2", "revoke"] if get_or_post => token::revoke(call),
        ["oauth2", "introspect"] if call.method == Method::POST => token::introspect(call),
        ["oauth2", "userinfo"] if get_or_post => identity::userinfo(call),
        ["oauth2", "authorize" | "approve" | "token" | "revoke" | "introspect" | "userinfo"] => {
            empty(StatusCode::METHOD_NOT_ALLOWED)
        }
        _ => ApiError::not_found().into_response(),
    }
}
