//! `restore`: a copy becomes a data folder again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use embedded::private::{self, parent, sync};

use super::copy::{copy_file, sync_folders};
use super::manifest::{Manifest, ManifestError};
use crate::folder::{self, DEAD_LETTERS, MASTER_KEY, OBJECTS, RESTORING, SECRETS, TABLE};
use crate::stores::StoresError;

/// May lie in a folder into which a copy is restored: the key of its owner, what a new file system
/// has, and what an attempt before left.
const HARMLESS: [&str; 3] = [MASTER_KEY, "lost+found", "lock"];

/// Why a copy is not restored. The folder is as it was then.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Something is in the folder.
    #[error("{} is not empty: name a new folder, or an empty one", .0.display())]
    NotEmpty(PathBuf),
    /// An earlier restore was cut off.
    #[error(
        "a restore into {} was cut off: remove everything in it but master.key, and restore again",
        .0.display()
    )]
    CutOff(PathBuf),
    /// The folder cannot be had.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// A file of the copy is not what was copied.
    #[error("{} is damaged or missing: take another copy", .0.display())]
    Damaged(PathBuf),
    /// A file cannot be read or written.
    #[error("{} cannot be restored", .0.display())]
    File(PathBuf, #[source] io::Error),
}

/// Makes the data folder `data` of the copy in `from`. A process that starts meanwhile is refused.
///
/// # Errors
/// When the copy is damaged or of a later form, or the folder holds something.
pub fn restore(from: &Path, data: &Path) -> Result<Manifest, RestoreError> {
    let manifest = Manifest::read(from)?;
    let is_new = !data.exists();
    folder::make(data)?;
    refuse_filled(data)?;
    let lock = folder::lock(data)?;
    // Another restore may have had the folder a moment ago.
    refuse_filled(data)?;
    let restored = fill(from, data, &manifest);
    if restored.is_err() {
        empty(data);
        if is_new {
            drop(fs::remove_dir_all(data));
        }
    }
    drop(lock);
    restored.map(|()| manifest)
}

fn refuse_filled(data: &Path) -> Result<(), RestoreError> {
    let failed = |error| RestoreError::File(data.to_owned(), error);
    if data.join(RESTORING).exists() {
        return Err(RestoreError::CutOff(data.to_owned()));
    }
    for entry in fs::read_dir(data).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !HARMLESS.iter().any(|harmless| name == *harmless) {
            return Err(RestoreError::NotEmpty(data.to_owned()));
        }
    }
    Ok(())
}

/// Fills the folder. While the mark lies in it, no process starts on it.
fn fill(from: &Path, data: &Path, manifest: &Manifest) -> Result<(), RestoreError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |error| RestoreError::File(path, error)
    };
    let mark = data.join(RESTORING);
    private::file(&mark).map_err(failed(&mark))?;
    sync(data).map_err(failed(data))?;
    for entry in &manifest.files {
        let (source, target) = (from.join(&entry.path), data.join(&entry.path));
        let folder = parent(&target);
        private::folder(folder).map_err(failed(folder))?;
        let (bytes, sum) = copy_file(&source, &target).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => RestoreError::Damaged(source.clone()),
            _ => RestoreError::File(source.clone(), error),
        })?;
        if (bytes, sum.to_string()) != (entry.bytes, entry.blake3.clone()) {
            return Err(RestoreError::Damaged(source));
        }
    }
    let objects = data.join(OBJECTS);
    if objects.exists() {
        sync_folders(&objects).map_err(failed(&objects))?;
    }
    sync(data).map_err(failed(data))?;
    fs::remove_file(&mark).map_err(failed(&mark))?;
    sync(data).map_err(failed(data))
}

/// Takes out what a restore put into a folder that held nothing of it.
fn empty(data: &Path) {
    for name in [TABLE, SECRETS, DEAD_LETTERS] {
        drop(fs::remove_file(data.join(name)));
    }
    drop(fs::remove_dir_all(data.join(OBJECTS)));
    drop(fs::remove_file(data.join(RESTORING)));
}
