//! The files of directory versions, as who matches holds them: fetched once, checked once.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use matching::{Shard, ShardError, Statistics, StatisticsError};

use crate::work::WorkError;

/// A file of a directory version, and what was found out about it. Files never change, so that what
/// holds once holds as long as the file is held.
pub struct DirectoryFile {
    bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
    checked: OnceLock<Result<(), ShardError>>,
    statistics: OnceLock<Result<Statistics, StatisticsError>>,
}

impl DirectoryFile {
    /// A file of these bytes.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let bytes = Box::new(bytes);
        Self { bytes, checked: OnceLock::new(), statistics: OnceLock::new() }
    }

    /// The file as a shard. The checksum of all its bytes is computed by the first call alone.
    pub fn shard(&self) -> Result<Shard<'_>, WorkError> {
        let bytes = self.bytes();
        self.checked
            .get_or_init(|| Shard::open(bytes).map(drop))
            .and_then(|()| Shard::open_verified(bytes))
            .map_err(|error| WorkError::retry("open a shard", error))
    }

    /// The file as the statistics of a version, which are read by the first call alone.
    pub fn statistics(&self) -> Result<&Statistics, WorkError> {
        self.statistics
            .get_or_init(|| Statistics::from_bytes(self.bytes()))
            .as_ref()
            .map_err(|error| WorkError::retry("read a version's statistics", *error))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }
}

/// A file at hand, and what it took to have it.
#[derive(Clone)]
pub struct HeldFile {
    /// The file.
    pub file: Arc<DirectoryFile>,
    /// Bytes that were fetched for this call; 0 when the file was held already.
    pub fetched: u64,
}

/// The files of directory versions: memory-mapped in a function's sandbox, in plain memory in
/// tests.
#[async_trait]
pub trait ShardFiles: Send + Sync {
    /// The file at the key of an object that never changes.
    async fn file(&self, key: &str) -> Result<HeldFile, WorkError>;

    /// Gives up a file that turned out to be damaged, so that the next call fetches it again.
    async fn forget(&self, key: &str);
}
