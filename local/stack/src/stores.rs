//! What the stores of one process hold of a connection, counted without the product's own code: by
//! SQL, and by the names of files.

use std::path::Path;

use anyhow::Context;
use rusqlite::{Connection, OpenFlags};

use crate::home::{Left, Traces};

/// Items whose partition begins with a text.
const ITEMS: &str = "SELECT count(*) FROM items JOIN partitions ON partitions.id = items.partition \
                     WHERE substr(partitions.pk, 1, length(?1)) = ?1";
/// Secrets whose name holds a text.
const SECRETS: &str = "SELECT count(DISTINCT name) FROM secrets WHERE instr(name, ?1) > 0";

/// Counts what the stores in `data` hold of the generations of a connection.
pub(crate) fn left(data: &Path, of: &Traces) -> anyhow::Result<Left> {
    Ok(Left {
        items: count(&data.join("table.db"), ITEMS, &of.partitions)?,
        objects: files(&data.join("objects").join(&of.objects))?,
        secrets: count(&data.join("secrets.db"), SECRETS, &of.secrets)?,
    })
}

fn count(file: &Path, query: &str, of: &str) -> anyhow::Result<usize> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let counted: i64 = Connection::open_with_flags(file, flags)
        .and_then(|open| open.query_row(query, [of], |row| row.get(0)))
        .with_context(|| format!("count in {}", file.display()))?;
    Ok(usize::try_from(counted)?)
}

/// The files in a folder and below; none when there is no such folder.
fn files(folder: &Path) -> anyhow::Result<usize> {
    if !folder.exists() {
        return Ok(0);
    }
    let mut found = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        found += if entry.file_type()?.is_dir() { files(&entry.path())? } else { 1 };
    }
    Ok(found)
}
