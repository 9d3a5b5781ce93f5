//! What pages are made with.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use secrecy::SecretString;
use shared::capabilities::sessions::{LoginLink, Sessions, Visitor};

/// Why somebody cannot be spoken for.
pub type IssuerError = Box<dyn Error + Send + Sync>;

/// Who vouches for the people who look at the console.
pub trait Issuer: Send + Sync {
    /// The link of a text, if its signature holds and it is not too old.
    fn link(&self, text: &str) -> Option<LoginLink>;

    /// A token with which the API is asked for `visitor`, good for a minute.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn token(&self, visitor: &Visitor) -> Result<SecretString, IssuerError>;
}

/// The console.
#[derive(Clone)]
pub struct Console {
    pub(crate) api: Router,
    pub(crate) sessions: Sessions,
    pub(crate) issuer: Arc<dyn Issuer>,
    /// Browsers reach it over TLS.
    pub(crate) secure: bool,
}

impl Console {
    /// Pages over the routes of `api`, for people for whom `issuer` vouches. `secure` says whether
    /// browsers reach it over TLS.
    #[must_use]
    pub fn new(api: Router, sessions: Sessions, issuer: Arc<dyn Issuer>, secure: bool) -> Self {
        Self { api, sessions, issuer, secure }
    }
}
