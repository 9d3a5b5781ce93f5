//! OAuth 2.0 with Salesforce: the web server flow with PKCE, refresh with rotation, revocation and identity.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, StandardRevocableToken, TokenUrl,
};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::client::{Reply, Session, looks_like_html, parse_json};
use super::error::SalesforceError;
use super::hosts::{IdentityUrl, LoginHost};
use super::http::{Answer, Http, Request, https_url};
use super::id::SalesforceId;
use super::oauth_error::{GrantStep, OAuthError, UntrustedToken};
use super::token::{Expected, Scopes, TokenResponse, WireTokenResponse};

const FORM: &str = "application/x-www-form-urlencoded";

/// A scope this project asks for; there is no way to ask for `full` or `web`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The REST and Bulk APIs, within the user's own permissions.
    Api,
    /// A refresh token.
    RefreshToken,
    /// The identity URL.
    Id,
    /// `OpenID` Connect's identity.
    Openid,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::RefreshToken => "refresh_token",
            Self::Id => "id",
            Self::Openid => "openid",
        }
    }

    /// What a connection needs: data, a refresh token, and who it is.
    pub const NEEDED: [Self; 3] = [Self::Api, Self::RefreshToken, Self::Id];
}

/// The app's own credentials.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// The consumer key; not secret.
    pub client_id: String,
    /// The consumer secret.
    pub client_secret: SecretString,
}

/// The text is not a PKCE verifier: 43 to 128 unreserved characters (RFC 7636 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a PKCE verifier")]
pub struct PkceError;

/// A PKCE verifier. Its challenge is always S256.
#[derive(Clone)]
pub struct Pkce(SecretString);

impl Pkce {
    /// Makes a verifier of 256 random bits.
    #[must_use]
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(SecretString::from(URL_SAFE_NO_PAD.encode(entropy)))
    }

    /// Takes up a stored verifier.
    pub fn from_verifier(verifier: SecretString) -> Result<Self, PkceError> {
        let text = verifier.expose_secret();
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(Self(verifier))
        } else {
            Err(PkceError)
        }
    }

    /// The verifier, to be stored beside the state until the callback.
    #[must_use]
    pub fn verifier(&self) -> &SecretString {
        &self.0
    }

    /// The S256 challenge; not secret.
    #[must_use]
    pub fn challenge(&self) -> String {
        self.oauth2_challenge().as_str().to_owned()
    }

    fn oauth2_verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.0.expose_secret().to_owned())
    }

    fn oauth2_challenge(&self) -> PkceCodeChallenge {
        PkceCodeChallenge::from_code_verifier_sha256(&self.oauth2_verifier())
    }
}

impl fmt::Debug for Pkce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkce([redacted])")
    }
}

/// What Salesforce's login page should ask, whatever session the browser has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// Log in again.
    Login,
    /// Approve again.
    Consent,
    /// Choose the user.
    SelectAccount,
}

/// An authorization to begin.
#[derive(Debug)]
pub struct AuthorizationRequest<'a> {
    /// Where Salesforce sends the browser back to: one of the app's callback addresses, exactly.
    pub redirect_uri: &'a Url,
    /// The single-use state.
    pub state: &'a str,
    /// The verifier whose challenge is sent.
    pub pkce: &'a Pkce,
    /// What is asked for.
    pub scopes: &'a [Scope],
    /// The username to fill in.
    pub login_hint: Option<&'a str>,
    /// What to ask anew.
    pub prompt: Option<Prompt>,
}

/// Who a token belongs to, as the identity URL answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// The user.
    pub user_id: SalesforceId,
    /// The org.
    pub organization_id: SalesforceId,
    /// The login name, unique over all of Salesforce.
    pub username: String,
    /// The address a seat is joined by.
    pub email: Option<String>,
    /// False until the user has confirmed the address.
    #[serde(default)]
    pub email_verified: Option<bool>,
    /// The name as the org shows it.
    #[serde(default)]
    pub display_name: Option<String>,
    /// False for a deactivated user.
    #[serde(default)]
    pub active: Option<bool>,
    /// `STANDARD` for employees.
    #[serde(default)]
    pub user_type: Option<String>,
    /// Salesforce's locale of the user, such as `en_US`.
    #[serde(default)]
    pub locale: Option<String>,
    /// When the user was last changed.
    #[serde(default, rename = "last_modified_date", deserialize_with = "lenient_datetime")]
    pub last_modified_at: Option<Timestamp>,
}

fn lenient_datetime<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(d)?;
    Ok(text.and_then(|text| super::datetime::parse_datetime(&text).ok()))
}

