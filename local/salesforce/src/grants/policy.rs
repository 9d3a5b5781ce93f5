//! Connected apps and the policies that decide how long their tokens live.

use serde::{Deserialize, Serialize};

/// A connected app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The consumer key.
    pub client_id: String,
    /// The consumer secret.
    pub client_secret: String,
    /// The name that the consent page shows.
    pub name: String,
    /// Callback URLs, compared exactly.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Also accept any callback on a loopback address.
    #[serde(default = "yes")]
    pub allow_loopback: bool,
    /// The policy in every org whose administrator has set none.
    #[serde(default)]
    pub policy: AppPolicy,
}

fn yes() -> bool {
    true
}

impl Default for App {
    fn default() -> Self {
        Self {
            client_id: "crm-sync-local".to_owned(),
            client_secret: "crm-sync-local-secret".to_owned(),
            name: "crm-sync (local)".to_owned(),
            redirect_uris: Vec::new(),
            allow_loopback: true,
            policy: AppPolicy::default(),
        }
    }
}

/// How long refresh tokens are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenPolicy {
    /// Until revoked.
    Infinite,
    /// Not at all.
    Zero,
    /// So many hours from the authorization.
    LifetimeHours(i64),
    /// So many hours from the last use.
    IdleHours(i64),
}

/// The switches of an app. The defaults are what Salesforce demands of vendors' apps since 2026.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct AppPolicy {
    /// Authorizations need a PKCE challenge.
    pub require_pkce: bool,
    /// The code exchange needs the secret.
    pub require_secret: bool,
    /// The refresh needs the secret.
    pub require_secret_for_refresh: bool,
    /// Every refresh gives a new refresh token and ends the old one.
    pub rotation: bool,
    /// A rotated token that is used again ends the whole grant.
    pub revoke_on_reuse: bool,
    /// A rotated token that is used again within this time is a concurrent refresh: retryable, and
    /// ends nothing.
    pub concurrent_window_ms: i64,
    /// A refresh gives the same access token while its session lives.
    pub reuse_session: bool,
    /// How long refresh tokens are good for.
    pub refresh_token_policy: RefreshTokenPolicy,
    /// A refresh token that is not used for so many days dies, whatever the policy says.
    pub idle_limit_days: Option<i64>,
    /// Authorizations of one user for one app that live at a time; the next one ends the oldest.
    pub max_approvals: usize,
    /// Addresses from which refresh tokens may be used: exact or by prefix with a `*` at the end.
    pub refresh_ip_allow_list: Option<Vec<String>>,
    /// Addresses from which the app may be used at all, as with IP relaxation "enforce".
    pub ip_ranges: Option<Vec<String>>,
    /// Only users that an administrator has approved may use the app.
    pub admin_approval_only: bool,
    /// Usernames that are approved.
    pub approved_usernames: Vec<String>,
    /// Minutes of idleness after which a session ends.
    pub session_timeout_minutes: i64,
    /// The app is external and lives in another org: token calls fail until it is installed.
    pub cross_org_blocked: bool,
    /// Scopes that the app may ask for.
    pub scopes: Vec<String>,
}

impl Default for AppPolicy {
    fn default() -> Self {
        let scopes = [
            "api",
            "refresh_token",
            "offline_access",
            "id",
            "openid",
            "profile",
            "email",
            "web",
            "full",
        ];
        Self {
            require_pkce: true,
            require_secret: true,
            require_secret_for_refresh: true,
            rotation: true,
            revoke_on_reuse: true,
            concurrent_window_ms: 0,
            reuse_session: false,
            refresh_token_policy: RefreshTokenPolicy::Infinite,
            idle_limit_days: Some(30),
            max_approvals: 5,
            refresh_ip_allow_list: None,
            ip_ranges: None,
            admin_approval_only: false,
            approved_usernames: Vec::new(),
            session_timeout_minutes: 120,
            cross_org_blocked: false,
            scopes: scopes.map(str::to_owned).to_vec(),
        }
    }
}

impl AppPolicy {
    /// True if there is no list, or the address is in it.
    pub(crate) fn admits(list: Option<&[String]>, ip: &str) -> bool {
        list.is_none_or(|list| {
            list.iter().any(|own| match own.strip_suffix('*') {
                Some(prefix) => ip.starts_with(prefix),
                None => own == ip,
            })
        })
    }
}
