//! The table as it was at one moment, to be copied while others write.

use std::path::Path;

use rusqlite::Connection;

use super::{SqliteTable, copy_all};
use crate::sqlite::{self, StoreFault};

/// The table as it was when this was taken. The log of the table grows for as long as it lives.
/// Its calls block.
pub struct TableSnapshot(Connection);

impl TableSnapshot {
    /// The table in the file at `path` as it is now, whether a process has it open or not.
    pub fn take(path: &Path) -> Result<Self, StoreFault> {
        let connection = sqlite::open_reader(path)?;
        // The transaction begins with its first look.
        connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
        Ok(Self(connection))
    }

    /// The number of the file's form.
    pub fn form(&self) -> Result<u32, StoreFault> {
        Ok(self.0.pragma_query_value(None, "user_version", |row| row.get(0))?)
    }

    /// Writes it to a new file at `path`, whole and on the disk.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreFault> {
        Ok(copy_all(&self.0, path)?)
    }
}

impl SqliteTable {
    /// The table as it is now. Blocks for as long as it takes to open a file.
    pub fn snapshot(&self) -> Result<TableSnapshot, StoreFault> {
        TableSnapshot::take(&self.path)
    }
}
