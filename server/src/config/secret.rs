//! Where a secret comes from: never from the configuration itself.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::process::Command;

/// A command that gives a secret has this long.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// A file that nobody but its owner can read.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// What a command prints.
    Command(Vec<String>),
}

/// A secret cannot be had. It never repeats a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the file {} cannot be read", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// Others could read the file.
    #[error("others can read the file {path}: run `chmod 600 {path}`", path = .0.display())]
    Mode(PathBuf),
    /// There is no such variable, or it is no text.
    #[error("the environment variable {0} is not set")]
    Env(String),
    /// The command cannot be run.
    #[error("the command {0} cannot be run")]
    Command(String, #[source] std::io::Error),
    /// The command failed, took too long, or printed no text.
    #[error("the command {0} gave no secret within {time} s", time = COMMAND_TIME.as_secs())]
    NoSecret(String),
    /// There is nothing in it.
    #[error("the secret is empty")]
    Empty,
}

impl Secret {
    /// The secret's value, without the end of its line.
    ///
    /// # Errors
    /// When it cannot be had, or is empty.
    pub async fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::File(path) => read_file(path)?,
            Self::Env(name) => variable(name).ok_or_else(|| SecretError::Env(name.clone()))?,
            Self::Command(words) => run(words).await?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err(SecretError::Empty) } else { Ok(SecretString::from(text)) }
    }
}

/// An environment variable of this process; none when it is not set or is no text.
#[expect(clippy::disallowed_methods, reason = "the configuration names the variable of a secret")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    let failed = |error| SecretError::File(path.to_owned(), error);
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SecretError::Mode(path.to_owned()));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// What the command prints. Its errors are not shown: they could quote the secret.
async fn run(words: &[String]) -> Result<String, SecretError> {
    let (program, arguments) = words.split_first().ok_or(SecretError::Empty)?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let none = || SecretError::NoSecret(program.clone());
    let output = tokio::time::timeout(COMMAND_TIME, output).await.map_err(|_| none())?;
    let output = output.map_err(|error| SecretError::Command(program.clone(), error))?;
    if !output.status.success() {
        return Err(none());
    }
    String::from_utf8(output.stdout).map_err(|_| none())
}
