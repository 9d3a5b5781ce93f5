//! What the stores of one process hold of a connection, counted without the product's own code: by
//! SQL, and by the names of files.

use std::fs::copy;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rusqlite::{Connection, OpenFlags};

use crate::home::{Left, Traces};

/// Items whose partition begins with a text.
const ITEMS: &str = "SELECT count(*) FROM items JOIN partitions ON partitions.id = items.partition \
                     WHERE substr(partitions.pk, 1, length(?1)) = ?1";
/// Secrets whose name holds a text.
const SECRETS: &str = "SELECT count(DISTINCT name) FROM secrets WHERE instr(name, ?1) > 0";

const READ_ONLY: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY;

/// Counts what the stores in `data` hold of the generations of a connection.
pub(crate) fn left(data: &Path, of: &Traces) -> anyhow::Result<Left> {
    Ok(Left {
        items: count(&data.join("table.db"), READ_ONLY, ITEMS, &of.partitions)?,
        objects: files(&data.join("objects/stored").join(folders(&of.objects)))?,
        secrets: secrets(&data.join("secrets.db"), &of.secrets)?,
    })
}

/// Counts in a copy: the process lets nobody else into the file itself.
fn secrets(file: &Path, of: &str) -> anyhow::Result<usize> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let copied = folder.path().join("secrets.db");
    copy(file, &copied).with_context(|| format!("copy {}", file.display()))?;
    let log = |file: &Path| {
        let mut name = file.as_os_str().to_owned();
        name.push("-wal");
        PathBuf::from(name)
    };
    if log(file).exists() {
        copy(log(file), log(&copied)).context("copy the log of the secrets")?;
    }
    // A log that nobody has open is read only by who may write.
    count(&copied, OpenFlags::SQLITE_OPEN_READ_WRITE, SECRETS, of)
}

fn count(file: &Path, flags: OpenFlags, query: &str, of: &str) -> anyhow::Result<usize> {
    let counted: i64 = Connection::open_with_flags(file, flags)
        .and_then(|open| open.query_row(query, [of], |row| row.get(0)))
        .with_context(|| format!("count in {}", file.display()))?;
    Ok(usize::try_from(counted)?)
}

/// The folder of the objects whose keys begin with `prefix`: a folder's name ends with `+`.
fn folders(prefix: &str) -> PathBuf {
    prefix.split('/').filter(|part| !part.is_empty()).map(|part| format!("{part}+")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_counted_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let table = Connection::open(data.path().join("table.db")).unwrap();
        table
            .execute_batch(
                "CREATE TABLE partitions (id INTEGER PRIMARY KEY, pk TEXT);
                 CREATE TABLE items (partition INTEGER, sk TEXT);
                 INSERT INTO partitions VALUES (1, 'GEN#ten_1#production#1#R'), (2, 'GEN#ten_2#x');
                 INSERT INTO items VALUES (1, 'a'), (1, 'b'), (2, 'c');",
            )
            .unwrap();
        let secrets = Connection::open(data.path().join("secrets.db")).unwrap();
        secrets
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA locking_mode = EXCLUSIVE;
                 CREATE TABLE secrets (name TEXT, version TEXT);
                 INSERT INTO secrets VALUES ('conn/ten_1/production', '1'), ('app', '1'),
                     ('conn/ten_1/production', '2');",
            )
            .unwrap();
        let folder = data.path().join("objects/stored/ten_1+/production+/1+");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("page"), "").unwrap();
        let of = Traces {
            partitions: "GEN#ten_1#production#".to_owned(),
            objects: "ten_1/production/".to_owned(),
            secrets: "ten_1".to_owned(),
        };
        let found = left(data.path(), &of).unwrap();
        assert_eq!(found, Left { items: 2, objects: 1, secrets: 1 });
        let of = Traces { objects: "ten_1/sandbox/".to_owned(), ..of };
        assert_eq!(left(data.path(), &of).unwrap().objects, 0);
    }
}
