//! The issuer of tokens for a company that has none: one key, made at the first start.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;
use shared::capabilities::seats::Role;
use shared::kernel::{SeatId, TenantId};
use shared::ports::{Clock, PortError, Secrets};

/// For whom the tokens are.
pub const AUDIENCE: &str = "crm-sync";

/// Who issued them. The name is no address: nobody but the process itself looks the key up.
pub const ISSUER: &str = "crm-sync";

/// The secret that holds the signing key.
const SECRET: &str = "server/token-key";

/// Whom a token speaks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bearer {
    /// The roles.
    pub roles: BTreeSet<Role>,
    /// The tenant that the caller belongs to; none for the product's own services.
    pub tenant: Option<TenantId>,
    /// The seat, for a seller.
    pub seat: Option<SeatId>,
    /// Who signs changes; the seat, or the first role, when none is given.
    pub subject: Option<String>,
}

/// What a token says.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'static str,
    sub: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    roles: &'a BTreeSet<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seat: Option<SeatId>,
}

/// Why no token can be made.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The signing key cannot be read or written.
    #[error("the signing key cannot be kept")]
    Store(#[from] PortError),
    /// There is no signing key.
    #[error("there is no signing key yet: start `crm-sync serve` once with its built-in issuer")]
    NoKey,
    /// The signing key is broken.
    #[error("the signing key cannot be used")]
    Key,
    /// The token cannot be signed.
    #[error("the token cannot be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// Signs tokens, and shows the key that verifies them.
pub struct BuiltInIssuer {
    key: EncodingKey,
    key_id: String,
    keys: JwkSet,
}

impl BuiltInIssuer {
    /// The issuer whose key is among `secrets`; the key is made when there is none.
    ///
    /// # Errors
    /// When the key cannot be read, made or kept.
    pub async fn make(secrets: &dyn Secrets) -> Result<Self, IssuerError> {
        match Self::open(secrets).await {
            Err(IssuerError::NoKey) => {}
            opened => return opened,
        }
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| IssuerError::Key)?;
        let der = pair.as_der().map_err(|_| IssuerError::Key)?;
        let text = SecretString::from(STANDARD.encode(der.as_ref()));
        secrets.put(SECRET, &text, "first").await?;
        Self::open(secrets).await
    }

    /// The issuer whose key is among `secrets`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn open(secrets: &dyn Secrets) -> Result<Self, IssuerError> {
        let (_, text) = secrets.newest(SECRET).await?.ok_or(IssuerError::NoKey)?;
        let der = STANDARD.decode(text.expose_secret()).map_err(|_| IssuerError::Key)?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| IssuerError::Key)?;
        let public = pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let modulus = number(public.modulus().big_endian_without_leading_zero());
        let exponent = number(public.exponent().big_endian_without_leading_zero());
        let key_id = modulus[..16].to_owned();
        let keys = json!({ "keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256",
            "kid": key_id, "n": modulus, "e": exponent,
        }] });
        let keys = serde_json::from_value(keys).map_err(|_| IssuerError::Key)?;
        Ok(Self { key: signing_key(&pair)?, key_id, keys })
    }

    /// The key set that verifies the tokens.
    #[must_use]
    pub fn keys(&self) -> &JwkSet {
        &self.keys
    }

    /// A token for `bearer` that is valid from now and for as long as `valid`.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn token(
        &self,
        bearer: &Bearer,
        valid: Duration,
        clock: &dyn Clock,
    ) -> Result<String, IssuerError> {
        let now = clock.now().as_second();
        let seat = bearer.seat.map(|seat| seat.to_string());
        let subject = bearer.subject.clone().or(seat).unwrap_or_else(|| "crm-sync".to_owned());
        let claims = Claims {
            iss: ISSUER,
            aud: AUDIENCE,
            sub: subject,
            iat: now,
            nbf: now,
            exp: now.saturating_add(i64::try_from(valid.as_secs()).unwrap_or(i64::MAX)),
            roles: &bearer.roles,
            tenant: bearer.tenant,
            seat: bearer.seat,
        };
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::RS256) };
        Ok(encode(&header, &claims, &self.key)?)
    }
}

/// The key as the library of tokens takes it: in PKCS#8, within PEM.
fn signing_key(pair: &KeyPair) -> Result<EncodingKey, IssuerError> {
    let der = pair.as_der().map_err(|_| IssuerError::Key)?;
    let text = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    Ok(EncodingKey::from_rsa_pem(pem.as_bytes())?)
}
