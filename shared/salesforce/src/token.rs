//! A token response, checked.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use oauth2::basic::BasicTokenType;
use oauth2::{ExtraTokenFields, StandardTokenResponse, TokenResponse as _};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::datetime::parse_epoch_millis;
use super::hosts::{HostPolicy, IdentityUrl, InstanceUrl, LoginHost, belong_together};
use super::id::SalesforceId;
use super::oauth_error::UntrustedToken;
use super::scope::Scopes;

/// A token response whose hosts, issuer, signature and scope were checked.
///
/// Persist a new refresh token before the access token is used: under rotation the old one is dead
/// already.
#[derive(Debug, Clone)]
pub struct TokenResponse {
    /// The access token. It has no lifetime of its own: it is good until a call is answered with
    /// 401.
    pub access_token: SecretString,
    /// The new refresh token: at an exchange always, at a refresh only when the app rotates them.
    pub refresh_token: Option<SecretString>,
    /// Where the org's API is; it may change at any refresh.
    pub instance_url: InstanceUrl,
    /// Whose token it is, and where to ask about them.
    pub id_url: IdentityUrl,
    /// The org.
    pub org_id: SalesforceId,
    /// The user.
    pub user_id: SalesforceId,
    /// The granted scopes.
    pub scope: Scopes,
    /// When Salesforce issued it, by its clock.
    pub issued_at: Timestamp,
}

/// Salesforce's own fields of a token response.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SalesforceFields {
    instance_url: String,
    id: String,
    issued_at: String,
    signature: String,
}

impl ExtraTokenFields for SalesforceFields {}

pub(super) type WireTokenResponse = StandardTokenResponse<SalesforceFields, BasicTokenType>;

/// The values that a token response is checked against.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a LoginHost,
    pub(super) client_secret: &'a SecretString,
    pub(super) policy: HostPolicy,
    pub(super) scopes: &'a Scopes,
}

impl TokenResponse {
    pub(super) fn check(
        wire: &WireTokenResponse,
        expected: &Expected<'_>,
    ) -> Result<Self, UntrustedToken> {
        let fields = wire.extra_fields();
        let instance_url = InstanceUrl::parse(&fields.instance_url, expected.policy)
            .map_err(|_| UntrustedToken::InstanceUrl)?;
        let id_url = IdentityUrl::parse(&fields.id, expected.policy)
            .map_err(|_| UntrustedToken::IdentityUrl)?;
        if !belong_together(expected.issuer, &instance_url, &id_url) {
            return Err(UntrustedToken::Issuer);
        }
        check_signature(fields, expected.client_secret)?;
        let scope: Scopes =
            wire.scopes().into_iter().flatten().map(|scope| scope.as_str()).collect();
        if !scope.is_within(expected.scopes) {
            return Err(UntrustedToken::Scope);
        }
        let secret = |text: &str| SecretString::from(text);
        Ok(Self {
            access_token: secret(wire.access_token().secret()),
            refresh_token: wire.refresh_token().map(|token| secret(token.secret())),
            org_id: id_url.org_id(),
            user_id: id_url.user_id(),
            instance_url,
            id_url,
            scope,
            issued_at: parse_epoch_millis(&fields.issued_at)
                .map_err(|_| UntrustedToken::Malformed)?,
        })
    }
}

/// `signature` is base64 of HMAC-SHA256 over `id` and `issued_at` with the app's secret.
fn check_signature(
    fields: &SalesforceFields,
    client_secret: &SecretString,
) -> Result<(), UntrustedToken> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.expose_secret().as_bytes());
    let signed = format!("{}{}", fields.id, fields.issued_at);
    let signature = STANDARD.decode(&fields.signature).map_err(|_| UntrustedToken::Signature)?;
    hmac::verify(&key, signed.as_bytes(), &signature).map_err(|_| UntrustedToken::Signature)
}