type OAuth2Client = oauth2::Client<
    BasicErrorResponse,
    WireTokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The client for a login host's OAuth endpoints.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    http: Http,
    credentials: AppCredentials,
}

impl OAuthClient {
    /// Makes a client for the app.
    #[must_use]
    pub fn new(http: Http, credentials: AppCredentials) -> Self {
        Self { http, credentials }
    }

    /// The address to send the browser to.
    #[must_use]
    pub fn authorize_url(&self, host: &LoginHost, request: &AuthorizationRequest<'_>) -> Url {
        let client = self.oauth2(host);
        let redirect = std::borrow::Cow::Owned(RedirectUrl::from_url(request.redirect_uri.clone()));
        let mut url = client
            .authorize_url(|| CsrfToken::new(request.state.to_owned()))
            .set_redirect_uri(redirect)
            .set_pkce_challenge(request.pkce.oauth2_challenge());
        for scope in request.scopes {
            url = url.add_scope(oauth2::Scope::new(scope.as_str().to_owned()));
        }
        if let Some(username) = request.login_hint {
            url = url.add_extra_param("login_hint", username);
        }
        if let Some(prompt) = request.prompt {
            let prompt = match prompt {
                Prompt::Login => "login",
                Prompt::Consent => "consent",
                Prompt::SelectAccount => "select_account",
            };
            url = url.add_extra_param("prompt", prompt);
        }
        url.url().0
    }

    /// Exchanges the code of a callback. The host, the redirect address and the scopes are those the authorization began with.
    pub async fn exchange(
        &self,
        host: &LoginHost,
        redirect_uri: &Url,
        code: &SecretString,
        pkce: &Pkce,
        scopes: &[Scope],
    ) -> Result<TokenResponse, OAuthError> {
        let send = |request| self.post(host, request);
        let redirect = std::borrow::Cow::Owned(RedirectUrl::from_url(redirect_uri.clone()));
        let outcome = self
            .oauth2(host)
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_redirect_uri(redirect)
            .set_pkce_verifier(pkce.oauth2_verifier())
            .request_async(&send)
            .await;
        let scopes = scopes.iter().map(|scope| scope.as_str()).collect();
        self.checked(host, GrantStep::Exchange, &scopes, outcome)
    }

    /// Uses a refresh token, at the host that issued it. `scopes` is what the grant has: a wider answer is refused.
    ///
    /// Call it under the connection's lease, with the token read inside the lease, and never again with the same token unless
    /// [`OAuthError::is_outcome_unknown`] or [`OAuthError::ConcurrentRefresh`] asks for it.
    pub async fn refresh(
        &self,
        host: &LoginHost,
        refresh_token: &SecretString,
        scopes: &Scopes,
    ) -> Result<TokenResponse, OAuthError> {
        let send = |request| self.post(host, request);
        let token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let outcome = self.oauth2(host).exchange_refresh_token(&token).request_async(&send).await;
        self.checked(host, GrantStep::Refresh, scopes, outcome)
    }

