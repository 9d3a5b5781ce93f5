//! Who hears what happens: the log always, and beside it what the configuration names.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use shared::host::SystemClock;
use shared::kernel::Event;
use shared::ports::{Clock, Events, PortError};
use url::Url;

use crate::config::{self, SecretError};

const ACTION: &str = "publish an event";

/// Who is called has this long.
const HOOK_TIME: Duration = Duration::from_secs(10);

/// How the key of signatures begins, in the way of Standard Webhooks.
const KEY_PREFIX: &str = "whsec_";

/// Why events cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum SinksError {
    /// The file cannot be written.
    #[error("events.file {} cannot be written", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The key of the signatures cannot be had.
    #[error("events.webhook.secret cannot be had")]
    Secret(#[from] SecretError),
    /// The key of the signatures is not in its form.
    #[error("events.webhook.secret is not base64, with {KEY_PREFIX} before it or without")]
    Key,
    /// No client can be made.
    #[error("the webhook cannot be called")]
    Client(#[from] reqwest::Error),
}

/// Everybody who hears what happens. An event that one of them did not hear is told to all again.
pub struct Sinks {
    stdout: bool,
    file: Option<Arc<Mutex<File>>>,
    hook: Option<Hook>,
}

impl Sinks {
    /// The sinks that the configuration names.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub async fn open(config: &config::Events) -> Result<Self, SinksError> {
        let open = |path: &PathBuf| {
            let file = append(path).map_err(|error| SinksError::File(path.clone(), error))?;
            Ok::<_, SinksError>(Arc::new(Mutex::new(file)))
        };
        let file = config.file.as_ref().map(open).transpose()?;
        let hook = match &config.webhook {
            Some(webhook) => Some(Hook::new(webhook.url.clone(), &webhook.secret.read().await?)?),
            None => None,
        };
        Ok(Self { stdout: config.stdout, file, hook })
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[async_trait]
impl Events for Sinks {
    async fn publish(&self, event: &Event) -> Result<(), PortError> {
        let told = event.to_cloud_event();
        tracing::info!(
            event.id = %event.id(),
            event.kind = told["type"].as_str(),
            connection.id = %event.scope,
            "it happened"
        );
        let line = format!("{told}\n");
        if self.stdout {
            let line = line.clone();
            blocking(move || io::stdout().lock().write_all(line.as_bytes())).await?;
        }
        if let Some(file) = self.file.clone() {
            blocking(move || {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(line.as_bytes())?;
                file.sync_data()
            })
            .await?;
        }
        match &self.hook {
            Some(hook) => hook.call(&told).await,
            None => Ok(()),
        }
    }
}

/// Writes away from the threads of async code.
async fn blocking(
    write: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), PortError> {
    let written = tokio::task::spawn_blocking(write).await;
    let written = written.map_err(|error| PortError::retry(ACTION, error))?;
    written.map_err(|error| PortError::retry(ACTION, error))
}

/// An address that is called with each event, signed in the way of Standard Webhooks.
struct Hook {
    client: Client,
    url: Url,
    key: hmac::Key,
}

/// The answer was no.
#[derive(Debug, thiserror::Error)]
#[error("the webhook answered {0}")]
struct Refused(StatusCode);

impl Hook {
    fn new(url: Url, secret: &SecretString) -> Result<Self, SinksError> {
        let text = secret.expose_secret();
        let text = text.strip_prefix(KEY_PREFIX).unwrap_or(text);
        let key = STANDARD.decode(text).map_err(|_| SinksError::Key)?;
        let client = Client::builder().timeout(HOOK_TIME).redirect(Policy::none()).build()?;
        Ok(Self { client, url, key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    async fn call(&self, event: &Value) -> Result<(), PortError> {
        let id = event["id"].as_str().unwrap_or_default();
        let time = SystemClock.now().as_second();
        let body = event.to_string();
        let tag = hmac::sign(&self.key, format!("{id}.{time}.{body}").as_bytes());
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(tag)))
            .body(body);
        // The error could quote the address, which may hold a word that is not for the log.
        let answer =
            request.send().await.map_err(|error| PortError::retry(ACTION, error.without_url()))?;
        let status = answer.status();
        let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        if status.is_success() {
            Ok(())
        } else if status.is_client_error() && !passing.contains(&status) {
            Err(PortError::reject(ACTION, Refused(status)))
        } else {
            Err(PortError::retry(ACTION, Refused(status)))
        }
    }
}
