//! Who hears what happens: the log always, and beside it what the configuration names.

mod hook;
mod lines;
mod mail;
mod rest;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::future::join_all;
use serde_json::Value;
use shared::host::SystemClock;
use shared::kernel::{Event, EventId};
use shared::ports::{Events, PortError};

use self::hook::Hook;
use self::lines::{EventFile, EventStream};
use self::mail::Mailer;
use crate::config::{self, SecretError};

/// What failed, in the errors of all sinks.
const ACTION: &str = "publish an event";

/// So many events are remembered that some of the sinks heard and others did not. Beyond them all
/// are forgotten: those events are told to everybody again.
const MOST_HALF_TOLD: usize = 10_000;

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
    #[error(
        "events.webhook.secret is not base64 of {} bytes or more, with {} before it or without",
        hook::LEAST_KEY,
        hook::KEY_PREFIX
    )]
    Key,
    /// No client can be made.
    #[error("the webhook cannot be called")]
    Client(#[from] reqwest::Error),
    /// The password of the mail server cannot be had.
    #[error("mail.password cannot be had")]
    MailPassword(#[source] SecretError),
    /// The certificate authority of the mail server cannot be used.
    #[error("mail.ca_file {} cannot be used", .0.display())]
    MailAuthority(PathBuf, #[source] io::Error),
    /// Nobody is there to be mailed.
    #[error("mail.to names nobody")]
    MailReceivers,
    /// The mail server cannot be called by TLS.
    #[error("the mail server cannot be called")]
    MailTls(#[source] lettre::transport::smtp::Error),
}

/// Somebody who hears what happens.
#[async_trait]
trait Sink: Send + Sync {
    /// Tells `event`, which is `told` in the JSON format of CloudEvents.
    async fn tell(&self, event: &Event, told: &Value) -> Result<(), PortError>;
}

/// Everybody who hears what happens. All are told side by side. An event that one of them did not
/// hear fails, and is told to that one again when it comes again; after a start of the process, to
/// all of them.
pub struct Sinks {
    sinks: Vec<Box<dyn Sink>>,
    /// Of the events that failed, the sinks that heard them, by their places.
    heard: Mutex<HashMap<EventId, BTreeSet<usize>>>,
}

impl Sinks {
    /// The sinks that the configuration names.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub async fn open(
        config: &config::Events,
        mail: Option<&config::Mail>,
    ) -> Result<Self, SinksError> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if config.stdout {
            sinks.push(Box::new(EventStream::new(io::stdout())));
        }
        if let Some(path) = &config.file {
            let file = EventFile::open(path.clone());
            sinks.push(Box::new(file.map_err(|error| SinksError::File(path.clone(), error))?));
        }
        if let Some(webhook) = &config.webhook {
            sinks.push(Box::new(Hook::new(webhook, &webhook.secret.read().await?)?));
        }
        if let Some(mail) = mail {
            sinks.push(Box::new(Mailer::open(mail, Arc::new(SystemClock)).await?));
        }
        Ok(Self::of(sinks))
    }

    fn of(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self { sinks, heard: Mutex::default() }
    }

    fn heard(&self) -> MutexGuard<'_, HashMap<EventId, BTreeSet<usize>>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Events for Sinks {
    async fn publish(&self, event: &Event) -> Result<(), PortError> {
        let told = event.to_cloud_event();
        let id = event.id();
        tracing::info!(
            event.id = %id,
            event.kind = event.occurrence.name(),
            connection.id = %event.scope,
            "it happened"
        );
        let mut heard = self.heard().get(&id).cloned().unwrap_or_default();
        let waiting = (0..self.sinks.len()).filter(|place| !heard.contains(place));
        let told = &told;
        let answers = waiting.map(async |place| (place, self.sinks[place].tell(event, told).await));
        let mut failed = None;
        for (place, answer) in join_all(answers).await {
            match answer {
                Ok(()) => drop(heard.insert(place)),
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        let mut half_told = self.heard();
        half_told.remove(&id);
        let Some(error) = failed else { return Ok(()) };
        if half_told.len() >= MOST_HALF_TOLD {
            half_told.clear();
        }
        half_told.insert(id, heard);
        Err(error)
    }
}
