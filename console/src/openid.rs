//! Logging in at an issuer: OpenID Connect's code flow with PKCE.
//!
//! Nothing of a login is kept by the server while it goes on: state, nonce and verifier follow from
//! one secret, which the browser brings back in a cookie. So a login ends in the browser that began
//! it, and nowhere else.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::capabilities::seats::Role;
use shared::capabilities::sessions::Visitor;
use shared::kernel::{SeatId, TenantId, is_unread};
use shared::ports::{Clock, Entropy};
use tokio::sync::Mutex;
use url::Url;

use crate::guard::{Fields, same};

/// An issuer answers at once or is down.
const PATIENCE: Duration = Duration::from_secs(5);

/// No answer of an issuer has more bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// What an issuer says of itself is asked for again after this.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// How far the issuer's clock may be from ours, in seconds.
const LEEWAY: u64 = 60;

/// The algorithms of ID tokens that are taken: not `none`, and none under a shared key.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

/// What the issuer knows the console as.
#[derive(Debug, Clone)]
pub struct OpenIdClient {
    /// The issuer's address, which its tokens carry as `iss`. What it says of itself is below it,
    /// at `.well-known/openid-configuration`.
    pub issuer: Url,
    /// The client's id.
    pub client_id: String,
    /// The client's secret; none for a client that has none, since PKCE protects it as well.
    pub client_secret: Option<SecretString>,
}

/// Logins at an issuer.
pub struct OpenId {
    client: OpenIdClient,
    redirect: RedirectUrl,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// What the issuer said of itself, and when.
    described: Mutex<Option<(Timestamp, Description)>>,
}

/// Why a login does not come about. None tells what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenIdError {
    /// This browser began none, or too long ago.
    #[error("the browser brought no login that it began")]
    NotBegun,
    /// The issuer sent the browser back without a login.
    #[error("the issuer sent the browser back without a login")]
    Refused,
    /// The person has no rights here.
    #[error("the person's token names no rights that hold here")]
    NoRights,
    /// The issuer does not answer, or not as it should.
    #[error("the issuer cannot be used: {0}")]
    Issuer(&'static str),
}

/// What an issuer says of itself, as far as it is used.
#[derive(Debug, Clone, Deserialize)]
struct Description {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
}

/// What comes beside an access token, which nobody needs.
#[derive(Serialize, Deserialize)]
struct WithIdToken {
    id_token: String,
}

impl ExtraTokenFields for WithIdToken {}

impl fmt::Debug for WithIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithIdToken")
    }
}

type Tokens = StandardTokenResponse<WithIdToken, BasicTokenType>;

type OAuth2Client = oauth2::Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What an ID token says: who it is, in the words of the API's own tokens.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    nonce: Option<String>,
    /// For whom the token was made, where its audience has several.
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    tenant: Option<TenantId>,
    #[serde(default)]
    seat: Option<SeatId>,
    #[serde(default)]
    roles: BTreeSet<Role>,
}

impl OpenId {
    /// Logins of `client`; `public_base` is where browsers reach the console's host, without a
    /// slash at its end. Browsers come back to `/console/login/callback` there.
    ///
    /// # Errors
    /// When the address is none, or no client for HTTP can be made.
    pub fn new(
        client: OpenIdClient,
        public_base: &str,
        http: reqwest::ClientBuilder,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let redirect = RedirectUrl::new(format!("{public_base}/console/login/callback"))?;
        // An issuer is asked where it says, and nowhere that it points to.
        let http = http.redirect(Policy::none()).timeout(PATIENCE).build()?;
        Ok(Self { client, redirect, http, clock, entropy, described: Mutex::default() })
    }

