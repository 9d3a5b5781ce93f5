//! The master key, and the three ways in which an operator gives it.

use std::fmt;
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use shared::ports::Entropy;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::private::{parent, sync};

/// No text of a key is longer, in bytes; the rest is not read.
const LONGEST_TEXT: u64 = 1_024;

/// The bits that let others than the owner read, write or run a file.
const OTHERS: u32 = 0o077;

/// What tells one master key from another, and tells nothing else about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(super) [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The operator's 256-bit key, above all others.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

/// Why there is no master key. No text here repeats any of it.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// There is no such file.
    #[error("there is no master key at {}", .path.display())]
    NoFile {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Something is there already, which is never overwritten.
    #[error("{} exists and is not overwritten", .path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// Others than the owner may use the file.
    #[error(
        "others than its owner may use the master key (mode {mode:04o}): chmod 600 '{}'",
        .path.display()
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file belongs to another user than the one that this process runs as.
    #[error(
        "the master key belongs to user {owner}, and the process is user {user}: \
         chown {user} '{}'",
        .path.display()
    )]
    Owner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose process this is.
        user: u32,
    },
    /// It is a folder or a device.
    #[error("{} is no file", .path.display())]
    NoRegularFile {
        /// Its path.
        path: PathBuf,
    },
    /// It could not be read or written.
    #[error("the master key at {} cannot be used", .path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// There is no text.
    #[error("the master key is empty")]
    Empty,
    /// It is not a text of 32 bytes.
    #[error("the master key is not 32 bytes as base64 (44 characters) or hex (64 characters)")]
    Text,
    /// There is no command to run.
    #[error("the command for the master key is empty")]
    NoCommand,
    /// The command could not be run.
    #[error("the command for the master key cannot be run")]
    Command(#[source] io::Error),
    /// The command failed. It may have written a secret to its standard error: that is not shown.
    #[error("the command for the master key failed: {0}; run it by hand to see why")]
    Failed(std::process::ExitStatus),
    /// The command did not end in time.
    #[error("the command for the master key did not end within {} s", .0.as_secs())]
    Slow(Duration),
}

impl MasterKey {
    /// The key of a text: 32 bytes as base64, of either alphabet and with or without padding, or as
    /// hex. White space around it is passed over. An environment variable's value comes this way.
    pub fn from_text(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(MasterKeyError::Empty);
        }
        let bytes = Zeroizing::new(of_hex(text).or_else(|| of_base64(text)).unwrap_or_default());
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return Err(MasterKeyError::Text);
        }
        key.copy_from_slice(&bytes);
        Ok(Self(key))
    }

    /// The key in a file that only its owner, who is the user of this process, may use.
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        let fault = |source| MasterKeyError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => MasterKeyError::NoFile { path: path.to_owned() },
            _ => fault(error),
        })?;
        let about = file.metadata().map_err(fault)?;
        if !about.is_file() {
            return Err(MasterKeyError::NoRegularFile { path: path.to_owned() });
        }
        let (owner, user) = (about.uid(), rustix::process::geteuid().as_raw());
        if owner != user {
            return Err(MasterKeyError::Owner { path: path.to_owned(), owner, user });
        }
        let mode = about.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(MasterKeyError::Mode { path: path.to_owned(), mode });
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(buffer_size()));
        file.take(LONGEST_TEXT).read_to_end(&mut bytes).map_err(fault)?;
        Self::from_bytes(&bytes)
    }

    /// The key that a command writes to its standard output, as a vault's does. `command` is the
    /// program and its arguments; no shell reads them. It has no input, is killed after `limit`,
    /// and what it writes to its standard error is not kept.
    pub async fn from_command(command: &[String], limit: Duration) -> Result<Self, MasterKeyError> {
        let (program, arguments) = command.split_first().ok_or(MasterKeyError::NoCommand)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(MasterKeyError::Command)?;
        let written = child.stdout.take();
        let run = async {
            let mut bytes = Zeroizing::new(Vec::with_capacity(buffer_size()));
            if let Some(written) = written {
                written.take(LONGEST_TEXT).read_to_end(&mut bytes).await?;
            }
            Ok((child.wait().await?, bytes))
        };
        let ended = tokio::time::timeout(limit, run).await;
        let ended = ended.map_err(|_| MasterKeyError::Slow(limit))?;
        let (status, bytes) = ended.map_err(MasterKeyError::Command)?;
        if !status.success() {
            return Err(MasterKeyError::Failed(status));
        }
        Self::from_bytes(&bytes)
    }

    /// Makes a new key and its file, of mode 0600, which appears whole or not at all. A file that
    /// is there is never overwritten.
    pub fn generate_file(path: &Path, entropy: &dyn Entropy) -> Result<Self, MasterKeyError> {
        let key = Self::generate(entropy);
        key.write(parent(path), path).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => MasterKeyError::Exists { path: path.to_owned() },
            _ => MasterKeyError::File { path: path.to_owned(), source },
        })?;
        Ok(key)
    }

    fn write(&self, folder: &Path, path: &Path) -> io::Result<()> {
        let mut aside = tempfile::NamedTempFile::new_in(folder)?;
        aside.as_file().set_permissions(Permissions::from_mode(0o600))?;
        let mut text = Zeroizing::new(base64::prelude::BASE64_STANDARD.encode(*self.0));
        text.push('\n');
        aside.write_all(text.as_bytes())?;
        aside.as_file().sync_all()?;
        aside.persist_noclobber(path).map_err(|error| error.error)?;
        sync(folder)
    }

    /// Makes a new key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key);
        Self(key)
    }

    /// The key for one purpose. Nobody who has it can tell the master key or another purpose's.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key("crm-sync master key, by purpose");
        hasher.update(purpose.as_bytes()).update(&*self.0);
        Zeroizing::new(*hasher.finalize().as_bytes())
    }

    /// What tells this key from others.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(self.derive("id").first_chunk().copied().unwrap_or_default())
    }

    /// The key itself, to be kept sealed under its successor.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of these 32 bytes.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        Some(Self(Zeroizing::new(*bytes)))
    }

    fn from_bytes(text: &[u8]) -> Result<Self, MasterKeyError> {
        Self::from_text(str::from_utf8(text).map_err(|_| MasterKeyError::Text)?)
    }
}

/// Enough for the whole text, so that no copy of it is left behind where a buffer grew.
fn buffer_size() -> usize {
    usize::try_from(LONGEST_TEXT).unwrap_or_default() + 32
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn of_base64(text: &str) -> Option<Vec<u8>> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabets = [&STANDARD, &URL_SAFE].into_iter();
    let mut engines = alphabets.map(|alphabet| GeneralPurpose::new(alphabet, config));
    engines.find_map(|engine| engine.decode(text).ok())
}
