//! The copy itself: written aside, summed up, synced, and given its name at the end.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use embedded::private::{self, parent, sync};

use super::manifest::{self, About, Entry, Manifest};
use super::{BackupError, at};

/// As much is read before it is written.
const PIECE: usize = 1 << 20;

/// Refuses a place where something is.
pub(super) fn refuse_existing(to: &Path) -> Result<(), BackupError> {
    match fs::symlink_metadata(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(to)(error)),
        Ok(_) => Err(BackupError::Exists(to.to_owned())),
    }
}

/// Copies every file below `from` to a new folder at `to`, which appears whole or not at all.
pub(super) fn write(from: &Path, about: About, to: &Path) -> Result<Manifest, BackupError> {
    refuse_existing(to)?;
    let beside = parent(to);
    let aside = private::passing_folder(beside, ".crm-sync-backup-").map_err(at(beside))?;
    let files = files_below(from).map_err(gone_or(from))?;
    let mut entries = Vec::with_capacity(files.len());
    for path in files {
        let source = from.join(&path);
        let target = aside.path().join(&path);
        private::folder(parent(&target)).map_err(at(&target))?;
        let (bytes, sum) = copy_file(&source, &target).map_err(gone_or(&source))?;
        let path = path.to_string_lossy().into_owned();
        entries.push(Entry { path, bytes, blake3: sum.to_string() });
    }
    let manifest = Manifest::of(about, entries);
    write_manifest(&manifest, aside.path()).map_err(at(aside.path()))?;
    sync_folders(aside.path()).map_err(at(aside.path()))?;
    refuse_existing(to)?;
    // From here on it is no longer aside.
    let aside = aside.keep();
    if let Err(error) = fs::rename(&aside, to) {
        drop(fs::remove_dir_all(&aside));
        return Err(at(to)(error));
    }
    sync(beside).map_err(at(beside))?;
    Ok(manifest)
}

/// A process that ends takes its staging folder along.
fn gone_or(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let failed = at(path);
    |error| match error.kind() {
        io::ErrorKind::NotFound => BackupError::Gone,
        _ => failed(error),
    }
}

fn write_manifest(manifest: &Manifest, folder: &Path) -> io::Result<()> {
    let mut file =
        private::options().write(true).create_new(true).open(folder.join(manifest::FILE))?;
    let mut text = serde_json::to_string_pretty(manifest)?;
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Copies a file to a new one of mode 0600, on the disk. Gives its size and its sum.
pub(super) fn copy_file(from: &Path, to: &Path) -> io::Result<(u64, blake3::Hash)> {
    let mut from = File::open(from)?;
    let mut to = private::options().write(true).create_new(true).open(to)?;
    let (mut hasher, mut bytes, mut piece) = (blake3::Hasher::new(), 0, vec![0; PIECE]);
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            to.sync_all()?;
            return Ok((bytes, hasher.finalize()));
        }
        hasher.update(&piece[..read]);
        to.write_all(&piece[..read])?;
        bytes += read as u64;
    }
}

/// The paths of all files below a folder, in their order.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fn walk(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(folder.join(below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                walk(folder, &path, found)?;
            } else {
                found.push(path);
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(folder, Path::new(""), &mut found)?;
    found.sort_unstable();
    Ok(found)
}

/// Puts the names of all folders and files below `folder` on the disk.
pub(super) fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync(folder)
}
