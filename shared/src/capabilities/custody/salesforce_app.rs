//! Our app at Salesforce: its credentials, its callback, the clients.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::capabilities::custody::ttl_cache::TtlCache;
use crate::kernel::Environment;
use crate::ports::{PortError, Ports};
use crate::salesforce::{
    ApiVersion, AppCredentials, AuthorizationRequest, Client, Http, LoginHost, OAuthClient,
    OAuthError,
};
use crate::work::{WorkError, boxed};

/// The app's secret.
#[derive(Deserialize)]
struct AppSecret {
    client_id: String,
    client_secret: SecretString,
}

/// What is known of the app.
#[derive(Clone)]
enum Known {
    /// All that is in the secret of this id.
    Secret(String),
    /// Its consumer key, which every address of a login page shows.
    ClientId(String),
}

/// Our app at Salesforce.
#[derive(Clone)]
pub struct SalesforceApp {
    ports: Ports,
    http: Http,
    client: Arc<Client>,
    known: Known,
    credentials: TtlCache<(), AppCredentials>,
    public_base: Url,
    browser_base: Option<Url>,
}

impl SalesforceApp {
    /// The app whose credentials are in the secret `secret_id`, and whose callback is below
    /// `public_base`. `browser_base` replaces the login host in the address that a person's browser
    /// is sent to: the simulator's, on one machine only.
    #[must_use]
    pub fn new(
        ports: Ports,
        http: Http,
        version: ApiVersion,
        secret_id: String,
        public_base: Url,
        browser_base: Option<Url>,
    ) -> Self {
        let client = Arc::new(Client::new(http.clone(), version));
        let credentials = TtlCache::default();
        let known = Known::Secret(secret_id);
        Self { ports, http, client, known, credentials, public_base, browser_base }
    }

    /// The same app for who begins authorizations or revokes tokens and no more: its secret is not
    /// read.
    #[must_use]
    pub fn knowing_only(self, client_id: String) -> Self {
        Self { known: Known::ClientId(client_id), ..self }
    }

    /// The address below which browsers find the product.
    #[must_use]
    pub fn public_base(&self) -> &Url {
        &self.public_base
    }

    /// The address of the page at which a person authorizes.
    #[must_use]
    #[boxed]
    pub async fn authorize_url(
        &self,
        host: &LoginHost,
        request: &AuthorizationRequest<'_>,
    ) -> Result<Url, WorkError> {
        let oauth = match &self.known {
            Known::Secret(_) => self.oauth().await?,
            Known::ClientId(client_id) => self.without_secret(client_id),
        };
        Ok(self.for_browser(oauth.authorize_url(host, request)))
    }

    /// Revokes a token: whoever has a token may end it, without the app's secret.
    #[must_use]
    #[boxed]
    pub async fn revoke(&self, host: &LoginHost, token: &SecretString) -> Result<bool, OAuthError> {
        self.without_secret("").revoke(host, token).await
    }

    fn without_secret(&self, client_id: &str) -> OAuthClient {
        let (client_id, client_secret) = (client_id.to_owned(), String::new().into());
        OAuthClient::new(self.http.clone(), AppCredentials { client_id, client_secret })
    }

    /// The client for an org's data.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client for OAuth. The app's credentials are those of some time in the last five minutes.
    #[must_use]
    #[boxed]
    pub async fn oauth(&self) -> Result<OAuthClient, WorkError> {
        let credentials = match self.credentials.get(&(), self.ports.clock.now()) {
            Some(credentials) => credentials,
            None => self.read_credentials().await?,
        };
        Ok(OAuthClient::new(self.http.clone(), credentials))
    }

    /// True if `error` only says that the app's credentials were replaced since `used` got them. A
    /// new client may have another answer. Salesforce refuses a client before it looks at the token
    /// or code, so neither is used up.
    #[must_use]
    #[boxed]
    pub async fn is_outdated(
        &self,
        used: &OAuthClient,
        error: &OAuthError,
    ) -> Result<bool, WorkError> {
        Ok(error.refuses_the_client() && !used.shows(&self.read_credentials().await?))
    }

    async fn read_credentials(&self) -> Result<AppCredentials, WorkError> {
        let now = self.ports.clock.now();
        let Known::Secret(secret_id) = &self.known else {
            let told = "this function knows the app's consumer key alone";
            return Err(WorkError::reject("read the app's credentials", told));
        };
        let Some((_, text)) = self.ports.secrets.newest(secret_id).await? else {
            // An operator stores it after the first deployment. Until then, work waits.
            return Err(WorkError::pause("read the app's credentials", "the secret is missing"));
        };
        // serde_json's error could quote the value.
        let secret: AppSecret = serde_json::from_str(text.expose_secret()).map_err(|_| {
            let form = "the secret is not {\"client_id\": …, \"client_secret\": …}";
            PortError::reject("read the app's credentials", form)
        })?;
        let credentials =
            AppCredentials { client_id: secret.client_id, client_secret: secret.client_secret };
        self.credentials.insert((), credentials.clone(), now);
        Ok(credentials)
    }

    /// The address to which Salesforce sends the browser back. Each environment has its own, so
    /// that the answer of one issuer cannot be taken for another's.
    pub fn redirect_uri(&self, environment: Environment) -> Result<Url, WorkError> {
        let mut url = self.public_base.clone();
        let path = format!("{}/oauth/callback/{environment}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(url)
    }

    /// The address for a person's browser: the login host's own, or the simulator's on one machine.
    #[must_use]
    fn for_browser(&self, authorize: Url) -> Url {
        let Some(base) = &self.browser_base else { return authorize };
        let mut url = base.clone();
        url.set_path(authorize.path());
        url.set_query(authorize.query());
        url
    }
}
