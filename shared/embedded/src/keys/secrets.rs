//! Secrets in a file, each version sealed under the master key for its name and version.
//!
//! Invariant: *what was destroyed is in no file of the database once the call has returned.* Freed
//! pages are overwritten, and the write-ahead log is emptied.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use secrecy::{ExposeSecret, SecretString};
use shared::ports::{Entropy, PortError, Secrets, VersionId};
use shared::seal::{SealError, Sealer};
use zeroize::Zeroizing;

use super::{KeyId, LocalDataKeys, MasterKey};
use crate::private;

/// Names by their versions, and the master keys: which one is current, by a text sealed under it,
/// and the ones before it, sealed under it.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS secrets (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        sealed BLOB NOT NULL,
        UNIQUE (name, version)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS master_key (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id BLOB NOT NULL,
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS retired_keys (id BLOB PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
";

/// One process at a time, and every commit on the disk before it is told.
const PRAGMAS: &str = "
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
";

/// A process that stops may still close the file when its folder is another's already.
const PATIENCE: Duration = Duration::from_secs(1);

const CHECK: &str = "check";

/// Why the secrets cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenSecretsError {
    /// Another process has them open.
    #[error("another process uses the secrets")]
    InUse,
    /// They were sealed under another master key.
    #[error("the secrets are sealed under the master key {sealed_under}, and {given} was given")]
    WrongKey {
        /// The key that opens them.
        sealed_under: KeyId,
        /// The key that was given.
        given: KeyId,
    },
    /// The file is damaged, or none of ours.
    #[error("the file of secrets is damaged or holds something else: restore it from a backup")]
    Damaged,
    /// The database failed.
    #[error("the file of secrets cannot be used")]
    Database(#[source] rusqlite::Error),
    /// The work was cut off.
    #[error("the work on the secrets was cut off")]
    Ended(#[source] tokio::task::JoinError),
    /// Something could not be sealed.
    #[error("a secret cannot be sealed")]
    Seal(#[source] SealError),
}

impl From<rusqlite::Error> for OpenSecretsError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            _ => Self::Database(error),
        }
    }
}

/// Opens the database of secrets.
pub(super) fn open_database(path: &Path) -> Result<Connection, OpenSecretsError> {
    // SQLite tells in its own words what is wrong with the file.
    drop(private::file(path));
    let database = Connection::open(path)?;
    database.busy_timeout(PATIENCE)?;
    database.execute_batch(PRAGMAS)?;
    // The first write takes the lock, which is kept until the database is closed.
    database.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT;"))?;
    // A kill between a commit and the emptying of the log leaves what the commit removed.
    empty_log(&database)?;
    Ok(database)
}

/// Moves the write-ahead log into the database and cuts it to nothing.
pub(super) fn empty_log(database: &Connection) -> rusqlite::Result<()> {
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// The sealer of secrets under a master key.
pub(super) fn sealer(master: &MasterKey) -> Sealer {
    Sealer::new(&master.derive("secrets"))
}

/// The place that a secret's version is sealed for.
pub(super) fn place(name: &str, version: &str) -> String {
    format!("secret|{name}|{version}")
}

/// The place that a retired key is sealed for.
pub(super) fn retired_place(id: KeyId) -> String {
    format!("retired master key|{id}")
}

/// Writes which master key is current.
pub(super) fn write_current(
    database: &Connection,
    master: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<(), OpenSecretsError> {
    let sealed =
        sealer(master).seal(CHECK, b"crm-sync", entropy).map_err(OpenSecretsError::Seal)?;
    database.execute(
        "INSERT OR REPLACE INTO master_key (one, id, sealed) VALUES (1, ?1, ?2)",
        params![master.id().0, sealed],
    )?;
    Ok(())
}

/// The id of the master key that opens the database; none when it is new.
pub(super) fn current(database: &Connection) -> rusqlite::Result<Option<(KeyId, Vec<u8>)>> {
    let row = "SELECT id, sealed FROM master_key";
    database.query_row(row, [], |row| Ok((KeyId(row.get(0)?), row.get(1)?))).optional()
}

/// Checks that `master` opens the database.
pub(super) fn check(
    (id, sealed): (KeyId, Vec<u8>),
    master: &MasterKey,
) -> Result<(), OpenSecretsError> {
    if id != master.id() {
        return Err(OpenSecretsError::WrongKey { sealed_under: id, given: master.id() });
    }
    sealer(master).open(CHECK, &sealed).map(drop).map_err(|_| OpenSecretsError::Damaged)
}

/// The master keys before this one.
pub(super) fn retired(
    database: &Connection,
    master: &MasterKey,
) -> Result<Vec<MasterKey>, OpenSecretsError> {
    let mut rows = database.prepare("SELECT id, sealed FROM retired_keys")?;
    let rows = rows.query_map([], |row| Ok((KeyId(row.get(0)?), row.get::<_, Vec<u8>>(1)?)))?;
    let own = sealer(master);
    rows.map(|row| {
        let (id, sealed) = row?;
        let plain = own.open(&retired_place(id), &sealed).map(Zeroizing::new);
        let key = plain.ok().and_then(|plain| MasterKey::of(&plain));
        key.ok_or(OpenSecretsError::Damaged)
    })
    .collect()
}

/// The port [`Secrets`] on one file. Clones share it.
#[derive(Clone)]
pub struct SealedSecrets {
    opened: Arc<Mutex<Opened>>,
    entropy: Arc<dyn Entropy>,
    data_keys: LocalDataKeys,
}

/// The file, and the key that opens it: they change together.
pub(super) struct Opened {
    pub(super) database: Connection,
    pub(super) master: MasterKey,
}

impl Opened {
    fn sealer(&self) -> Sealer {
        sealer(&self.master)
    }
}

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
enum SecretError {
    #[error("the token wrote another value before")]
    OtherValue,
    #[error("the secret is no text")]
    NoText,
    #[error("the secret does not open")]
    Unopenable(#[source] SealError),
    #[error("the file of secrets failed")]
    Database(#[from] rusqlite::Error),
}

impl SecretError {
    fn doing(self, action: &'static str) -> PortError {
        match self {
            // A full disk or a fault of it: the operator can mend that, and the work waits.
            Self::Database(_) => PortError::retry(action, self),
            _ => PortError::reject(action, self),
        }
    }
}

impl SealedSecrets {
    /// Opens the file of secrets at `path`, which is made when it is not there and then belongs to
    /// this master key. It is this process' alone until it is dropped.
    ///
    /// # Errors
    /// [`OpenSecretsError::WrongKey`] when it belongs to another master key: nothing is changed.
    pub fn open(
        path: &Path,
        master: &MasterKey,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenSecretsError> {
        let database = open_database(path)?;
        match current(&database)? {
            Some(current) => check(current, master)?,
            None => write_current(&database, master, &*entropy)?,
        }
        let retired = retired(&database, master)?;
        let data_keys = LocalDataKeys::new(master, &retired, entropy.clone());
        let opened = Arc::new(Mutex::new(Opened { database, master: master.clone() }));
        Ok(Self { opened, entropy, data_keys })
    }

    /// Data keys under the same master key and those before it.
    #[must_use]
    pub fn data_keys(&self) -> LocalDataKeys {
        self.data_keys.clone()
    }

    /// Writes a copy of the file, as of now, to `path`, where nothing may be yet. It opens under
    /// the same master key.
    pub async fn back_up(&self, path: &Path) -> Result<(), PortError> {
        self.back_up_with(path, || ()).await.map(drop)
    }

    /// Does the same, and calls `look` while no secret can be put or destroyed: what it sees of
    /// another store is of the same moment as the copy. The id of the master key is given too.
    pub async fn back_up_with<T: Send + 'static>(
        &self,
        path: &Path,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, KeyId), PortError> {
        let path = path.to_owned();
        self.with("back up the secrets", move |own| {
            let seen = look();
            copy_all(&own.database, &path)?;
            Ok((seen, own.master.id()))
        })
        .await
    }

    /// Writes a copy of the file at `path`, which no process has open, to `copy`, where nothing may
    /// be yet. Gives the id of the master key that opens both; none when neither holds anything.
    /// The key itself is not needed. Blocks.
    pub fn back_up_file(path: &Path, copy: &Path) -> Result<Option<KeyId>, OpenSecretsError> {
        let database = open_database(path)?;
        copy_all(&database, copy)?;
        Ok(current(&database)?.map(|(id, _)| id))
    }

    pub(super) fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// Does something with the database, away from the threads of async code.
    async fn with<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&mut Opened) -> Result<T, SecretError> + Send + 'static,
    ) -> Result<T, PortError> {
        let own = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&mut own.opened()));
        let done = done.await.map_err(|error| PortError::retry(action, error))?;
        done.map_err(|error| error.doing(action))
    }
}

/// Writes a copy, whole and on the disk, to a new file.
fn copy_all(database: &Connection, to: &Path) -> rusqlite::Result<()> {
    // SQLite refuses a file that holds something, and takes an empty one.
    if !to.exists() {
        drop(private::file(to));
    }
    database.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map(drop)
}

fn open_value(
    own: &Sealer,
    name: &str,
    version: &str,
    sealed: &[u8],
) -> Result<SecretString, SecretError> {
    let plain = own.open(&place(name, version), sealed).map_err(SecretError::Unopenable)?;
    let plain = Zeroizing::new(plain);
    str::from_utf8(&plain).map(SecretString::from).map_err(|_| SecretError::NoText)
}

/// The sealed text of a version.
fn version_of(
    database: &Connection,
    name: &str,
    version: &str,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let row = "SELECT sealed FROM secrets WHERE name = ?1 AND version = ?2";
    database.query_row(row, [name, version], |row| row.get(0)).optional()
}

/// Adds a version, and deletes those before the previous one.
fn add(
    database: &mut Connection,
    name: &str,
    version: &str,
    sealed: &[u8],
) -> rusqlite::Result<()> {
    let whole = database.transaction()?;
    let insert = "INSERT INTO secrets (name, version, sealed) VALUES (?1, ?2, ?3)";
    whole.execute(insert, params![name, version, sealed])?;
    let prune = "DELETE FROM secrets WHERE name = ?1 AND number NOT IN
        (SELECT number FROM secrets WHERE name = ?1 ORDER BY number DESC LIMIT 2)";
    whole.execute(prune, [name])?;
    whole.commit()
}

#[async_trait]
impl Secrets for SealedSecrets {
    /// The version is the token itself: a writer that died before it learnt the version can name it
    /// all the same.
    async fn put(
        &self,
        name: &str,
        value: &SecretString,
        token: &str,
    ) -> Result<VersionId, PortError> {
        let entropy = self.entropy.clone();
        let (name, token, value) = (name.to_owned(), token.to_owned(), value.clone());
        self.with("put a secret", move |opened| {
            let (own, database) = (opened.sealer(), &mut opened.database);
            if let Some(sealed) = version_of(database, &name, &token)? {
                let before = open_value(&own, &name, &token, &sealed)?;
                if before.expose_secret() != value.expose_secret() {
                    return Err(SecretError::OtherValue);
                }
            } else {
                let plain = value.expose_secret().as_bytes();
                let sealed = own.seal(&place(&name, &token), plain, &*entropy);
                add(database, &name, &token, &sealed.map_err(SecretError::Unopenable)?)?;
            }
            Ok(VersionId(token))
        })
        .await
    }

    async fn get(
        &self,
        name: &str,
        version: &VersionId,
    ) -> Result<Option<SecretString>, PortError> {
        let (name, version) = (name.to_owned(), version.0.clone());
        self.with("get a secret", move |opened| {
            let own = opened.sealer();
            let sealed = version_of(&opened.database, &name, &version)?;
            sealed.map(|sealed| open_value(&own, &name, &version, &sealed)).transpose()
        })
        .await
    }

    async fn newest(&self, name: &str) -> Result<Option<(VersionId, SecretString)>, PortError> {
        let name = name.to_owned();
        self.with("get a secret", move |opened| {
            let own = opened.sealer();
            let newest = "SELECT version, sealed FROM secrets WHERE name = ?1
                ORDER BY number DESC LIMIT 1";
            let row = opened
                .database
                .query_row(newest, [&name], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            row.map(|(version, sealed): (String, Vec<u8>)| {
                let value = open_value(&own, &name, &version, &sealed)?;
                Ok((VersionId(version), value))
            })
            .transpose()
        })
        .await
    }

    async fn destroy(&self, name: &str) -> Result<(), PortError> {
        let name = name.to_owned();
        self.with("destroy a secret", move |opened| {
            let database = &opened.database;
            database.execute("DELETE FROM secrets WHERE name = ?1", [name])?;
            Ok(empty_log(database)?)
        })
        .await
    }
}
