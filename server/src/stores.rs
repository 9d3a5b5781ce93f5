//! The stores in the data folder, opened in one order and by one process at a time.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use embedded::OpenError;
use embedded::keys::{MasterKey, MasterKeyError, OpenSecretsError, SealedSecrets};
use embedded::objects::{FileObjects, ObjectsConfig};
use embedded::queues::LocalQueues;
use embedded::table::SqliteTable;
use shared::host::{OsEntropy, SystemClock};
use shared::ports::{Events, Ports};

use crate::backup::Live;
use crate::config::{Config, Secret, variable};
use crate::folder::{self, DEAD_LETTERS, MASTER_KEY, OBJECTS, RESTORING, SECRETS, TABLE};
use crate::keys::KeyFiles;

/// A command that gives the master key has this long.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// Why the stores cannot be opened. Nothing has been started then.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// Another process has the folder.
    #[error("another crm-sync uses the data folder {}: stop it first", .0.display())]
    InUse(PathBuf),
    /// The folder cannot be used.
    #[error("the data folder {} cannot be used: give it to the user that runs crm-sync",
        .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The folder holds a part of a copy.
    #[error(
        "a restore into {} was cut off: remove everything in it but master.key, and restore again",
        .0.display()
    )]
    RestoreCutOff(PathBuf),
    /// There is data and no master key.
    #[error(
        "{} holds data, and its master key {} is missing: put the key back, or say in \
         [master_key] where it is", .0.display(), .1.display()
    )]
    KeyMissing(PathBuf, PathBuf),
    /// The environment has no master key.
    #[error("the environment variable {0}, which should hold the master key, is not set")]
    KeyVariable(String),
    /// The master key cannot be used.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The secrets do not open.
    #[error("the secrets do not open")]
    Secrets(#[from] OpenSecretsError),
    /// The table does not open.
    #[error("the table does not open")]
    Table(#[from] OpenError),
    /// The objects or the dead letters cannot be read.
    #[error("{} cannot be used", .0.display())]
    File(PathBuf, #[source] io::Error),
}

/// Everything in a data folder. The folder is this process's alone until it is dropped.
pub(crate) struct Stores {
    /// The table.
    pub table: SqliteTable,
    /// The queues.
    pub queues: LocalQueues,
    /// The objects.
    pub objects: FileObjects,
    /// The secrets.
    pub secrets: SealedSecrets,
    /// The file of the master key, if this start made it.
    pub new_key: Option<PathBuf>,
    _lock: File,
}

impl Stores {
    /// Opens the stores of `config`, and makes those that are not there. `public_base` is where
    /// uploads come.
    ///
    /// # Errors
    /// When another process has the folder, when the master key is missing or another one, or when
    /// a store is broken.
    pub(crate) async fn open(config: &Config, public_base: String) -> Result<Self, StoresError> {
        let data = &config.data;
        let unusable = |error| StoresError::Folder(data.clone(), error);
        folder::make(data)?;
        let lock = folder::lock(data)?;
        if data.join(RESTORING).exists() {
            return Err(StoresError::RestoreCutOff(data.clone()));
        }
        folder::close_to_others(data).and_then(|()| folder::sweep(data)).map_err(unusable)?;
        let (key, new_key) = master_key(config).await?;
        let entropy = Arc::new(OsEntropy);
        let secrets = SealedSecrets::open(&data.join(SECRETS), &key, entropy)?;
        let table = SqliteTable::open(&table_file(data))?;
        let objects = data.join(OBJECTS);
        let opened = FileObjects::open(ObjectsConfig {
            folder: objects.clone(),
            public_base,
            signing_key: key.derive("addresses of uploads"),
            most_upload: config.largest_upload,
            clock: Arc::new(SystemClock),
        });
        let objects = opened.map_err(|error| StoresError::File(objects, error))?;
        let dead = data.join(DEAD_LETTERS);
        let queues = LocalQueues::open(&dead).map_err(|error| StoresError::File(dead, error))?;
        Ok(Self { table, queues, objects, secrets, new_key, _lock: lock })
    }

    /// These stores, for whoever copies them.
    #[must_use]
    pub(crate) fn live(&self, data: &Path) -> Live {
        Live {
            data: data.to_owned(),
            table: self.table.clone(),
            queues: self.queues.clone(),
            objects: self.objects.clone(),
            secrets: self.secrets.clone(),
        }
    }

    /// The ports over these stores.
    #[must_use]
    pub(crate) fn ports(&self, events: Arc<dyn Events>) -> Ports {
        Ports {
            table: Arc::new(self.table.clone()),
            queues: Arc::new(self.queues.clone()),
            objects: Arc::new(self.objects.clone()),
            secrets: Arc::new(self.secrets.clone()),
            data_keys: Arc::new(self.secrets.data_keys()),
            events,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
        }
    }
}

/// The table's file in a data folder.
#[must_use]
pub(crate) fn table_file(data: &Path) -> PathBuf {
    data.join(TABLE)
}

/// The master key, and its file if it was made just now: only for a folder that holds nothing.
pub(crate) async fn master_key(
    config: &Config,
) -> Result<(MasterKey, Option<PathBuf>), StoresError> {
    let data = &config.data;
    let secrets = data.join(SECRETS);
    match &config.master_key {
        Some(Secret::File(path)) => Ok((KeyFiles::at(path.clone()).read(&secrets)?, None)),
        Some(Secret::Env(name)) => {
            let text = variable(name);
            let text = text.ok_or_else(|| StoresError::KeyVariable(name.clone()))?;
            Ok((MasterKey::from_text(&text)?, None))
        }
        Some(Secret::Command(words)) => {
            Ok((MasterKey::from_command(words, COMMAND_TIME).await?, None))
        }
        None => {
            let path = data.join(MASTER_KEY);
            if path.exists() {
                Ok((KeyFiles::at(path).read(&secrets)?, None))
            } else if folder::is_filled(data) {
                Err(StoresError::KeyMissing(data.clone(), path))
            } else {
                Ok((MasterKey::generate_file(&path, &OsEntropy)?, Some(path)))
            }
        }
    }
}
