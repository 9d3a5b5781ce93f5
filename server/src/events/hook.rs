//! An address that is called with each event, signed in the way of Standard Webhooks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use shared::host::SystemClock;
use shared::kernel::Event;
use shared::ports::{Clock, PortError};
use shared::salesforce::is_public;
use url::Url;

use super::rest::Rest;
use super::{ACTION, Sink, SinksError};
use crate::config::Webhook;

/// Who is called has this long.
const HOOK_TIME: Duration = Duration::from_secs(10);

/// How the key of signatures begins, in the way of Standard Webhooks.
pub(super) const KEY_PREFIX: &str = "whsec_";

/// The least bytes of a key, as Standard Webhooks has it.
pub(super) const LEAST_KEY: usize = 24;

/// The name that stands for this machine.
const LOOPBACK: &str = "localhost";

/// An address that is called.
pub(super) struct Hook {
    client: Client,
    url: Url,
    key: hmac::Key,
    rest: Rest,
}

/// The answer was no.
#[derive(Debug, thiserror::Error)]
#[error("the webhook answered {0}")]
struct Refused(StatusCode);

impl Hook {
    /// The address of the configuration, whose signatures have the key `secret`.
    ///
    /// # Errors
    /// When `secret` is no key.
    pub(super) fn new(webhook: &Webhook, secret: &SecretString) -> Result<Self, SinksError> {
        Self::within(HOOK_TIME, webhook, secret)
    }

    /// The same, which must answer within `time`.
    pub(super) fn within(
        time: Duration,
        webhook: &Webhook,
        secret: &SecretString,
    ) -> Result<Self, SinksError> {
        let text = secret.expose_secret();
        let text = text.strip_prefix(KEY_PREFIX).unwrap_or(text);
        let key = STANDARD.decode(text).ok().filter(|key| key.len() >= LEAST_KEY);
        let key = key.ok_or(SinksError::Key)?;
        let mut builder = Client::builder().timeout(time).redirect(Policy::none());
        let name = webhook.url.domain().unwrap_or_default();
        if !webhook.private && name != LOOPBACK {
            builder = builder.dns_resolver(Arc::new(PublicName(name.to_owned())));
        }
        let (client, url) = (builder.build()?, webhook.url.clone());
        Ok(Self {
            client,
            url,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            rest: Rest::default(),
        })
    }
}

/// What `webhook-signature` says of a call.
pub(super) fn signature(key: &hmac::Key, id: &str, time: i64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{time}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[async_trait]
impl Sink for Hook {
    async fn tell(&self, event: &Event, told: &Value) -> Result<(), PortError> {
        self.rest.check().map_err(|error| PortError::retry(ACTION, error))?;
        let id = event.id().to_string();
        let time = SystemClock.now().as_second();
        let body = told.to_string();
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", signature(&self.key, &id, time, &body))
            .body(body);
        let answer = request.send().await;
        self.rest.note(answer.is_ok());
        // The error could quote the address, which may hold a word that is not for the log.
        let answer = answer.map_err(|error| PortError::retry(ACTION, error.without_url()))?;
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

/// Resolves this name to public addresses only, at each connection, so that no name service can
/// turn the calls inward. Other names (a proxy's) are resolved as usual.
pub(super) struct PublicName(pub(super) String);

/// The name leads inward.
#[derive(Debug, thiserror::Error)]
#[error(
    "the webhook's name leads to no public address: events.webhook.private = true allows \
     others"
)]
struct NoPublicAddress;

impl Resolve for PublicName {
    fn resolve(&self, name: Name) -> Resolving {
        let is_guarded = name.as_str() == self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| !is_guarded || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
