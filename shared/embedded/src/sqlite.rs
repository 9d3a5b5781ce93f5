//! Opening an SQLite file of ours, and telling its faults in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use shared::ports::PortError;

use crate::private;

/// Another process may read the file meanwhile, as a command does; none writes for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The writer's cache, in KiB as SQLite takes it. It holds the upper part of the index of a million
/// items.
const CACHE_KIB: i64 = -65_536;

/// The log is copied into the file whenever it has so many pages, some 64 MB: pages that are
/// written again meanwhile are copied once.
const CHECKPOINT_PAGES: i64 = 8_000;

/// A statement is planned once. Without this SQLite plans it anew whenever a bound of a range
/// changes, which takes longer than to read a page.
const STABLE_PLANS: DbConfig = DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was made by a later version of the program.
    #[error(
        "{path} has form {found}, and this version of crm-sync knows forms up to {known}: start \
         the version that made it, or a later one"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The latest form known.
        known: u32,
    },
    /// SQLite refused it.
    #[error("{path} cannot be opened: {}", .source.advice())]
    Refused {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: StoreFault,
    },
    /// A folder or a file beside it.
    #[error("{path} cannot be used")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// An error of SQLite's, and what to do about it. It holds no value of a row.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.advice())]
pub struct StoreFault(#[from] rusqlite::Error);

impl StoreFault {
    /// What to do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        if self.is_damage() {
            return "the file is damaged: stop crm-sync and restore the last backup";
        }
        match self.0.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                "the disk of the data folder is full: make room, and work goes on by itself"
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                "the data folder cannot be written: give the folder to the user that runs crm-sync"
            }
            Some(ErrorCode::TooBig) => "an item would hold more than 400 KiB",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another process holds the file"
            }
            Some(ErrorCode::SystemIoFailure) => {
                "the disk of the data folder failed or is full: see the system's log"
            }
            _ => "the embedded store failed",
        }
    }

    /// Tells if what lies in the file is not what was written. SQLite sees a damaged page by
    /// itself; a damaged value shows when it is no text, or no document, any more.
    fn is_damage(&self) -> bool {
        matches!(
            &self.0,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
        ) || matches!(
            self.0.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }

    /// Tells if the same call may succeed later without anybody's help, or after room was made.
    fn may_pass(&self) -> bool {
        let needs_somebody = matches!(
            self.0.sqlite_error_code(),
            Some(
                ErrorCode::ReadOnly
                    | ErrorCode::PermissionDenied
                    | ErrorCode::CannotOpen
                    | ErrorCode::TooBig
            )
        );
        !(needs_somebody || self.is_damage())
    }

    /// The error of a port's call.
    pub(crate) fn of_port(self, action: &'static str) -> PortError {
        if self.may_pass() {
            PortError::retry(action, self)
        } else {
            PortError::reject(action, self)
        }
    }
}

/// The forms of a file, each made from the one before by a script. A script that was released never
/// changes.
pub(crate) type Forms = &'static [&'static str];

/// Opens the file at `path` for writing, makes it when there is none, and brings it to its latest
/// form. A commit that was answered outlives a loss of power.
pub(crate) fn open(path: &Path, forms: Forms) -> Result<Connection, OpenError> {
    let refused = |source: rusqlite::Error| OpenError::Refused {
        path: path.to_owned(),
        source: StoreFault(source),
    };
    // SQLite tells in its own words what is wrong with the file.
    drop(private::file(path));
    let mut connection = Connection::open(path).map_err(refused)?;
    prepare(&connection).map_err(refused)?;
    let found: u32 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(refused)?;
    let mut known = 0;
    for script in forms {
        known += 1;
        if found < known {
            migrate(&mut connection, known, script).map_err(refused)?;
        }
    }
    if found > known {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known });
    }
    Ok(connection)
}

/// Opens the file for reading. Every commit that was answered before is seen.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreFault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(STABLE_PLANS, true)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(STABLE_PLANS, true)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "page_size", 8_192)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "foreign_keys", false)
}

/// Takes one form's script and its number in one transaction.
fn migrate(connection: &mut Connection, form: u32, script: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(script)?;
    transaction.pragma_update(None, "user_version", form)?;
    transaction.commit()
}
