//! Mails by SMTP to those who run the process, when a person is needed.

#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::response::Code;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::kernel::{Environment, Event, TenantId};
use shared::ports::{Clock, PortError};

use super::rest::Rest;
use super::{ACTION, Sink, SinksError};
use crate::config::{Mail, MailTls};

/// The mail server has this long for all of a mail: less than a message of the queue has.
const MAIL_TIME: Duration = Duration::from_secs(20);

/// For so long one mail stands for all events of a type at a connection.
const COALESCED: SignedDuration = SignedDuration::from_hours(1);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// A type of events at a connection.
type Kind = (TenantId, Environment, &'static str);

/// Mails the operators.
pub(super) struct Mailer {
    transport: Transport,
    envelope: Envelope,
    from: Address,
    to: Vec<Address>,
    events: BTreeSet<&'static str>,
    clock: Arc<dyn Clock>,
    time: Duration,
    rest: Rest,
    /// When a mail told of such events last.
    mailed: Mutex<HashMap<Kind, Timestamp>>,
}

/// Why a mail was not sent. The server's own words stay out of it: they could name a receiver.
#[derive(Debug, thiserror::Error)]
enum MailError {
    #[error("the mail server answered {0}")]
    Answered(Code),
    #[error("the mail server did not take the mail in time")]
    Late,
    #[error("the mail server cannot be used")]
    Unreachable(#[source] lettre::transport::smtp::Error),
}

impl Mailer {
    /// A mailer for the configuration's server.
    ///
    /// # Errors
    /// When the password or the certificate authority cannot be had.
    pub(super) async fn open(mail: &Mail, clock: Arc<dyn Clock>) -> Result<Self, SinksError> {
        Self::within(MAIL_TIME, mail, clock).await
    }

    /// The same, whose server must take a mail within `time`.
    async fn within(
        time: Duration,
        mail: &Mail,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SinksError> {
        let mut transport = Transport::builder_dangerous(&mail.host)
            .port(mail.port)
            .tls(tls(mail)?)
            .timeout(Some(time));
        if let Some(login) = &mail.login {
            let password = login.password.read().await.map_err(SinksError::MailPassword)?;
            let password = password.expose_secret().to_owned();
            transport = transport.credentials(Credentials::new(login.user.clone(), password));
        }
        let envelope = Envelope::new(Some(mail.from.clone()), mail.to.clone());
        Ok(Self {
            transport: transport.build(),
            envelope: envelope.map_err(|_| SinksError::MailReceivers)?,
            from: mail.from.clone(),
            to: mail.to.clone(),
            events: mail.events.clone(),
            clock,
            time,
            rest: Rest::default(),
            mailed: Mutex::default(),
        })
    }

    fn mailed(&self) -> MutexGuard<'_, HashMap<Kind, Timestamp>> {
        self.mailed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the one mail of the hour for `kind`; none if it was taken.
    fn take(&self, kind: Kind) -> Option<Taken<'_>> {
        let now = self.clock.now();
        let mut mailed = self.mailed();
        mailed.retain(|_, at| now.duration_since(*at) < COALESCED);
        if mailed.contains_key(&kind) {
            return None;
        }
        mailed.insert(kind, now);
        Some(Taken { mailer: self, kind, is_sent: false })
    }

    async fn send(&self, mail: &str) -> Result<(), PortError> {
        let sending = self.transport.send_raw(&self.envelope, mail.as_bytes());
        let sent = tokio::time::timeout(self.time, sending).await;
        let error = match sent {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(match error.status() {
                Some(code) => MailError::Answered(code),
                None => MailError::Unreachable(error),
            }),
            Err(_) => Some(MailError::Late),
        };
        self.rest.note(!matches!(error, Some(MailError::Late | MailError::Unreachable(_))));
        match error {
            None => Ok(()),
            Some(MailError::Answered(code)) if is_final(code) => {
                Err(PortError::reject(ACTION, MailError::Answered(code)))
            }
            Some(error) => Err(PortError::retry(ACTION, error)),
        }
    }

    /// The mail for `event`, as RFC 5322 has it: all of it is ASCII.
    fn message(&self, event: &Event) -> Result<String, PortError> {
        let (subject, text) = words::mail(event);
        let (from, id) = (&self.from, event.id());
        let to: Vec<&str> = self.to.iter().map(AsRef::as_ref).collect();
        let to = to.join(",\n ");
        let now = self.clock.now().to_zoned(TimeZone::UTC);
        let date = rfc2822::to_string(&now).map_err(|error| PortError::reject(ACTION, error))?;
        // A mail that is sent twice is one to a receiver that knows its id.
        let mail = format!(
            "From: {from}\n\
             To: {to}\n\
             Subject: {subject}\n\
             Date: {date}\n\
             Message-ID: <{id}@{domain}>\n\
             Auto-Submitted: auto-generated\n\
             MIME-Version: 1.0\n\
             Content-Type: text/plain; charset=us-ascii\n\
             \n\
             {text}",
            domain = from.domain()
        );
        Ok(mail.replace('\n', "\r\n"))
    }
}

#[async_trait]
impl Sink for Mailer {
    async fn tell(&self, event: &Event, _: &Value) -> Result<(), PortError> {
        let name = event.occurrence.name();
        if !self.events.contains(name) {
            return Ok(());
        }
        let Some(mut taken) = self.take((event.scope.tenant, event.scope.environment, name)) else {
            tracing::debug!(event.kind = name, "a mail told of such an event within the hour");
            return Ok(());
        };
        self.rest.check().map_err(|error| PortError::retry(ACTION, error))?;
        self.send(&self.message(event)?).await?;
        taken.is_sent = true;
        Ok(())
    }
}

/// The one mail of the hour, given back if it was not sent.
struct Taken<'a> {
    mailer: &'a Mailer,
    kind: Kind,
    is_sent: bool,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.is_sent {
            self.mailer.mailed().remove(&self.kind);
        }
    }
}

fn tls(mail: &Mail) -> Result<Tls, SinksError> {
    if mail.tls == MailTls::Off {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(mail.host.clone());
    if let Some(path) = &mail.ca_file {
        let failed = |error| SinksError::MailAuthority(path.clone(), error);
        let pem = fs::read(path).map_err(failed)?;
        let authority = Certificate::from_pem(&pem).map_err(std::io::Error::other);
        parameters = parameters.add_root_certificate(authority.map_err(failed)?);
    }
    let parameters = parameters.build().map_err(SinksError::MailTls)?;
    Ok(if mail.tls == MailTls::Wrapped {
        Tls::Wrapper(parameters)
    } else {
        Tls::Required(parameters)
    })
}

/// True of an answer that stays the same: a mistake of the configuration, as a rule.
fn is_final(code: Code) -> bool {
    u16::from(code) >= 500
}
