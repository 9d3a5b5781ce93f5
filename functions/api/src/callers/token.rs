//! What a token says once it is verified: a tenant, a seat and roles.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use shared::capabilities::seats::Role;
use shared::capabilities::sessions::Visitor;
use shared::kernel::{SeatId, TenantId};
use shared::ports::Clock;

use super::issuer_keys::IssuerKeys;
use crate::problem::Problem;
use crate::state::Api;

/// How far the issuer's clock may be from ours, in seconds.
const LEEWAY: u64 = 60;

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    tenant: Option<TenantId>,
    #[serde(default)]
    seat: Option<SeatId>,
    #[serde(default)]
    roles: BTreeSet<Role>,
}

/// A verified caller. Only guards look at it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) subject: Option<String>,
    pub(super) tenant: Option<TenantId>,
    pub(super) seat: Option<SeatId>,
    pub(super) roles: BTreeSet<Role>,
}

/// Whose tokens are taken, and the keys that verify them.
#[derive(Clone)]
pub struct Issuer {
    name: String,
    audience: String,
    keys: IssuerKeys,
}

impl Issuer {
    /// An issuer whose keys are at `jwks_url`: they are fetched with what `http` builds, when a
    /// token names one that is not known, and again when they are old.
    ///
    /// # Errors
    /// When no client can be built.
    pub fn new(
        name: String,
        audience: String,
        jwks_url: reqwest::Url,
        http: reqwest::ClientBuilder,
        clock: Arc<dyn Clock>,
    ) -> reqwest::Result<Self> {
        Ok(Self { name, audience, keys: IssuerKeys::at(jwks_url, http, clock)? })
    }

    /// An issuer within this process, which has these keys and no others.
    #[must_use]
    pub fn with_keys(name: String, audience: String, keys: JwkSet) -> Self {
        Self { name, audience, keys: IssuerKeys::Own(Arc::new(keys)) }
    }

    /// An issuer whose tokens nobody has: callers are within this process.
    #[must_use]
    pub fn nobody() -> Self {
        Self::with_keys(String::new(), String::new(), JwkSet { keys: Vec::new() })
    }

    /// Verifies a token; every way of being wrong gives the same answer.
    async fn verify(&self, token: &str) -> Result<Caller, Problem> {
        let header = decode_header(token).map_err(|_| Problem::unauthorized())?;
        // RS256 only: not `none`, and no HMAC under a public key.
        if header.alg != Algorithm::RS256 {
            return Err(Problem::unauthorized());
        }
        let kid = header.kid.ok_or_else(Problem::unauthorized)?;
        let key = self.keys.key(&kid).await?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.name]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        let claims: Claims =
            decode(token, &key, &validation).map_err(|_| Problem::unauthorized())?.claims;
        let Claims { sub: subject, tenant, seat, roles } = claims;
        Ok(Caller { subject, tenant, seat, roles })
    }
}

impl From<Visitor> for Caller {
    /// Somebody who is logged in to the console.
    fn from(Visitor { tenant, subject, roles, seat }: Visitor) -> Self {
        Self { subject: Some(subject), tenant, seat, roles }
    }
}

impl Caller {
    /// Who it is, as far as the product tells callers apart.
    pub(super) fn identity(&self) -> String {
        let Self { subject, tenant, seat, roles } = self;
        format!("{subject:?}|{tenant:?}|{seat:?}|{roles:?}")
    }

    /// The caller of a request; verified once, however many extractors ask.
    pub(super) async fn of(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        // The console asks within the process: nothing that comes over a wire has an extension.
        if let Some(visitor) = parts.extensions.get::<Visitor>().cloned() {
            let caller = Self::from(visitor);
            parts.extensions.insert(caller.clone());
            return Ok(caller);
        }
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(Problem::unauthorized)?;
        let caller = api.issuer.verify(token).await?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}
