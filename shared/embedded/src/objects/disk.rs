//! Files that are there whole or not at all, and stay: written aside, synced, renamed, synced.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use shared::ports::StoredObject;
use tempfile::{NamedTempFile, TempPath};

use super::path::{folder_of, part_of_file, part_of_folder, path_of};
use crate::private::{self, sync as sync_folder};

/// The folder of all objects, and beside it that of files that are being written.
#[derive(Debug)]
pub(super) struct Disk {
    stored: PathBuf,
    writing: PathBuf,
    /// Held while a folder is made and filled, or found empty and removed.
    folders: Mutex<()>,
}

/// Where the objects lie, in the folder of all objects.
pub(super) fn stored_in(folder: &Path) -> PathBuf {
    folder.join("stored")
}

impl Disk {
    /// The objects below `folder`. Whatever a crash left half-written is removed.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let (stored, writing) = (stored_in(folder), folder.join("writing"));
        private::folder(&stored)?;
        private::folder(&writing)?;
        sync_folder(folder)?;
        let disk = Self { stored, writing, folders: Mutex::default() };
        let swept = disk.sweep()?;
        if swept > 0 {
            tracing::info!(files.count = swept, "half-written objects of a crash were removed");
        }
        Ok(disk)
    }

    fn sweep(&self) -> io::Result<usize> {
        let left: Vec<PathBuf> =
            fs::read_dir(&self.writing)?.map(|e| Ok(e?.path())).collect::<io::Result<_>>()?;
        left.iter().try_for_each(fs::remove_file)?;
        Ok(left.len())
    }

    /// The folder in which objects lie as files.
    pub(super) fn stored(&self) -> &Path {
        &self.stored
    }

    /// The file of the object at this path below the folder.
    pub(super) fn file(&self, path: &Path) -> PathBuf {
        self.stored.join(path)
    }

    /// A new file aside; it is removed when it is dropped.
    pub(super) fn aside(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(&self.writing)
    }

    /// Writes a whole object.
    pub(super) fn put(&self, path: &Path, body: &[u8]) -> io::Result<()> {
        let mut aside = self.aside()?;
        aside.write_all(body)?;
        aside.as_file().sync_all()?;
        self.place(aside.into_temp_path(), path)
    }

    /// Moves a file that was written aside, and synced, to its place.
    pub(super) fn place(&self, aside: TempPath, path: &Path) -> io::Result<()> {
        let file = self.file(path);
        let folder = file.parent().unwrap_or(&self.stored);
        {
            let _filling = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
            make_folder(folder)?;
            aside.persist(&file).map_err(|error| error.error)?;
        }
        // Who deletes the object meanwhile may remove its folder too.
        or_gone(sync_folder(folder)).map(drop)
    }

    /// Deletes objects; the ones that are not there are passed over.
    pub(super) fn delete(&self, paths: &[PathBuf]) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        for path in paths {
            let file = self.file(path);
            if or_gone(fs::remove_file(&file))?.is_some() {
                folders.extend(file.parent().map(Path::to_owned));
            }
        }
        folders.iter().try_for_each(|folder| self.prune(folder))
    }

    /// Removes folders that became empty, upwards.
    fn prune(&self, emptied: &Path) -> io::Result<()> {
        let mut folder = emptied;
        {
            let _removing = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
            while folder != self.stored {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => break,
                    removed => or_gone(removed)?,
                };
                folder = folder.parent().unwrap_or(&self.stored);
            }
        }
        or_gone(sync_folder(folder)).map(drop)
    }

    /// Deletes the objects whose keys begin with `prefix` and that were put before `then`; says how
    /// many.
    pub(super) fn delete_before(&self, prefix: &str, then: SystemTime) -> io::Result<usize> {
        let mut old = Vec::new();
        for object in self.list(prefix)? {
            let path = path_of(&object.key).map_err(io::Error::other)?;
            let about = or_gone(fs::metadata(self.file(&path)))?;
            if about.is_some_and(|about| about.modified().is_ok_and(|put| put < then)) {
                old.push(path);
            }
        }
        self.delete(&old)?;
        Ok(old.len())
    }

    /// Every object whose key begins with `prefix`, in key order.
    pub(super) fn list(&self, prefix: &str) -> io::Result<Vec<StoredObject>> {
        let mut found = Vec::new();
        if let Some((folder, key)) = folder_of(prefix) {
            walk(&self.stored.join(folder), key, prefix, &mut found)?;
        }
        found.sort_unstable_by(|a: &StoredObject, b| a.key.cmp(&b.key));
        Ok(found)
    }
}

/// Links every file below `folder` to the same place below `to`, which is made; where the file
/// system knows no links, the files are copied.
pub(super) fn link_all(folder: &Path, to: &Path) -> io::Result<()> {
    private::folder(to)?;
    let Some(entries) = or_gone(fs::read_dir(folder))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            link_all(&from, &to)?;
        } else {
            or_gone(fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)))?;
        }
    }
    Ok(())
}

/// Adds what lies in a folder, whose keys begin with `at`.
fn walk(folder: &Path, at: &str, prefix: &str, found: &mut Vec<StoredObject>) -> io::Result<()> {
    let Some(entries) = or_gone(fs::read_dir(folder))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        let Some(kind) = or_gone(entry.file_type())? else { continue };
        if kind.is_dir() {
            let key = part_of_folder(&name).map(|part| format!("{at}{part}/"));
            if let Some(key) = key.filter(|key| may_hold(key, prefix)) {
                walk(&entry.path(), &key, prefix, found)?;
            }
        } else if kind.is_file() {
            let key = part_of_file(&name).map(|part| format!("{at}{part}"));
            if let Some(key) = key.filter(|key| key.starts_with(prefix))
                && let Some(about) = or_gone(entry.metadata())?
            {
                found.push(StoredObject { key, size: about.len() });
            }
        }
    }
    Ok(())
}

/// True if a key that begins with `folder` can begin with `prefix`.
fn may_hold(folder: &str, prefix: &str) -> bool {
    folder.starts_with(prefix) || prefix.starts_with(folder)
}

/// What was asked of a file; none when the file is gone.
pub(super) fn or_gone<T>(asked: io::Result<T>) -> io::Result<Option<T>> {
    match asked {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        asked => asked.map(Some),
    }
}

/// Makes a folder and those above it. Each is synced into the one above: a file that is synced into
/// a folder that a power cut takes away would be gone with it.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(above) = folder.parent() else { return Ok(()) };
    make_folder(above)?;
    private::new_folder(folder)?;
    sync_folder(above)
}
