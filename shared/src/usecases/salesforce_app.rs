//! Our app at Salesforce: its credentials, its callback, the clients.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::domain::Environment;
use crate::ports::{PortError, Ports};
use crate::salesforce::{ApiVersion, AppCredentials, Client, Http, OAuthClient};
use crate::work::WorkError;

/// What the app's secret holds.
#[derive(Deserialize)]
struct AppSecret {
    client_id: String,
    client_secret: SecretString,
}

/// Our app at Salesforce.
#[derive(Clone)]
pub struct SalesforceApp {
    ports: Ports,
    http: Http,
    client: Arc<Client>,
    secret_id: String,
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
        Self { ports, http, client, secret_id, public_base, browser_base }
    }

    /// The client for an org's data.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client for OAuth, with the app's credentials as they are now.
    pub async fn oauth(&self) -> Result<OAuthClient, WorkError> {
        let Some((_, text)) = self.ports.secrets.newest(&self.secret_id).await? else {
            return Err(WorkError::reject("read the app's credentials", "the secret is missing"));
        };
        // serde_json's error could quote the value.
        let secret: AppSecret = serde_json::from_str(text.expose_secret()).map_err(|_| {
            let form = "the secret is not {\"client_id\": …, \"client_secret\": …}";
            PortError::reject("read the app's credentials", form)
        })?;
        let credentials =
            AppCredentials { client_id: secret.client_id, client_secret: secret.client_secret };
        Ok(OAuthClient::new(self.http.clone(), credentials))
    }

    /// Where Salesforce sends the browser back to; one address per environment, so that an answer
    /// cannot be taken for another issuer's (security checklist 4).
    pub fn redirect_uri(&self, environment: Environment) -> Result<Url, WorkError> {
        let mut url = self.public_base.clone();
        let path = format!("{}/oauth/callback/{environment}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(url)
    }

    /// The address for a person's browser: the login host's own, or the simulator's on one machine.
    #[must_use]
    pub fn for_browser(&self, authorize: Url) -> Url {
        let Some(base) = &self.browser_base else { return authorize };
        let mut url = base.clone();
        url.set_path(authorize.path());
        url.set_query(authorize.query());
        url
    }
}