    /// Revokes a token; a refresh token takes its access tokens along. True when it was alive, false when it was dead already.
    pub async fn revoke(&self, host: &LoginHost, token: &SecretString) -> Result<bool, OAuthError> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose_secret())
            .finish();
        let request = Request::new(Method::POST, ["services", "oauth2", "revoke"])
            .body(FORM, body.into_bytes())
            .timeout(self.http.options().token_timeout);
        let answer = self.http.send(host, request).await.map_err(OAuthError::transport)?;
        match (answer.status(), answer.retry_after()) {
            (200, _) => Ok(true),
            (400, _) => {
                // Salesforce answers 400 with either of two codes for a token it does not know (any more).
                let body = answer.bytes().await.unwrap_or_default();
                match serde_json::from_slice::<BasicErrorResponse>(&body) {
                    Ok(error) => dead_or(error.error().as_ref(), error.error_description()),
                    Err(_) => Err(OAuthError::unreadable(400, None)),
                }
            }
            (status, retry_after) => Err(OAuthError::unreadable(status, retry_after)),
        }
    }

    /// Asks who a token belongs to. The answer must name the org and user of the URL.
    ///
    /// A generic login host may send such a request on to the org's own. Redirects are not followed, so the org is then asked directly.
    pub async fn identity(
        &self,
        id_url: &IdentityUrl,
        session: &Session,
    ) -> Result<Reply<Identity>, SalesforceError> {
        let (org, user) = (id_url.org_id().to_string(), id_url.user_id().to_string());
        let request =
            || Request::new(Method::GET, ["id", &org, &user]).bearer(&session.access_token);
        let mut answer = self.http.send(id_url, request()).await?;
        if matches!(answer.status(), 301 | 302 | 307 | 308) {
            answer = self.http.send(&session.instance, request()).await?;
        }
        let reply = read_identity(answer).await?;
        let Identity { organization_id, user_id, .. } = reply.value;
        if organization_id != id_url.org_id() || user_id != id_url.user_id() {
            return Err(SalesforceError::Protocol {
                status: 200,
                problem: "another user's identity",
            });
        }
        Ok(reply)
    }

    fn oauth2(&self, host: &LoginHost) -> OAuth2Client {
        let endpoint = |name: &str| {
            let mut url = https_url(host);
            url.set_path(&format!("/services/oauth2/{name}"));
            url
        };
        oauth2::Client::new(ClientId::new(self.credentials.client_id.clone()))
            .set_client_secret(ClientSecret::new(
                self.credentials.client_secret.expose_secret().to_owned(),
            ))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(endpoint("authorize")))
            .set_token_uri(TokenUrl::from_url(endpoint("token")))
    }

    /// Carries a request of the `oauth2` crate: its path and body, to the host we checked.
    async fn post(
        &self,
        host: &LoginHost,
        request: HttpRequest,
    ) -> Result<HttpResponse, OAuthError> {
        let path: Vec<String> =
            request.uri().path().split('/').skip(1).map(str::to_owned).collect();
        let request = Request::new(Method::POST, path)
            .body(FORM, request.into_body())
            .timeout(self.http.options().token_timeout);
        let answer = self.http.send(host, request).await.map_err(OAuthError::transport)?;
        let (status, retry_after) = (answer.status(), answer.retry_after());
        let body = answer.bytes().await.map_err(|error| match error {
            SalesforceError::Transport(error) => OAuthError::transport(error),
            _ => OAuthError::unreadable(status, retry_after),
        })?;
        // Only 200 and the 4xx of RFC 6749 speak OAuth; the rest is somebody else's page.
        let speaks_oauth = matches!(status, 200 | 400 | 401 | 403) && !looks_like_html(&body);
        let is_error = || serde_json::from_slice::<BasicErrorResponse>(&body).is_ok();
        if !speaks_oauth || body.is_empty() || (status != 200 && !is_error()) {
            return Err(OAuthError::unreadable(status, retry_after));
        }
        let mut response = HttpResponse::new(body.to_vec());
        *response.status_mut() = reqwest::StatusCode::from_u16(status).unwrap_or_default();
        Ok(response)
    }

    fn checked(
        &self,
        issuer: &LoginHost,
        step: GrantStep,
        scopes: &Scopes,
        outcome: Result<WireTokenResponse, RequestTokenError<OAuthError, BasicErrorResponse>>,
    ) -> Result<TokenResponse, OAuthError> {
        let wire = outcome.map_err(|error| match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(error) => {
                let description = error.error_description().map_or("", String::as_str);
                OAuthError::from_code(step, error.error().as_ref(), description)
            }
            // Both hold parts of the body, and so perhaps of a token: they end here.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                OAuthError::Untrusted(UntrustedToken::Malformed)
            }
        })?;
        let expected = Expected {
            issuer,
            client_secret: &self.credentials.client_secret,
            policy: self.http.options().host_policy,
            scopes,
        };
        TokenResponse::check(&wire, &expected).map_err(OAuthError::Untrusted)
    }
}

async fn read_identity(answer: Answer) -> Result<Reply<Identity>, SalesforceError> {
    let (status, observed) = (answer.status(), answer.observed());
    // The identity service tells of a bad token with 403 and plain text, where the data services use 401.
    if status == 403 {
        let body = answer.bytes().await.unwrap_or_default();
        return Err(match String::from_utf8_lossy(&body).trim() {
            code @ ("Bad_OAuth_Token" | "Missing_OAuth_Token") => {
                SalesforceError::Unauthorized { code: code.to_owned() }
            }
            _ => SalesforceError::from_answer(status, None, &body),
        });
    }
    let body = answer.into_success().await?.bytes().await?;
    Ok(Reply { value: parse_json(status, &body)?, observed })
}

/// The meaning of a refusal to revoke.
fn dead_or(code: &str, description: Option<&String>) -> Result<bool, OAuthError> {
    match code {
        "unsupported_token_type" | "invalid_token" => Ok(false),
        _ => {
            let description = description.map_or("", String::as_str);
            Err(OAuthError::from_code(GrantStep::Refresh, code, description))
        }
    }
}

#[cfg(test)]
#[path = "oauth_tests.rs"]
mod tests;
