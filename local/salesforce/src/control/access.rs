//! Grants, sessions, tokens and apps, from behind.

use serde_json::Value as Json;

use super::{Control, ControlError, Result, patched};
use crate::grants::{App, GrantView, Grantee};
use crate::oauth::approve_directly;
use crate::sync::{lock, read};

impl Control {
    /// The grants of an org.
    pub fn grants(&self, org: &str) -> Result<Vec<GrantView>> {
        let org = self.org(org)?;
        Ok(lock(&self.world.oauth).views(&org, self.world.clock.now()))
    }

    /// Revokes every grant of an org, as an administrator does in Setup.
    pub fn revoke_grants(&self, org: &str) -> Result<()> {
        let org = self.org(org)?;
        let mut oauth = lock(&self.world.oauth);
        let own: Vec<usize> =
            (0..oauth.grants.len()).filter(|at| oauth.grants[*at].org == org.id).collect();
        for at in own {
            oauth.end(at, "revoked by the administrator");
        }
        Ok(())
    }

    /// Ends every session of an org; its refresh tokens stay good.
    pub fn end_sessions(&self, org: &str) -> Result<()> {
        let org = self.org(org)?;
        let mut oauth = lock(&self.world.oauth);
        let of_org: Vec<bool> = oauth.grants.iter().map(|grant| grant.org == org.id).collect();
        oauth.sessions.retain(|_, session| !of_org[session.grant]);
        Ok(())
    }

    /// An access token for a user (by Username or Email), without pages. It can do what the default
    /// app can.
    pub fn access_token(&self, org: &str, username: &str) -> Result<String> {
        let org = self.org(org)?;
        let user = read(&org.data)
            .user_named(username)
            .ok_or_else(|| ControlError::new(format!("no user `{username}`")))?;
        let mut oauth = lock(&self.world.oauth);
        let app = oauth.apps.first().cloned().ok_or_else(|| ControlError::new("no app"))?;
        let policy = oauth.policy(&org.label, &app);
        let to = Grantee { org: &org, user, app: &app, scope: "api id web" };
        Ok(oauth.grant(&to, &policy, &self.world.random, self.world.clock.now()).access_token)
    }

    /// Puts `mark` into every token and code made from now on, so that a test can look for them
    /// where they must not be.
    pub fn mark_tokens(&self, mark: &str) {
        self.world.random.mark(mark);
    }

    /// Logs in and consents at an authorize URL without pages; gives the address to which the
    /// browser would be sent.
    pub fn approve(&self, authorize_url: &str, username: &str) -> Result<String> {
        approve_directly(&self.world, authorize_url, username).map_err(ControlError::new)
    }

    /// Adds an app, or replaces the one with its client id.
    pub fn put_app(&self, app: App) {
        lock(&self.world.oauth).put_app(app);
    }

    /// All apps.
    #[must_use]
    pub fn apps(&self) -> Vec<App> {
        lock(&self.world.oauth).apps.iter().map(|app| (**app).clone()).collect()
    }

    /// Changes switches of an app's policy, everywhere or in one org only.
    pub fn set_policy(&self, client_id: &str, org: Option<&str>, changes: &Json) -> Result<()> {
        let mut oauth = lock(&self.world.oauth);
        let app = oauth
            .app(client_id)
            .ok_or_else(|| ControlError::new(format!("no app `{client_id}`")))?;
        if let Some(label) = org {
            let policy = patched(&oauth.policy(label, &app), changes)?;
            oauth.org_policies.insert((label.to_owned(), client_id.to_owned()), policy);
        } else {
            let policy = patched(&app.policy, changes)?;
            oauth.put_app(App { policy, ..(*app).clone() });
        }
        Ok(())
    }
}
