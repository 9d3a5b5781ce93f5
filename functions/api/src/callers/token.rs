//! What a token says once it is verified: a tenant, a seat and roles.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use shared::capabilities::seats::Role;
use shared::kernel::{SeatId, TenantId};
use tokio::sync::RwLock;

use crate::problem::Problem;
use crate::state::Api;

/// A JWKS answer is read no further than this.
const MOST_KEYS: usize = 64;

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
    /// Where keys that are not known are fetched; nowhere for an issuer in this process.
    source: Option<KeySource>,
    keys: Arc<RwLock<JwkSet>>,
}

/// Where an issuer's keys are.
#[derive(Clone)]
struct KeySource {
    jwks_url: reqwest::Url,
    http: reqwest::Client,
}

impl Issuer {
    /// An issuer whose keys are at `jwks_url`: they are fetched when a token names one that is not
    /// known.
    #[must_use]
    pub fn new(
        name: String,
        audience: String,
        jwks_url: reqwest::Url,
        http: reqwest::Client,
    ) -> Self {
        let keys = Arc::new(RwLock::new(JwkSet { keys: Vec::new() }));
        Self { name, audience, source: Some(KeySource { jwks_url, http }), keys }
    }

    /// An issuer within this process, which has these keys and no others.
    #[must_use]
    pub fn with_keys(name: String, audience: String, keys: JwkSet) -> Self {
        Self { name, audience, source: None, keys: Arc::new(RwLock::new(keys)) }
    }

    /// Verifies a token; every way of being wrong gives the same answer.
    async fn verify(&self, token: &str) -> Result<Caller, Problem> {
        let header = decode_header(token).map_err(|_| Problem::unauthorized())?;
        // RS256 only: not `none`, and no HMAC under a public key.
        if header.alg != Algorithm::RS256 {
            return Err(Problem::unauthorized());
        }
        let kid = header.kid.ok_or_else(Problem::unauthorized)?;
        let key = self.key(&kid).await?;
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

    async fn key(&self, kid: &str) -> Result<DecodingKey, Problem> {
        if let Some(key) = find(&*self.keys.read().await, kid) {
            return Ok(key);
        }
        let source = self.source.as_ref().ok_or_else(Problem::unauthorized)?;
        let fetched = source.fetch().await.map_err(|error| {
            tracing::error!(error = %error, "the issuer's keys cannot be fetched");
            Problem::unavailable()
        })?;
        let key = find(&fetched, kid).ok_or_else(Problem::unauthorized);
        *self.keys.write().await = fetched;
        key
    }
}

impl KeySource {
    async fn fetch(&self) -> Result<JwkSet, reqwest::Error> {
        let answer = self.http.get(self.jwks_url.clone()).send().await?.error_for_status()?;
        let mut keys: JwkSet = answer.json().await?;
        keys.keys.truncate(MOST_KEYS);
        Ok(keys)
    }
}

fn find(keys: &JwkSet, kid: &str) -> Option<DecodingKey> {
    keys.find(kid).and_then(|jwk| DecodingKey::from_jwk(jwk).ok())
}

impl Caller {
    /// The caller of a request; verified once, however many extractors ask.
    pub(super) async fn of(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
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
