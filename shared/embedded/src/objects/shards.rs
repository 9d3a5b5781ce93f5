//! The files of directory versions, mapped where they lie: nothing is fetched or copied.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use mapped_file::MappedFile;
use shared::capabilities::directory::{DirectoryFile, HeldFile, ShardFiles};
use shared::work::WorkError;

use super::disk::or_gone;
use super::path::path_of;
use super::{FileObjects, blocking};

const ACTION: &str = "fetch a directory file";

/// The object of a file is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such object")]
struct Missing;

/// The port [`ShardFiles`] on the object folder. An object is replaced by another file, so that a
/// mapped one never changes. Files stay mapped, because their checksums are computed once for each
/// mapping.
pub struct MappedObjects {
    objects: FileObjects,
    held: Mutex<HashMap<PathBuf, Held>>,
}

struct Held {
    identity: Identity,
    file: Arc<DirectoryFile>,
}

/// Tells a file from another one that took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    inode: u64,
    size: u64,
}

/// The file that is at `path` now; none when there is none.
fn identity(path: &Path) -> io::Result<Option<Identity>> {
    let about = or_gone(std::fs::metadata(path))?;
    Ok(about.map(|about| Identity { inode: about.ino(), size: about.size() }))
}

fn map(path: &Path) -> io::Result<Option<Held>> {
    let Some(file) = or_gone(File::open(path))? else { return Ok(None) };
    let about = file.metadata()?;
    let identity = Identity { inode: about.ino(), size: about.size() };
    let file = Arc::new(DirectoryFile::new(MappedFile::of(&file)?));
    Ok(Some(Held { identity, file }))
}

impl MappedObjects {
    /// The files among these objects.
    #[must_use]
    pub fn new(objects: FileObjects) -> Self {
        Self { objects, held: Mutex::default() }
    }

    /// Gives back the files that nobody reads.
    pub fn rest(&self) {
        self.held().retain(|_, held| Arc::strong_count(&held.file) > 1);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<PathBuf, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.objects.0.disk.file(&path_of(key).ok()?))
    }
}

#[async_trait]
impl ShardFiles for MappedObjects {
    async fn file(&self, key: &str) -> Result<HeldFile, WorkError> {
        let missing = || WorkError::reject(ACTION, Missing);
        let path = self.path(key).ok_or_else(missing)?;
        let known = self.held().get(&path).map(|held| (held.identity, held.file.clone()));
        let at = path.clone();
        let now = blocking(ACTION, move || identity(&at)).await?;
        if let Some((identity, file)) = known
            && now == Some(identity)
        {
            return Ok(HeldFile { file, fetched: 0 });
        }
        let at = path.clone();
        let mapped = blocking(ACTION, move || map(&at)).await?;
        let mut held = self.held();
        // The space of a deleted file is free only once nobody has it mapped.
        held.retain(|path, held| identity(path).is_ok_and(|now| now == Some(held.identity)));
        let mapped = mapped.ok_or_else(missing)?;
        let file = match held.get(&path) {
            // Another message mapped it meanwhile.
            Some(known) if known.identity == mapped.identity => known.file.clone(),
            _ => held.entry(path).insert_entry(mapped).get().file.clone(),
        };
        Ok(HeldFile { file, fetched: 0 })
    }

    async fn forget(&self, key: &str) {
        if let Some(path) = self.path(key) {
            self.held().remove(&path);
        }
    }
}
