//! Objects as files below a folder.
//!
//! Invariant: *an object is there whole or not at all, and once a put has returned it outlives a
//! power cut.* A file is written aside, synced, renamed to its place, and its folder synced. One
//! process at a time uses a folder; who opens it holds the lock of the data folder.

mod disk;
mod path;
mod shards;
mod signed;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use shared::ports::{Clock, ObjectStore, PortError, StoredObject};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};
use zeroize::Zeroizing;

use disk::{Disk, link_all, or_gone};
pub use path::KeyError;
use path::path_of;
pub use shards::MappedObjects;
pub use signed::{AcceptError, GiveError};
use signed::{Signer, Signs};

/// How objects are kept, and how uploads come.
pub struct ObjectsConfig {
    /// The folder for objects alone; it is made when it is not there.
    pub folder: PathBuf,
    /// Where the server is reached from outside, such as `https://crm.example.com`.
    pub public_base: String,
    /// The key that signs the addresses of uploads and downloads.
    pub signing_key: Zeroizing<[u8; 32]>,
    /// The most bytes of one upload.
    pub most_upload: u64,
    /// Our own time.
    pub clock: Arc<dyn Clock>,
}

/// The port [`ObjectStore`] on a folder. Clones share it.
#[derive(Clone)]
pub struct FileObjects(Arc<Inner>);

struct Inner {
    disk: Disk,
    public_base: String,
    signer: Signer,
    most_upload: u64,
    clock: Arc<dyn Clock>,
    /// Shared by deletions; a backup has it alone.
    deletions: Arc<RwLock<()>>,
}

/// While this is held, no object is deleted: deletions wait.
#[must_use = "deletions go on as soon as it is dropped"]
pub struct PausedDeletions(#[expect(dead_code, reason = "held")] OwnedRwLockWriteGuard<()>);

/// Links the files of the objects below `folder`, which no process has open, to places below `to`,
/// as [`FileObjects::link_into`] does. `folder` is that of [`ObjectsConfig`].
pub fn link_objects(folder: &Path, to: &Path) -> io::Result<()> {
    link_all(&disk::stored_in(folder), to)
}

/// The range of a read is not within the object, or there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such object, or the range is not within it")]
struct NoRange;

impl FileObjects {
    /// Opens the folder. Whatever a crash left half-written is removed.
    ///
    /// # Errors
    /// The system's, if the folder cannot be made, read or written.
    pub fn open(config: ObjectsConfig) -> io::Result<Self> {
        Ok(Self(Arc::new(Inner {
            disk: Disk::open(&config.folder)?,
            public_base: config.public_base.trim_end_matches('/').to_owned(),
            signer: Signer::new(config.signing_key),
            most_upload: config.most_upload,
            clock: config.clock,
            deletions: Arc::default(),
        })))
    }

    /// The folder in which objects lie as files, for a backup that links them.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.0.disk.stored()
    }

    /// Lets deletions that are under way end, and later ones wait until the answer is dropped. A
    /// backup holds it from before it reads the table until it has linked the files: then every
    /// object that the table names is among them. A deletion that waits has not been confirmed to
    /// anyone, so that a crash leaves no object that somebody believes deleted.
    pub async fn pause_deletions(&self) -> PausedDeletions {
        PausedDeletions(self.0.deletions.clone().write_owned().await)
    }

    /// Links the files of all objects to places below `to`, which is made. The links stay what they
    /// are: an object that is put anew is another file. Blocks.
    pub fn link_into(&self, to: &Path) -> io::Result<()> {
        link_all(self.folder(), to)
    }

    /// Deletes the objects whose keys begin with `prefix` and that were put before `then`, whoever
    /// forgot them; says how many.
    ///
    /// # Errors
    /// The disk's.
    pub async fn delete_before(&self, prefix: &str, then: Timestamp) -> Result<usize, PortError> {
        let allowed = self.0.deletions.clone().read_owned().await;
        let (inner, prefix) = (self.0.clone(), prefix.to_owned());
        blocking("delete old objects", move || {
            let done = inner.disk.delete_before(&prefix, then.into());
            drop(allowed);
            done
        })
        .await
    }

    /// The file of an object's key.
    fn file(&self, key: &str, action: &'static str) -> Result<PathBuf, PortError> {
        let path = path_of(key).map_err(|error| PortError::reject(action, error))?;
        Ok(self.0.disk.file(&path))
    }
}

/// Every fault of a disk may pass: a full one is cleared, one that may not be written is handed
/// back. The work waits until then.
fn failed(action: &'static str, error: io::Error) -> PortError {
    PortError::retry(action, error)
}

/// Does what blocks away from the threads of async code.
async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, PortError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| PortError::retry(action, error))?.map_err(|error| failed(action, error))
}

/// The bytes of a range; none when the file does not have them all.
fn read_range(path: &Path, range: &Range<u64>) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = or_gone(File::open(path))? else { return Ok(None) };
    let length = range.end.checked_sub(range.start).and_then(|length| usize::try_from(length).ok());
    let Some(length) =
        length.filter(|_| range.end <= file.metadata().map_or(0, |about| about.len()))
    else {
        return Ok(None);
    };
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(Some(bytes))
}

#[async_trait]
impl ObjectStore for FileObjects {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), PortError> {
        let action = "put an object";
        let path = path_of(key).map_err(|error| PortError::reject(action, error))?;
        let inner = self.0.clone();
        blocking(action, move || inner.disk.put(&path, &body)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        let action = "get an object";
        let file = self.file(key, action)?;
        let body = blocking(action, move || or_gone(fs::read(file))).await?;
        Ok(body.map(Bytes::from))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, PortError> {
        let action = "get part of an object";
        let file = self.file(key, action)?;
        let bytes = blocking(action, move || read_range(&file, &range)).await?;
        bytes.map(Bytes::from).ok_or_else(|| PortError::reject(action, NoRange))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredObject>, PortError> {
        let (inner, prefix) = (self.0.clone(), prefix.to_owned());
        blocking("list objects", move || inner.disk.list(&prefix)).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), PortError> {
        let action = "delete objects";
        let paths: Vec<PathBuf> = keys
            .iter()
            .map(|key| path_of(key))
            .collect::<Result<_, _>>()
            .map_err(|error| PortError::reject(action, error))?;
        let allowed = self.0.deletions.clone().read_owned().await;
        let inner = self.0.clone();
        blocking(action, move || {
            let done = inner.disk.delete(&paths);
            // Held by the deletion itself: its caller may go away before it is done.
            drop(allowed);
            done
        })
        .await
    }

    async fn presign_put(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        path_of(key).map_err(|error| PortError::reject("presign a put", error))?;
        Ok(self.address(Signs::Put, key, valid))
    }

    async fn presign_get(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        path_of(key).map_err(|error| PortError::reject("presign a get", error))?;
        Ok(self.address(Signs::Get, key, valid))
    }
}
