//! The issuer of the API's tokens on one machine: a key of its own, made when the stack starts.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::net::{Server, listen};

/// The audience of the stack's tokens.
pub const AUDIENCE: &str = "crm-sync";
const KEY_ID: &str = "local";

/// Whom a token speaks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caller<'a> {
    /// `admin`, `seat`, `reporting`, `vendor-rep`, `service`.
    pub roles: &'a [&'a str],
    /// The tenant that the caller belongs to; none for the product's own services.
    pub tenant: Option<&'a str>,
    /// The seat, for a seller.
    pub seat: Option<&'a str>,
}

/// Signs tokens.
#[derive(Debug, Clone)]
pub struct Issuer {
    address: String,
    private_key_pem: String,
}

impl Issuer {
    /// An issuer on a free port of this machine, served until the second value is dropped.
    pub async fn serve() -> anyhow::Result<(Self, Server)> {
        let (listener, _) = listen(0).await?;
        Self::start(listener)
    }

    /// Makes a key, and serves its public half and the issuer's description from `listener`.
    pub(crate) fn start(listener: TcpListener) -> anyhow::Result<(Self, Server)> {
        let address = format!("http://{}", listener.local_addr()?);
        let pair = KeyPair::generate(KeySize::Rsa2048)
            .map_err(|_| anyhow!("cannot make a signing key"))?;
        let der = pair.as_der().map_err(|_| anyhow!("cannot encode the signing key"))?;
        let issuer = Self { address, private_key_pem: pem(der.as_ref()) };
        let keys = key_set(&pair);
        let description = json!({
            "issuer": issuer.address,
            "jwks_uri": issuer.key_set_url(),
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async move || Json(description.clone())),
            )
            .route("/jwks.json", get(async move || Json(keys.clone())));
        Ok((issuer, Server::spawn(listener, router)))
    }

    /// The issuer of a stack that another process runs.
    pub fn open(address: &str, key_file: &Path) -> anyhow::Result<Self> {
        let private_key_pem = std::fs::read_to_string(key_file)
            .with_context(|| format!("read {}; is the stack running?", key_file.display()))?;
        Ok(Self { address: address.to_owned(), private_key_pem })
    }

    /// Leaves the key in a file that only its owner can read, for [`Issuer::open`].
    pub(crate) fn save(&self, key_file: &Path) -> anyhow::Result<()> {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(key_file)?;
        file.write_all(self.private_key_pem.as_bytes())?;
        Ok(())
    }

    /// The issuer's address, which its tokens carry as `iss`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where its public key is.
    #[must_use]
    pub fn key_set_url(&self) -> String {
        format!("{}/jwks.json", self.address)
    }

    /// A token for `caller` that is valid from now and for as long as `valid`.
    pub fn token(&self, caller: Caller<'_>, valid: Duration) -> anyhow::Result<String> {
        self.sign(&self.claims(caller, valid))
    }

    /// The claims of such a token.
    #[must_use]
    pub fn claims(&self, caller: Caller<'_>, valid: Duration) -> Value {
        let now = now();
        let mut claims = json!({
            "iss": self.address,
            "aud": AUDIENCE,
            "sub": caller.seat.unwrap_or("local"),
            "iat": now,
            "nbf": now,
            "exp": now + valid.as_secs(),
            "roles": caller.roles,
        });
        for (name, value) in [("tenant", caller.tenant), ("seat", caller.seat)] {
            if let Some(value) = value {
                claims[name] = json!(value);
            }
        }
        claims
    }

    /// A token with any claims, so that tests can try what must be refused.
    pub fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        self.sign_under(Some(KEY_ID), claims)
    }

    /// As [`Issuer::sign`], with another name of the key, or none.
    pub fn sign_under(&self, kid: Option<&str>, claims: &Value) -> anyhow::Result<String> {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::RS256) };
        let key = EncodingKey::from_rsa_pem(self.private_key_pem.as_bytes())?;
        Ok(encode(&header, claims, &key)?)
    }
}

/// Seconds since 1970. The emulator compares with the machine's clock, so this one must too.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the local issuer: tokens are checked by the wall clock"
)]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

fn key_set(pair: &KeyPair) -> Value {
    let public = pair.public_key();
    let number = |n: &[u8]| URL_SAFE_NO_PAD.encode(n);
    json!({"keys": [{
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": KEY_ID,
        "n": number(public.modulus().big_endian_without_leading_zero()),
        "e": number(public.exponent().big_endian_without_leading_zero()),
    }]})
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;
    use crate::net;

    async fn started() -> (Issuer, Server) {
        let (listener, _) = net::listen(0).await.unwrap();
        Issuer::start(listener).unwrap()
    }

    async fn get(address: &str) -> Value {
        net::client().unwrap().get(address).send().await.unwrap().json().await.unwrap()
    }

    #[tokio::test]
    async fn a_token_is_verified_with_the_key_that_the_issuer_describes() {
        let (issuer, _server) = started().await;
        let caller = Caller { roles: &["seat"], tenant: Some("ten_1"), seat: Some("seat_1") };
        let token = issuer.token(caller, Duration::from_mins(1)).unwrap();
        let description =
            get(&format!("{}/.well-known/openid-configuration", issuer.address())).await;
        assert_eq!(description["issuer"], issuer.address());
        let keys = get(description["jwks_uri"].as_str().unwrap()).await;
        let key = &keys["keys"][0];
        let (n, e) = (key["n"].as_str().unwrap(), key["e"].as_str().unwrap());
        let key = DecodingKey::from_rsa_components(n, e).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[issuer.address()]);
        let claims: Value = decode(token, &key, &validation).unwrap().claims;
        assert_eq!(claims["roles"], json!(["seat"]));
        assert_eq!((&claims["tenant"], &claims["seat"]), (&json!("ten_1"), &json!("seat_1")));
    }

    #[tokio::test]
    async fn the_key_is_left_to_its_owner_alone_and_signs_for_another_process() {
        let (issuer, _server) = started().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("issuer.pem");
        issuer.save(&file).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let opened = Issuer::open(issuer.address(), &file).unwrap();
        assert_eq!(opened.private_key_pem, issuer.private_key_pem);
    }
}
