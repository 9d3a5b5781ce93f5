//! A copy of everything in the data folder, taken while the process works, and put back.
//!
//! Invariant: *a copy holds what a kill at one moment would have left, and objects that nobody
//! names yet.* The table and the secrets are of the same moment. The objects are linked after it,
//! and nobody deletes one meanwhile: an object lies there before the table names it, so that every
//! object that the table names is among them. Whatever starts from a kill starts from a copy.
//!
//! The process holds the folder, and gathers what belongs together in a staging folder there. The
//! command copies from it to wherever the command's user may write, and adds the sum of every file.

mod ask;
mod copy;
mod manifest;
mod restore;
mod staging;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use embedded::StoreFault;
use embedded::keys::OpenSecretsError;
use shared::ports::PortError;

pub use ask::backup;
pub use manifest::{Manifest, ManifestError};
pub use restore::{RestoreError, restore};
pub(crate) use staging::Live;

use crate::control::AskError;
use crate::stores::StoresError;

/// Why there is no copy. Nothing is left of it then.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("{} holds no data of crm-sync", .0.display())]
    Nothing(PathBuf),
    /// A copy never replaces anything.
    #[error("{} exists and is not overwritten: name a place where nothing is", .0.display())]
    Exists(PathBuf),
    /// The running process does not give its data.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The folder is not this process's.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// The process's staging folder is gone.
    #[error("crm-sync serve ended while its data was copied: try again")]
    Gone,
    /// The process answered something else.
    #[error("crm-sync serve answered what this version of crm-sync does not understand")]
    Answer(#[source] serde_json::Error),
    /// The table cannot be read.
    #[error("the table cannot be copied")]
    Table(#[from] StoreFault),
    /// The secrets cannot be read.
    #[error("the secrets cannot be copied")]
    Secrets(#[from] OpenSecretsError),
    /// A store failed.
    #[error("the data cannot be copied")]
    Port(#[from] PortError),
    /// A file cannot be read or written.
    #[error("{} cannot be copied", .0.display())]
    File(PathBuf, #[source] io::Error),
}

/// Names the path at which the system's error came.
fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    |error| BackupError::File(path, error)
}
