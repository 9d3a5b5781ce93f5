//! `keys rotate`: a new master key, while the process works or in a folder that no process has.
//!
//! Invariant: *whenever a kill comes, the key that opens the secrets lies beside the others.* The
//! new key is on the disk as `master.key.next` before anything is sealed under it, and takes the
//! place of the old one only after everything is. A start that finds both takes the one that opens
//! the secrets, and ends what was cut off.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use embedded::keys::{KeyId, MasterKey, MasterKeyError, OpenSecretsError, Rotation, SealedSecrets};
use embedded::private;
use serde::{Deserialize, Serialize};
use shared::host::OsEntropy;

use crate::config::{Config, Secret};
use crate::control::{self, AskError};
use crate::folder::{self, MASTER_KEY, SECRETS};
use crate::stores::{self, StoresError};

/// Why the key is not rotated. Everything opens under the key before, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// There is nothing that a key opens.
    #[error("{} holds no secrets yet", .0.display())]
    Nothing(PathBuf),
    /// Only the operator can change the place that the key comes from.
    #[error(
        "the master key comes from {0}, where crm-sync cannot put another: name a file for the \
         new key with --new-key-file, and give that key from there afterwards"
    )]
    NotOurs(&'static str),
    /// The running process does not do it.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The process answered something else.
    #[error("crm-sync serve answered what this version of crm-sync does not understand")]
    Answer(#[source] reqwest::Error),
    /// The folder or its key cannot be had.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// A key's file cannot be used.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The secrets cannot be sealed anew.
    #[error("the secrets cannot be sealed under the new key")]
    Secrets(#[from] OpenSecretsError),
    /// The new key cannot be put in its place.
    #[error(
        "everything is sealed under the new master key in {}, and it cannot be put in its place: \
         the next start tries again", .0.display()
    )]
    Place(PathBuf, #[source] io::Error),
}

/// The request of the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The file of the new key, if the operator puts the key in its place.
    pub new_key_file: Option<PathBuf>,
}

/// A rotation that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// The id of the key before.
    pub from: String,
    /// The id of the key that opens everything now.
    pub to: String,
    /// Counts the versions of secrets that were sealed anew; none when an earlier rotation did it.
    pub secrets: usize,
    /// The file of the new key.
    pub file: PathBuf,
    /// Where the key before is kept; none when the operator puts the new one in its place.
    pub kept: Option<PathBuf>,
}

/// Seals everything that `config`'s data folder keeps under a new master key. The running process
/// does it, if one runs, and goes on under the new key.
///
/// With `new_key_file` the new key is the one in that file, which is made if it is not there, and
/// the operator puts it where `config` looks for it.
///
/// # Errors
/// When it cannot be done. What was begun is ended by the next rotation or the next start.
pub async fn rotate(
    config: &Config,
    new_key_file: Option<PathBuf>,
) -> Result<Rotated, RotateError> {
    let asked = Asked { new_key_file };
    if let Some(process) = control::reach(&config.data).await? {
        let answer = process.post("/keys/rotate", &asked).await?;
        return answer.json().await.map_err(RotateError::Answer);
    }
    if !config.data.join(SECRETS).exists() {
        return Err(RotateError::Nothing(config.data.clone()));
    }
    let _lock = folder::lock(&config.data)?;
    let (key, _) = stores::master_key(config).await?;
    let secrets = SealedSecrets::open(&config.data.join(SECRETS), &key, Arc::new(OsEntropy))?;
    rotate_open(config, &secrets, asked).await
}

/// Rotates secrets that are open.
pub(crate) async fn rotate_open(
    config: &Config,
    secrets: &SealedSecrets,
    Asked { new_key_file }: Asked,
) -> Result<Rotated, RotateError> {
    let own = KeyFiles::of(config);
    let file = match (&new_key_file, &own) {
        (Some(file), _) => file.clone(),
        (None, Ok(own)) => own.next(),
        (None, Err(place)) => return Err(RotateError::NotOurs(place)),
    };
    let new = read_or_make(&file)?;
    let (rotation, old) = secrets.rotate_open(new.clone()).await?;
    let secrets = match rotation {
        Rotation::Done { secrets } => secrets,
        Rotation::Before => 0,
    };
    let (file, kept) = match (new_key_file, own) {
        (None, Ok(own)) => {
            let kept = own.promote().map_err(|error| RotateError::Place(file, error))?;
            (own.current, Some(kept))
        }
        _ => (file, None),
    };
    Ok(Rotated { from: old.to_string(), to: new.id().to_string(), secrets, file, kept })
}

/// The key in a file; a new one if there is no file.
fn read_or_make(file: &Path) -> Result<MasterKey, MasterKeyError> {
    match MasterKey::from_file(file) {
        Err(MasterKeyError::NoFile { .. }) => MasterKey::generate_file(file, &OsEntropy),
        read => read,
    }
}

/// The file of the master key, with those beside it.
pub(crate) struct KeyFiles {
    current: PathBuf,
}

impl KeyFiles {
    /// Those at `path`.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { current: path }
    }

    /// Those of a configuration; what the key comes from when it is no file.
    fn of(config: &Config) -> Result<Self, &'static str> {
        match &config.master_key {
            None => Ok(Self::at(config.data.join(MASTER_KEY))),
            Some(Secret::File(path)) => Ok(Self::at(path.clone())),
            Some(Secret::Env(_)) => Err("the environment"),
            Some(Secret::Command(_)) => Err("a command"),
        }
    }

    /// Where the new key lies until everything is sealed under it.
    fn next(&self) -> PathBuf {
        self.current.with_added_extension("next")
    }

    /// The key that opens the secrets in `secrets`: the one in the file, or the one that a rotation
    /// which was cut off put beside it. That rotation is ended then.
    pub(crate) fn read(&self, secrets: &Path) -> Result<MasterKey, StoresError> {
        let key = MasterKey::from_file(&self.current)?;
        let next = self.next();
        if !next.exists() || !secrets.exists() {
            return Ok(key);
        }
        let successor = MasterKey::from_file(&next)?;
        if SealedSecrets::sealed_under(secrets)? != Some(successor.id()) {
            tracing::warn!("a rotation of the master key was cut off before it changed anything");
            return Ok(key);
        }
        // While its place cannot be written, each start finds it here again.
        match self.promote() {
            Ok(_) => tracing::info!("a rotation of the master key was cut off, and is ended now"),
            Err(error) => tracing::error!(
                error = %error,
                "{} holds the master key now, and cannot be put in its place", next.display()
            ),
        }
        Ok(successor)
    }

    /// Keeps the key before under its id, and puts the new one in its place.
    fn promote(&self) -> io::Result<PathBuf> {
        let before = MasterKey::from_file(&self.current).map_err(io::Error::other)?;
        let kept = self.kept(before.id());
        match fs::hard_link(&self.current, &kept) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        fs::rename(self.next(), &self.current)?;
        private::sync(private::parent(&self.current))?;
        Ok(kept)
    }

    /// Where the key with this id is kept once another has its place.
    fn kept(&self, id: KeyId) -> PathBuf {
        self.current.with_added_extension(id.to_string())
    }
}

#[cfg(test)]
mod tests;
