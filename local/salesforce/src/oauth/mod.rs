//! OAuth: apps, authorizations, grants, tokens and who they belong to.

mod authorize;
mod grants;
mod identity;
mod pages;
mod policy;
mod token;

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};

pub(crate) use authorize::{AuthorizeRequest, Ticket};
pub use grants::GrantView;
pub(crate) use grants::{Grant, Grantee, Session};
pub(crate) use pages::escape;
pub use policy::{App, AppPolicy, RefreshTokenPolicy};

use crate::call::{Call, empty};
use crate::ids::RecordId;

/// An authorization code that was handed out.
pub(crate) struct Code {
    pub(crate) request: AuthorizeRequest,
    pub(crate) org: RecordId,
    pub(crate) user: RecordId,
    pub(crate) expires: i64,
    pub(crate) used: bool,
}

/// All OAuth state of a simulator.
#[derive(Default)]
pub(crate) struct OAuth {
    pub(crate) apps: Vec<Arc<App>>,
    /// Policies that one org's administrator has set for an app: (org label, client id).
    pub(crate) org_policies: HashMap<(String, String), AppPolicy>,
    pub(crate) tickets: HashMap<String, Ticket>,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) sessions: HashMap<String, Session>,
    /// Every refresh token ever handed out, and the grant it belongs to.
    pub(crate) refresh_tokens: HashMap<String, usize>,
    /// When each user of an org logged in during the last hour, by (org, user).
    pub(crate) logins: HashMap<(RecordId, RecordId), Vec<i64>>,
}

impl OAuth {
    /// An app by its client id.
    pub(crate) fn app(&self, client_id: &str) -> Option<Arc<App>> {
        self.apps.iter().find(|app| app.client_id == client_id).cloned()
    }

    /// Adds an app, or replaces the one with its client id.
    pub(crate) fn put_app(&mut self, app: App) {
        self.apps.retain(|own| own.client_id != app.client_id);
        self.apps.push(Arc::new(app));
    }

    /// What holds for an app in an org.
    pub(crate) fn policy(&self, label: &str, app: &App) -> AppPolicy {
        self.org_policies
            .get(&(label.to_owned(), app.client_id.clone()))
            .cloned()
            .unwrap_or_else(|| app.policy.clone())
    }
}

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
        _ => crate::rest::not_found(),
    }
}

pub(crate) use authorize::approve_directly;
pub(crate) use identity::identity;
