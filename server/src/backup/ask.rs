//! `backup`: by the running process, or in a folder that no process has open.

use std::path::{Path, PathBuf};

use shared::ports::PortError;
use tokio::task::spawn_blocking;

use super::manifest::{About, Manifest};
use super::staging::{self, Place};
use super::{BackupError, copy};
use crate::control;
use crate::folder;

/// Writes a copy of the data folder `data` to a new folder at `to`. The master key is not part of
/// it. A process that works on the folder goes on.
///
/// # Errors
/// When the copy cannot be made: nothing is left of it then.
pub async fn backup(data: &Path, to: &Path) -> Result<Manifest, BackupError> {
    copy::refuse_existing(to)?;
    if !folder::is_filled(data) {
        return Err(BackupError::Nothing(data.to_owned()));
    }
    let Some(process) = control::reach(data).await? else {
        let _lock = folder::lock(data)?;
        let staged = staging::stage_at_rest(data)?;
        return copy::write(staged.path(), staged.about(), to);
    };
    // The process keeps what it staged for as long as this answer is not at its end.
    let mut answer = process.post("/backup", &()).await?;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let Some(piece) = answer.chunk().await.map_err(control::AskError::from)? else { break };
        line.extend_from_slice(&piece);
    }
    let Place { folder, about } = serde_json::from_slice(&line).map_err(BackupError::Answer)?;
    copy_from(data.join(folder), about, to.to_owned()).await
}

async fn copy_from(from: PathBuf, about: About, to: PathBuf) -> Result<Manifest, BackupError> {
    let copied = spawn_blocking(move || copy::write(&from, about, &to)).await;
    copied.map_err(|error| PortError::retry("copy the data", error))?
}
