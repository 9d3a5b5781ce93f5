//! The table in an SQLite file.
//!
//! One thread writes. It takes all writes that wait as one transaction of SQLite's, so that many
//! callers share one wait for the disk; each has its own outcome, and is answered once its writes
//! are on the disk. Readers have connections of their own and see everything that was answered.
//!
//! An item's row is found by an index of partition and sort key, and lies in the order of its
//! making (`docs/decisions/0009`): items come in any order, and only the index, a tenth of the
//! bytes, is written in theirs.

mod rows;
mod snapshot;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::channel::oneshot;
use jiff::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ffi};
use shared::ports::{Item, Key, Outcome, Page, PortError, Range, Table, Write, transaction_fault};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub use self::snapshot::TableSnapshot;
use self::writer::{Job, Writer};
use crate::private;
use crate::sqlite::{self, Forms, OpenError, StoreFault};

/// The forms of the file.
const FORMS: Forms = &[include_str!("form_1.sql")];

/// The number of the latest form that this version of the program knows.
pub const LATEST_FORM: usize = FORMS.len();

/// How many reads are under way at once.
const READERS: usize = 4;

/// Where reading failed.
const READ: &str = "read items";

/// The table.
#[derive(Clone)]
pub struct SqliteTable {
    path: PathBuf,
    writer: Arc<Writer>,
    readers: Arc<Readers>,
}

/// Connections that nobody reads with at the moment.
struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Readers {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SqliteTable {
    /// Opens the table in the file at `path`, and makes the file when there is none. Only one
    /// process may have it open for writing: the caller sees to that.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let writer = Writer::start(sqlite::open(path, FORMS)?).map_err(|source| {
            let path = path.to_owned();
            OpenError::Io { path, source }
        })?;
        let readers = Readers { idle: Mutex::default(), permits: Semaphore::new(READERS) };
        Ok(Self { path: path.to_owned(), writer: Arc::new(writer), readers: Arc::new(readers) })
    }

    /// Drops items whose time had passed at `now`, at most `limit` of them. Gives their number.
    pub async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, PortError> {
        self.job("drop expired items", |answer| Job::Sweep { now, limit, answer }).await
    }

    /// Gives back the memory that work took. Whoever reads or writes next takes it anew.
    pub async fn rest(&self) -> Result<(), PortError> {
        self.readers.idle().clear();
        self.job("give back memory", |answer| Job::Rest { answer }).await
    }

    /// Writes a whole and consistent copy of the table to a new file at `path`, on the disk when
    /// this returns. Reading and writing go on meanwhile. A copy that is not whole has another
    /// name, and a file that is there already is left as it is.
    pub async fn back_up(&self, path: &Path) -> Result<(), PortError> {
        const ACTION: &str = "back up the table";
        let (path, unfinished) = (path.to_owned(), path.with_added_extension("unfinished"));
        if path.exists() {
            return Err(PortError::reject(ACTION, "a file of this name is there already"));
        }
        let copy = unfinished.clone();
        self.read(ACTION, move |connection| copy_all(connection, &copy)).await?;
        let named = spawn_blocking(move || name_whole(&unfinished, &path)).await;
        let named = named.map_err(|error| PortError::retry(ACTION, error))?;
        named.map_err(|error| PortError::retry(ACTION, error))
    }

    /// Reads the whole file and tells what is wrong with it; nothing when it is sound.
    pub async fn check(&self) -> Result<Vec<String>, PortError> {
        self.read("check the table", |connection| {
            let mut statement = connection.prepare("PRAGMA integrity_check")?;
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
            let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>()?;
            Ok(lines.into_iter().filter(|line| line != "ok").collect())
        })
        .await
    }

    /// Reads with an idle connection, off the threads that must not wait.
    async fn read<T, F>(&self, action: &'static str, look: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let gone = |error| PortError::retry(action, error);
        let _permit = self.readers.permits.acquire().await.map_err(gone)?;
        let (readers, path) = (self.readers.clone(), self.path.clone());
        let looked = spawn_blocking(move || {
            let idle = readers.idle().pop();
            let connection = idle.map_or_else(|| sqlite::open_reader(&path), Ok)?;
            let found = look(&connection)?;
            readers.idle().push(connection);
            Ok::<T, StoreFault>(found)
        });
        let looked = looked.await.map_err(|error| PortError::retry(action, error))?;
        looked.map_err(|fault| fault.of_port(action))
    }

    /// Has the writer do a job, and waits until it is on the disk.
    async fn job<T>(
        &self,
        action: &'static str,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreFault>>) -> Job,
    ) -> Result<T, PortError> {
        let (answer, answered) = oneshot::channel();
        self.writer.send(job(answer));
        match answered.await {
            Ok(done) => done.map_err(|fault| fault.of_port(action)),
            Err(ended) => Err(PortError::retry(action, ended)),
        }
    }
}

fn refuse_large_puts(writes: &[Write]) -> Result<(), PortError> {
    rows::refuse_large(writes.iter().filter_map(|write| match write {
        Write::Put { item, .. } => Some(item),
        _ => None,
    }))
}

/// Copies all pages in one step: they are of one moment, while writers go on.
fn copy_all(connection: &Connection, to: &Path) -> rusqlite::Result<()> {
    // SQLite tells in its own words what is wrong with the file.
    drop(private::file(to));
    let mut copy = Connection::open(to)?;
    match Backup::new(connection, &mut copy)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
    }
}

/// Gives a whole copy its name, on the disk.
fn name_whole(unfinished: &Path, path: &Path) -> io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    std::fs::rename(unfinished, path)?;
    private::sync(private::parent(path))
}

#[async_trait]
impl Table for SqliteTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        let key = key.clone();
        self.read(READ, move |connection| rows::get(connection, &key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        self.read(READ, move |connection| {
            // One transaction of SQLite's for all keys, in place of one for each.
            let reading = connection.unchecked_transaction()?;
            let found = keys.iter().map(|key| rows::get(&reading, key));
            let found = found.filter_map(Result::transpose).collect();
            reading.finish()?;
            found
        })
        .await
    }

    async fn query(
        &self,
        pk: &str,
        range: &Range,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, PortError> {
        let (pk, range, after) = (pk.to_owned(), range.clone(), after.map(str::to_owned));
        self.read(READ, move |connection| {
            rows::query(connection, &pk, &range, after.as_deref(), limit)
        })
        .await
    }

    async fn write(&self, write: Write) -> Result<Outcome, PortError> {
        self.transact(vec![write]).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
        if let Some(fault) = transaction_fault(&writes) {
            return Err(fault);
        }
        refuse_large_puts(&writes)?;
        self.job("write items", |answer| Job::Transact { writes, answer }).await
    }

    /// They share one wait for the disk.
    async fn transact_each(
        &self,
        transactions: Vec<Vec<Write>>,
    ) -> Result<Vec<Outcome>, PortError> {
        for writes in &transactions {
            if let Some(fault) = transaction_fault(writes) {
                return Err(fault);
            }
            refuse_large_puts(writes)?;
        }
        self.job("write items", |answer| Job::TransactEach { transactions, answer }).await
    }

    async fn put_many(&self, items: Vec<Item>) -> Result<(), PortError> {
        if items.is_empty() {
            return Ok(());
        }
        rows::refuse_large(&items)?;
        self.job("write items", |answer| Job::Put { items, answer }).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<(), PortError> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = keys.to_vec();
        self.job("delete items", |answer| Job::Delete { keys, answer }).await
    }

    /// They share one wait for the disk.
    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, PortError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        refuse_large_puts(&writes)?;
        self.job("write items", |answer| Job::WriteEach { writes, answer }).await
    }
}
