//! The configuration: one TOML file, read whole before anything starts.

mod mail;
mod read;
mod reader;
mod secret;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shared::capabilities::connecting::NetworkAccess;
use shared::kernel::Queue;
use shared::salesforce::ApiVersion;
use tracing_subscriber::filter::{LevelFilter, Targets};
use url::Url;

#[cfg(test)]
pub(crate) use mail::USUAL_EVENTS;
pub use mail::{Mail, MailLogin, MailTls};
pub use reader::Mistake;
pub(crate) use secret::variable;
pub use secret::{Secret, SecretError};

/// Everything that the process needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The address that is listened on.
    pub listen: SocketAddr,
    /// The address at which browsers and callers see the server; that which is listened on when
    /// none is given.
    pub public_base: Option<Url>,
    /// Where somebody writes who found a weakness; nothing is served of it when none is given.
    pub security_contact: Option<Url>,
    /// The certificate and key, when the server itself speaks TLS.
    pub tls: Option<Tls>,
    /// The folder of everything that is kept.
    pub data: PathBuf,
    /// Where the master key comes from; the file `master.key` in the data folder when none is
    /// given.
    pub master_key: Option<Secret>,
    /// Our app at Salesforce.
    pub salesforce: Salesforce,
    /// Whose tokens the API takes.
    pub callers: Callers,
    /// Where people log in to the console; by links alone when it is not said.
    pub console: Option<ConsoleLogin>,
    /// Who hears what happens.
    pub events: Events,
    /// Who is mailed when a person is needed; nobody when it is not said.
    pub mail: Option<Mail>,
    /// How the log is written.
    pub log: Log,
    /// How many messages of a queue are worked on at once, where it is not the default.
    pub workers: BTreeMap<Queue, u32>,
    /// The most bytes of one uploaded file.
    pub largest_upload: u64,
    /// How long a purge waits for those who still work; the product's own time when none is given.
    pub purge_grace: Option<Duration>,
    /// The product's name in the subjects of tasks and notes.
    pub product_name: String,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The chain in PEM, the server's own certificate first.
    pub cert: PathBuf,
    /// The key in PEM.
    pub key: PathBuf,
}

/// Our app at Salesforce.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Salesforce {
    /// The app's consumer key and secret; without them no org can be connected.
    pub app: Option<App>,
    /// The version of the API that is called.
    pub api_version: ApiVersion,
    /// Certificate authorities trusted beside the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Replaces the login host in the address that a browser is sent to: the simulator's.
    pub browser_base: Option<Url>,
    /// The addresses from which the process calls, for orgs that let in listed ones only.
    pub network_access: Option<NetworkAccess>,
}

/// The app's consumer key and secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The consumer key.
    pub client_id: String,
    /// The consumer secret.
    pub client_secret: Secret,
}

/// Whose tokens the API takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callers {
    /// The process's own, as `crm-sync token` makes them.
    BuiltIn,
    /// An issuer's.
    Issuer {
        /// Who must have issued a token.
        issuer: String,
        /// For whom it must be.
        audience: String,
        /// The issuer's key set.
        jwks_url: Url,
    },
}

/// The OpenID Connect issuer at which people log in to the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLogin {
    /// The issuer's address.
    pub issuer: Url,
    /// What the issuer knows the console as.
    pub client_id: String,
    /// The client's secret, if it has one.
    pub client_secret: Option<Secret>,
}

/// Who hears what happens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Events {
    /// Standard output, a line each.
    pub stdout: bool,
    /// A file, a line each.
    pub file: Option<PathBuf>,
    /// An address that is called.
    pub webhook: Option<Webhook>,
}

/// An address that is called with each event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The address.
    pub url: Url,
    /// The key of the signatures.
    pub secret: Secret,
    /// Whether the address may be in a private network.
    pub private: bool,
}

/// How the log is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// JSON lines in place of lines for people.
    pub json: bool,
    /// What is told, as in `info,shared=debug`.
    pub filter: Targets,
}

impl Default for Log {
    fn default() -> Self {
        Self { json: false, filter: Targets::new().with_default(LevelFilter::INFO) }
    }
}

/// The configuration cannot be used: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, in the order of the file.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be used:", self.file.display())?;
        self.mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

/// What the command line says in place of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The data folder.
    pub data: Option<PathBuf>,
    /// The address that is listened on.
    pub listen: Option<SocketAddr>,
}

impl Config {
    /// Reads `file`; without one, the defaults.
    ///
    /// # Errors
    /// Every mistake of the file at once.
    pub fn read(file: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        let path = file.unwrap_or(Path::new("the command line"));
        let failed = |mistakes| ConfigError { file: path.to_owned(), mistakes };
        let text = file.map(std::fs::read_to_string).transpose().map_err(|error| {
            let instead = format!("the file cannot be read: {error}");
            failed(vec![Mistake { line: None, key: String::new(), instead }])
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text.unwrap_or_default(), folder, overrides).map_err(failed)
    }

    /// The configuration that `text` says; its relative paths begin at `folder`.
    ///
    /// # Errors
    /// Every mistake of the text at once.
    pub fn parse(text: &str, folder: &Path, overrides: Overrides) -> Result<Self, Vec<Mistake>> {
        read::config(text, folder, overrides)
    }

    /// How many messages of `queue` are worked on at once.
    #[must_use]
    pub fn workers_of(&self, queue: Queue) -> u32 {
        self.workers.get(&queue).copied().unwrap_or(crate::pace::Pace::of(queue).workers)
    }
}