    /// Begins a login: the secret for the browser's cookie, and where to send the browser.
    pub(crate) async fn begin(&self) -> Result<(String, Url), OpenIdError> {
        let mut bytes = [0; 32];
        self.entropy.fill(&mut bytes);
        let secret = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let login = Login::of(&secret);
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(login.verifier));
        let oauth2 = self.oauth2(self.description().await?);
        let asked = oauth2
            .authorize_url(|| CsrfToken::new(login.state))
            .set_redirect_uri(Cow::Borrowed(&self.redirect))
            .set_pkce_challenge(challenge)
            .add_scope(Scope::new("openid".to_owned()))
            .add_extra_param("nonce", login.nonce);
        Ok((secret, asked.url().0))
    }

    /// Ends a login: whom the issuer vouches for. `secret` is what [`OpenId::begin`] gave this
    /// browser, and `answer` what it came back with.
    pub(crate) async fn finish(
        &self,
        secret: &str,
        answer: &Fields,
    ) -> Result<Visitor, OpenIdError> {
        let login = Login::of(secret);
        let once = |name: &str| {
            let mut values = answer.all(name);
            values.next().filter(|_| values.next().is_none())
        };
        if !once("state").is_some_and(|state| same(state, &login.state)) {
            return Err(OpenIdError::NotBegun);
        }
        let description = self.description().await?;
        // RFC 9207: another issuer's answer is not taken to this one.
        if answer.all("iss").any(|issuer| issuer != description.issuer) {
            return Err(OpenIdError::NotBegun);
        }
        let code = once("code").ok_or(OpenIdError::Refused)?.to_owned();
        let tokens = self
            .oauth2(description.clone())
            .exchange_code(AuthorizationCode::new(code))
            .set_redirect_uri(Cow::Borrowed(&self.redirect))
            .set_pkce_verifier(PkceCodeVerifier::new(login.verifier))
            .request_async(&TokenEndpoint(&self.http))
            .await
            // The error may hold parts of a token: it ends here.
            .map_err(|_| OpenIdError::Issuer("it exchanges no code for an ID token"))?;
        let keys = self.get::<JwkSet>(&description.jwks_uri).await?;
        let token = &tokens.extra_fields().id_token;
        let claims = self.verified(token, &description.issuer, &keys)?;
        if !claims.nonce.is_some_and(|nonce| same(&nonce, &login.nonce)) {
            return Err(OpenIdError::Issuer("its ID token is another login's"));
        }
        if claims.roles.is_empty() {
            return Err(OpenIdError::NoRights);
        }
        let Claims { sub: subject, tenant, seat, roles, .. } = claims;
        Ok(Visitor { tenant, subject, roles, seat })
    }

    fn verified(&self, token: &str, issuer: &str, keys: &JwkSet) -> Result<Claims, OpenIdError> {
        let wrong = || OpenIdError::Issuer("its ID token does not hold");
        let header = decode_header(token).map_err(|_| wrong())?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(wrong());
        }
        let key = header.kid.as_deref().and_then(|kid| keys.find(kid)).ok_or_else(wrong)?;
        let key = DecodingKey::from_jwk(key).map_err(|_| wrong())?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[&self.client.client_id]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = LEEWAY;
        let claims: Claims = decode(token, &key, &validation).map_err(|_| wrong())?.claims;
        if claims.azp.as_ref().is_some_and(|party| *party != self.client.client_id) {
            return Err(wrong());
        }
        Ok(claims)
    }

    /// What the issuer says of itself: the same for some minutes.
    async fn description(&self) -> Result<Description, OpenIdError> {
        let now = self.clock.now();
        let mut described = self.described.lock().await;
        if let Some((at, description)) = described.as_ref()
            && now.duration_since(*at) < FRESH
        {
            return Ok(description.clone());
        }
        let issuer = self.client.issuer.as_str();
        let mut address = self.client.issuer.clone();
        let path = address.path().trim_end_matches('/').to_owned();
        address.set_path(&format!("{path}/.well-known/openid-configuration"));
        let description: Description = self.get(&address).await?;
        // One that names another issuer could have people logged in who are the other's.
        if description.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(OpenIdError::Issuer("it says that it is another one"));
        }
        let Description { authorization_endpoint, token_endpoint, jwks_uri, .. } = &description;
        if [authorization_endpoint, token_endpoint, jwks_uri].iter().any(|url| !is_unread(url)) {
            return Err(OpenIdError::Issuer("an address of it is not https"));
        }
        *described = Some((now, description.clone()));
        Ok(description)
    }

    fn oauth2(&self, description: Description) -> OAuth2Client {
        let client = oauth2::Client::new(ClientId::new(self.client.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(description.authorization_endpoint))
            .set_token_uri(TokenUrl::from_url(description.token_endpoint));
        match &self.client.client_secret {
            Some(secret) => {
                client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
            }
            None => client.set_auth_type(AuthType::RequestBody),
        }
    }

    async fn get<T: DeserializeOwned>(&self, address: &Url) -> Result<T, OpenIdError> {
        let answer = self.http.get(address.clone()).send().await;
        let answer = answer.map_err(|_| OpenIdError::Issuer("it does not answer"))?;
        if !answer.status().is_success() {
            return Err(OpenIdError::Issuer("it answers with an error, or points elsewhere"));
        }
        let body = bounded(answer).await?;
        serde_json::from_slice(&body)
            .map_err(|_| OpenIdError::Issuer("its answer is not what it should be"))
    }
}

/// The `oauth2` crate's way out.
struct TokenEndpoint<'a>(&'a reqwest::Client);

impl<'c> AsyncHttpClient<'c> for TokenEndpoint<'_> {
    type Error = OpenIdError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OpenIdError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request)
                .map_err(|_| OpenIdError::Issuer("it cannot be asked"))?;
            let answer = self.0.execute(request).await;
            let answer = answer.map_err(|_| OpenIdError::Issuer("it does not answer"))?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut response = HttpResponse::new(bounded(answer).await?);
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            Ok(response)
        })
    }
}

/// What follows from the secret of one login.
struct Login {
    state: String,
    nonce: String,
    verifier: String,
}

impl Login {
    fn of(secret: &str) -> Self {
        let of = |purpose: &str| {
            let mut hasher = blake3::Hasher::new_derive_key(purpose);
            hasher.update(secret.as_bytes());
            BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize().as_bytes())
        };
        Self {
            state: of("crm-sync console login state"),
            nonce: of("crm-sync console login nonce"),
            verifier: of("crm-sync console login verifier"),
        }
    }
}

/// An answer's body, if it is not too large.
async fn bounded(mut answer: reqwest::Response) -> Result<Vec<u8>, OpenIdError> {
    let mut body = Vec::new();
    let breaks_off = |_| OpenIdError::Issuer("its answer breaks off");
    while let Some(chunk) = answer.chunk().await.map_err(breaks_off)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(OpenIdError::Issuer("its answer is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
