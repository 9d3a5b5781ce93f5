//! What pages are made with.

use std::sync::Arc;

use axum::Router;
use shared::capabilities::sessions::Sessions;

use crate::openid::OpenId;

/// The console.
#[derive(Clone)]
pub struct Console {
    pub(crate) api: Router,
    pub(crate) sessions: Sessions,
    /// The issuer at which people log in, if there is one.
    pub(crate) openid: Option<Arc<OpenId>>,
    /// Browsers reach it over TLS.
    pub(crate) secure: bool,
}

impl Console {
    /// Pages over the routes of `api`, for people who come by a link. `secure` says whether
    /// browsers reach it over TLS.
    #[must_use]
    pub fn new(api: Router, sessions: Sessions, secure: bool) -> Self {
        Self { api, sessions, openid: None, secure }
    }

    /// The same, for people who log in at an issuer as well.
    #[must_use]
    pub fn with_openid(self, openid: OpenId) -> Self {
        Self { openid: Some(Arc::new(openid)), ..self }
    }
}
