//! All OAuth state of a simulator.

use std::collections::HashMap;
use std::sync::Arc;

use super::authorization::{Code, Ticket};
use super::grant::{Grant, Session};
use super::policy::{App, AppPolicy};
use crate::ids::RecordId;

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

    /// The policy of an app in an org.
    pub(crate) fn policy(&self, label: &str, app: &App) -> AppPolicy {
        self.org_policies
            .get(&(label.to_owned(), app.client_id.clone()))
            .cloned()
            .unwrap_or_else(|| app.policy.clone())
    }
}
