//! Who calls: a verified token's tenant, seat and roles.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::FromRequestParts;
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

/// How far the issuer's clock may be from ours, in seconds (security checklist 17).
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

/// A verified caller.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    subject: Option<String>,
    tenant: Option<TenantId>,
    seat: Option<SeatId>,
    roles: BTreeSet<Role>,
}

impl Caller {
    /// The caller may act for every tenant, as the product's own back end does.
    pub(crate) fn service(&self) -> Result<(), Problem> {
        if self.roles.contains(&Role::Service) { Ok(()) } else { Err(Problem::forbidden()) }
    }

    /// The caller may configure this tenant. Another tenant's caller learns nothing, not even that
    /// the tenant exists.
    pub(crate) fn admin(&self, tenant: TenantId) -> Result<(), Problem> {
        if self.roles.contains(&Role::Service) {
            return Ok(());
        }
        self.own(tenant)?;
        if self.roles.contains(&Role::Admin) { Ok(()) } else { Err(Problem::forbidden()) }
    }

    /// Who it is, for the record of a change: the token's subject, else its seat.
    pub(crate) fn name(&self) -> Option<String> {
        self.subject.clone().or_else(|| self.seat.map(|seat| seat.to_string()))
    }

    /// The seat that acts, of this tenant.
    pub(crate) fn seat(&self, tenant: TenantId) -> Result<SeatId, Problem> {
        self.own(tenant)?;
        self.seat.filter(|_| self.roles.contains(&Role::Seat)).ok_or_else(Problem::seat_required)
    }

    /// The caller may see what belongs to this seat: its own seller, the admin, the back end.
    pub(crate) fn seat_or_admin(&self, tenant: TenantId, seat: SeatId) -> Result<(), Problem> {
        match self.seat(tenant) {
            Ok(own) if own == seat => Ok(()),
            _ => self.admin(tenant),
        }
    }

    /// The caller may correct matches, for the whole contract: any seat, the admin, the back end.
    /// Says which seat it is.
    pub(crate) fn corrector(&self, tenant: TenantId) -> Result<Option<SeatId>, Problem> {
        match self.seat(tenant) {
            Ok(seat) => Ok(Some(seat)),
            Err(_) => self.admin(tenant).map(|()| None),
        }
    }

    fn own(&self, tenant: TenantId) -> Result<(), Problem> {
        if self.tenant == Some(tenant) { Ok(()) } else { Err(Problem::not_found("tenant")) }
    }
}

/// The issuer's keys, fetched when a token names one that is not known.
#[derive(Clone)]
pub(crate) struct Issuer {
    name: String,
    audience: String,
    jwks_url: reqwest::Url,
    http: reqwest::Client,
    keys: Arc<RwLock<JwkSet>>,
}

impl Issuer {
    /// An issuer whose keys are at `jwks_url`.
    pub(crate) fn new(
        name: String,
        audience: String,
        jwks_url: reqwest::Url,
        http: reqwest::Client,
    ) -> Self {
        let keys = Arc::new(RwLock::new(JwkSet { keys: Vec::new() }));
        Self { name, audience, jwks_url, http, keys }
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
        let fetched = self.fetch().await.map_err(|error| {
            tracing::error!(error = %error, "the issuer's keys cannot be fetched");
            Problem::unavailable()
        })?;
        let key = find(&fetched, kid).ok_or_else(Problem::unauthorized);
        *self.keys.write().await = fetched;
        key
    }

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

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(Problem::unauthorized)?;
        api.issuer.verify(token).await
    }
}
