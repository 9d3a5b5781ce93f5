//! OAuth 2.0 with Salesforce: the web server flow with PKCE, refresh with rotation, revocation and
//! identity.

use futures::FutureExt;
use futures::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, RedirectUrl, RefreshToken,
    RequestTokenError, StandardRevocableToken, TokenUrl,
};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::client::{Reply, Session, looks_like_html};
use super::error::SalesforceError;
use super::hosts::{IdentityUrl, LoginHost};
use super::http::{Http, Request, https_url};
use super::identity::{Identity, read_identity};
use super::oauth_error::{GrantStep, OAuthError, UntrustedToken};
use super::pkce::Pkce;
use super::scope::{Scope, Scopes};
use super::token::{Expected, TokenResponse, WireTokenResponse};

const FORM: &str = "application/x-www-form-urlencoded";

/// The app's own credentials.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// The consumer key; not secret.
    pub client_id: String,
    /// The consumer secret.
    pub client_secret: SecretString,
}

/// The questions that Salesforce's login page asks, whatever session the browser has.
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
pub struct AuthorizationRequest<'a> {
    /// Where Salesforce sends the browser back to: one of the app's callback addresses, exactly.
    pub redirect_uri: &'a Url,
    /// The single-use state.
    pub state: &'a str,
    /// The verifier whose challenge is sent.
    pub pkce: &'a Pkce,
    /// The scopes that are asked for.
    pub scopes: &'a [Scope],
    /// The username to fill in.
    pub login_hint: Option<&'a str>,
    /// The questions to ask anew.
    pub prompt: Option<Prompt>,
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

    /// True if these are the credentials that it shows.
    #[must_use]
    pub fn shows(&self, credentials: &AppCredentials) -> bool {
        let AppCredentials { client_id, client_secret } = &self.credentials;
        *client_id == credentials.client_id
            && client_secret.expose_secret() == credentials.client_secret.expose_secret()
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

    /// Exchanges the code of a callback. The host, the redirect address and the scopes are those
    /// the authorization began with.
    pub async fn exchange(
        &self,
        host: &LoginHost,
        redirect_uri: &Url,
        code: &SecretString,
        pkce: &Pkce,
        scopes: &[Scope],
    ) -> Result<TokenResponse, OAuthError> {
        let endpoint = TokenEndpoint { http: &self.http, host };
        let redirect = std::borrow::Cow::Owned(RedirectUrl::from_url(redirect_uri.clone()));
        let outcome = self
            .oauth2(host)
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_redirect_uri(redirect)
            .set_pkce_verifier(pkce.oauth2_verifier())
            .request_async(&endpoint)
            .await;
        let scopes = scopes.iter().map(|scope| scope.as_str()).collect();
        self.checked(host, GrantStep::Exchange, &scopes, outcome)
    }

    /// Uses a refresh token, at the host that issued it. `scopes` is what the grant has: a wider
    /// answer is refused.
    ///
    /// Call it under the connection's lease, with the token read inside the lease, and never again
    /// with the same token unless [`OAuthError::is_outcome_unknown`] or
    /// [`OAuthError::ConcurrentRefresh`] asks for it.
    pub async fn refresh(
        &self,
        host: &LoginHost,
        refresh_token: &SecretString,
        scopes: &Scopes,
    ) -> Result<TokenResponse, OAuthError> {
        let endpoint = TokenEndpoint { http: &self.http, host };
        let token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let outcome =
            self.oauth2(host).exchange_refresh_token(&token).request_async(&endpoint).await;
        self.checked(host, GrantStep::Refresh, scopes, outcome)
    }

    /// Revokes a token; a refresh token takes its access tokens along. True when it was alive,
    /// false when it was dead already.
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
                // Salesforce answers 400 with either of two codes for a token it does not know (any
                // more).
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
    /// A generic login host may send such a request on to the org's own. Redirects are not
    /// followed, so the org is then asked directly.
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

/// The `oauth2` crate's way out: its requests' paths and bodies, to the host we checked.
struct TokenEndpoint<'a> {
    http: &'a Http,
    host: &'a LoginHost,
}

impl<'c> AsyncHttpClient<'c> for TokenEndpoint<'_> {
    type Error = OAuthError;
    type Future = BoxFuture<'c, Result<HttpResponse, OAuthError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.post(request).boxed()
    }
}

impl TokenEndpoint<'_> {
    async fn post(&self, request: HttpRequest) -> Result<HttpResponse, OAuthError> {
        let path: Vec<String> =
            request.uri().path().split('/').skip(1).map(str::to_owned).collect();
        let request = Request::new(Method::POST, path)
            .body(FORM, request.into_body())
            .timeout(self.http.options().token_timeout);
        let answer = self.http.send(self.host, request).await.map_err(OAuthError::transport)?;
        let (status, retry_after) = (answer.status(), answer.retry_after());
        let body = answer.bytes().await.map_err(|error| match error {
            SalesforceError::Transport(error) => OAuthError::transport(error),
            _ => OAuthError::unreadable(status, retry_after),
        })?;
        // Only 200 and the 4xx of RFC 6749 speak OAuth; the rest is somebody else's page.
        let speaks_oauth = match status {
            200 => !body.is_empty() && !looks_like_html(&body),
            400 | 401 | 403 => serde_json::from_slice::<BasicErrorResponse>(&body).is_ok(),
            _ => false,
        };
        if !speaks_oauth {
            return Err(OAuthError::unreadable(status, retry_after));
        }
        let mut response = HttpResponse::new(body.to_vec());
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Ok(response)
    }
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
