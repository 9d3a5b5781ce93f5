//! A grant and what belongs to it: sessions, tokens, the view of the control API.

use serde::Serialize;

use super::policy::App;
use crate::ids::RecordId;
use crate::org::Org;

/// A user's permission for an app.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) org: RecordId,
    pub(crate) user: RecordId,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    /// The refresh token that is good now; `None` for a grant without one.
    pub(crate) refresh_token: Option<String>,
    pub(crate) created: i64,
    pub(crate) last_used: i64,
    pub(crate) rotated: i64,
    pub(crate) refreshes: u64,
    /// Why the grant is dead.
    pub(crate) ended: Option<&'static str>,
}

/// A session: an access token's other name.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) grant: usize,
    pub(crate) expires: i64,
    pub(crate) timeout_ms: i64,
}

/// A grant as the control API shows it; never with a token.
#[derive(Clone, Debug, Serialize)]
pub struct GrantView {
    /// The user's id.
    pub user_id: String,
    /// The app.
    pub client_id: String,
    /// Scopes, separated by blanks.
    pub scope: String,
    /// When it was given.
    pub created: String,
    /// When its refresh token was last used.
    pub last_used: String,
    /// Successful refreshes.
    pub refreshes: u64,
    /// `active` or `revoked`.
    pub state: &'static str,
    /// Why it is revoked.
    pub reason: Option<&'static str>,
    /// Access tokens that are good now.
    pub sessions: usize,
}

/// The tokens of a successful token call.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) scope: String,
    pub(crate) org: RecordId,
    pub(crate) user: RecordId,
}

/// Why a refresh token is refused: Salesforce's `error_description`.
pub(crate) type Refusal = (&'static str, &'static str);

/// Who a grant is for.
pub(crate) struct Grantee<'a> {
    pub(crate) org: &'a Org,
    pub(crate) user: RecordId,
    pub(crate) app: &'a App,
    pub(crate) scope: &'a str,
}
