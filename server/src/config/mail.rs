//! Who is mailed when a person is needed, and through which server.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lettre::Address;
use shared::kernel::{Occurrence, is_this_machine};
use strum::VariantNames;
use url::Host;

use super::Secret;
use super::read::{SECRET_FORM, secret};
use super::reader::Section;

/// The types of events that are mailed unless the file says otherwise: those that need a person.
pub(crate) const USUAL_EVENTS: [&str; 5] = [
    "crm-sync.connection.reconnect-required",
    "crm-sync.connection.lapsed",
    "crm-sync.connection.paused",
    "crm-sync.import.failed",
    "crm-sync.import.stalled",
];

/// Mails to those who run the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The mail server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is encrypted.
    pub tls: MailTls,
    /// A certificate authority trusted beside the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The login at the server; none where it asks for none.
    pub login: Option<MailLogin>,
    /// The sender.
    pub from: Address,
    /// The receivers: at least one.
    pub to: Vec<Address>,
    /// The types of events that are mailed.
    pub events: BTreeSet<&'static str>,
}

/// A login at the mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailLogin {
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

/// How the way to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// A plain connection that is encrypted before anything is said, or ends: port 587.
    Starttls,
    /// Encrypted from the start: port 465.
    Wrapped,
    /// Not at all: port 25. No password goes this way but to this machine.
    Off,
}

impl MailTls {
    fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Wrapped => 465,
            Self::Off => 25,
        }
    }
}

/// Reads `[mail]`; none when the file has no such section, or mistakes in it.
pub(super) fn mail(section: Section<'_>) -> Option<Mail> {
    let is_there = section.is_there();
    let tls = section.parsed("tls", "\"starttls\", \"tls\" or \"none\"", |text| match text {
        "starttls" => Some(MailTls::Starttls),
        "tls" => Some(MailTls::Wrapped),
        "none" => Some(MailTls::Off),
        _ => None,
    });
    let tls = tls.unwrap_or(MailTls::Starttls);
    let host = host(&section, is_there);
    let port = section.number("port", 1, u16::MAX.into()).and_then(|port| port.try_into().ok());
    let login = login(&section);
    if login.is_some() && tls == MailTls::Off && !host.as_ref().is_none_or(is_this_machine) {
        section
            .wrong("tls", "is \"none\", and a password would go unencrypted: write \"starttls\"");
    }
    let address = "an address, as in \"crm-sync@example.com\"";
    if is_there && !section.has("from") {
        section.wrong("from", format!("is missing: write {address}"));
    }
    let from = section.parsed("from", address, plain);
    let to = receivers(&section, is_there);
    let events = events(&section);
    let ca_file = section.path("ca_file");
    section.end();
    let host = host?.to_string();
    let port = port.unwrap_or(tls.port());
    Some(Mail { host, port, tls, ca_file, login, from: from?, to: to?, events: events? })
}

fn host(section: &Section<'_>, is_there: bool) -> Option<Host> {
    let name = "the mail server's name, as in \"smtp.example.com\"";
    if is_there && !section.has("host") {
        section.wrong("host", format!("is missing: write {name}"));
    }
    section.parsed("host", name, |text| Host::parse(text).ok())
}

fn login(section: &Section<'_>) -> Option<MailLogin> {
    let (user, password) = (section.text("user"), secret(section, "password"));
    match (section.has("user"), section.has("password")) {
        (true, false) => section.wrong("password", format!("is missing: write {SECRET_FORM}")),
        (false, true) => section.wrong("user", "is missing: write whose password it is"),
        _ => {}
    }
    Some(MailLogin { user: user?, password: password? })
}

/// An address as every mail server takes it.
fn plain(text: &str) -> Option<Address> {
    text.parse().ok().filter(|_| text.is_ascii())
}

fn receivers(section: &Section<'_>, is_there: bool) -> Option<Vec<Address>> {
    let addresses = "one address or more, as in [\"operators@example.com\"]";
    if is_there && !section.has("to") {
        section.wrong("to", format!("is missing: write {addresses}"));
    }
    let texts = section.texts("to", addresses)?;
    let to: Option<Vec<Address>> = texts.iter().map(|text| plain(text)).collect();
    let to = to.filter(|to| !to.is_empty());
    if to.is_none() {
        section.wrong("to", format!("write {addresses}"));
    }
    to
}

fn events(section: &Section<'_>) -> Option<BTreeSet<&'static str>> {
    let types = "types of docs/events.md, as in [\"crm-sync.import.failed\"]";
    if !section.has("events") {
        return Some(USUAL_EVENTS.into());
    }
    let texts = section.texts("events", types)?;
    let known = |text: &String| Occurrence::VARIANTS.iter().find(|known| *known == text).copied();
    let events = texts.iter().map(known).collect::<Option<BTreeSet<_>>>();
    let events = events.filter(|events| !events.is_empty());
    if events.is_none() {
        section.wrong("events", format!("write {types}"));
    }
    events
}
