//! An authorization on its way: the request, the login that waits for consent, the code.

use crate::ids::RecordId;

/// The authorization that an app asks for.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizeRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) state: Option<String>,
    /// The PKCE challenge, always S256.
    pub(crate) challenge: Option<String>,
}

/// A login that waits for its consent.
pub(crate) struct Ticket {
    pub(crate) request: AuthorizeRequest,
    pub(crate) org: RecordId,
    pub(crate) user: RecordId,
    pub(crate) expires: i64,
}

/// An authorization code that was handed out.
pub(crate) struct Code {
    pub(crate) request: AuthorizeRequest,
    pub(crate) org: RecordId,
    pub(crate) user: RecordId,
    pub(crate) expires: i64,
    pub(crate) used: bool,
}
