//! Items as rows.

use std::collections::HashMap;

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, ffi, params};
use serde_json::{Map, Value};
use shared::ports::{Item, Key, Page, PortError, Range};

/// An item that a deployment on AWS would refuse is refused here too: a tenant can move there.
const LARGEST_ITEM: usize = 400 << 10;

/// A page ends when its items have so many bytes together.
const LARGEST_PAGE: usize = 4 << 20;

/// How many partitions' numbers are kept: some 4 MB.
const MOST_PARTITIONS: usize = 16_384;

/// An item is larger than the table takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an item of more than 400 KiB")]
struct TooLarge;

fn is_large(item: &Item) -> bool {
    let body = item.body.as_ref().map_or(0, Vec::len);
    body + size_of_map(&item.doc) > LARGEST_ITEM
}

/// Refuses items before the writer sees them.
pub(super) fn refuse_large<'a>(items: impl IntoIterator<Item = &'a Item>) -> Result<(), PortError> {
    if items.into_iter().any(is_large) {
        return Err(PortError::reject("write items", TooLarge));
    }
    Ok(())
}

/// The size as `DynamoDB` counts it, roughly.
fn size_of_map(map: &Map<String, Value>) -> usize {
    map.iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

fn size_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(_) => 8,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(|value| 1 + size_of(value)).sum(),
        Value::Object(map) => size_of_map(map),
    }
}

const GET: &str = "SELECT sk, doc, body, expires_at FROM items
    WHERE partition = (SELECT id FROM partitions WHERE pk = ?1) AND sk = ?2";

// Two statements: of two lower bounds the index would take the first, and read on from there.
pub(super) const QUERY_FROM: &str = "SELECT sk, doc, body, expires_at FROM items
    WHERE partition = (SELECT id FROM partitions WHERE pk = ?1) AND sk >= ?2
    ORDER BY sk LIMIT ?3";
pub(super) const QUERY_AFTER: &str = "SELECT sk, doc, body, expires_at FROM items
    WHERE partition = (SELECT id FROM partitions WHERE pk = ?1) AND sk > ?2
    ORDER BY sk LIMIT ?3";

const PARTITION: &str = "SELECT id FROM partitions WHERE pk = ?1";
const ADD_PARTITION: &str = "INSERT INTO partitions (pk) VALUES (?1)";

const PUT: &str = "INSERT INTO items (partition, sk, doc, body, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (partition, sk) DO UPDATE
    SET doc = excluded.doc, body = excluded.body, expires_at = excluded.expires_at";

const PUT_NEW: &str = "INSERT INTO items (partition, sk, doc, body, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (partition, sk) DO NOTHING";

const DELETE: &str = "DELETE FROM items
    WHERE partition = (SELECT id FROM partitions WHERE pk = ?1) AND sk = ?2";

const SWEEP: &str = "DELETE FROM items WHERE id IN
    (SELECT id FROM items WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";

pub(super) fn get(connection: &Connection, key: &Key) -> rusqlite::Result<Option<Item>> {
    let mut statement = connection.prepare_cached(GET)?;
    statement.query_row([key.pk(), key.sk()], |row| item(key.pk(), row)).optional()
}

/// Sort keys are compared byte by byte, as Rust compares texts.
pub(super) fn query(
    connection: &Connection,
    pk: &str,
    range: &Range,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Page> {
    let from = if let Range::Prefix(prefix) = range { prefix.as_str() } else { "" };
    let within = |sk: &str| match range {
        Range::All => true,
        Range::Prefix(prefix) => sk.starts_with(prefix.as_str()),
        Range::UpTo(last) => sk <= last.as_str(),
    };
    let (sql, bound) = match after {
        Some(after) if after >= from => (QUERY_AFTER, after),
        _ => (QUERY_FROM, from),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = statement.query(params![pk, bound, most])?;
    let mut page = Page { items: Vec::new(), next: None };
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if !within(text(row, 0)?) {
            break;
        }
        if page.items.len() == limit || bytes > LARGEST_PAGE {
            page.next = page.items.last().map(|item| item.key.sk().to_owned());
            break;
        }
        let item = item(pk, row)?;
        bytes += text(row, 1)?.len() + item.body.as_ref().map_or(0, Vec::len);
        page.items.push(item);
    }
    Ok(page)
}

/// The numbers of partitions that were written lately: most writes are to the same few.
#[derive(Default)]
pub(super) struct Partitions(HashMap<String, i64>);

impl Partitions {
    /// Forgets them all, as a transaction must that is not committed: it may have given some out.
    pub(super) fn forget(&mut self) {
        self.0 = HashMap::new();
    }

    /// The number of a partition, given out when it is needed first.
    fn number(&mut self, connection: &Connection, pk: &str) -> rusqlite::Result<i64> {
        if let Some(&known) = self.0.get(pk) {
            return Ok(known);
        }
        let mut known: CachedStatement<'_> = connection.prepare_cached(PARTITION)?;
        let number = if let Some(id) = known.query_row([pk], |row| row.get(0)).optional()? {
            id
        } else {
            connection.prepare_cached(ADD_PARTITION)?.execute([pk])?;
            connection.last_insert_rowid()
        };
        if self.0.len() == MOST_PARTITIONS {
            self.forget();
        }
        self.0.insert(pk.to_owned(), number);
        Ok(number)
    }

    /// Puts an item that changes made, which may have made it too large.
    pub(super) fn put_changed(
        &mut self,
        connection: &Connection,
        item: &Item,
    ) -> rusqlite::Result<()> {
        if is_large(item) {
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None));
        }
        self.put(connection, item)
    }

    /// Puts an item in place of the one that may be there.
    pub(super) fn put(&mut self, connection: &Connection, item: &Item) -> rusqlite::Result<()> {
        self.execute(PUT, connection, item).map(drop)
    }

    /// Puts an item if there is none; says if it did.
    pub(super) fn put_new(
        &mut self,
        connection: &Connection,
        item: &Item,
    ) -> rusqlite::Result<bool> {
        Ok(self.execute(PUT_NEW, connection, item)? == 1)
    }

    fn execute(
        &mut self,
        sql: &str,
        connection: &Connection,
        item: &Item,
    ) -> rusqlite::Result<usize> {
        let Item { key, doc, body, expires_at } = item;
        let doc = serde_json::to_string(doc)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let partition = self.number(connection, key.pk())?;
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![partition, key.sk(), doc, body, expires_at])
    }
}

pub(super) fn delete(connection: &Connection, key: &Key) -> rusqlite::Result<()> {
    connection.prepare_cached(DELETE)?.execute([key.pk(), key.sk()])?;
    Ok(())
}

pub(super) fn sweep(connection: &Connection, now: i64, limit: usize) -> rusqlite::Result<usize> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection.prepare_cached(SWEEP)?.execute([now, limit])
}

fn item(pk: &str, row: &Row<'_>) -> rusqlite::Result<Item> {
    let doc = serde_json::from_str(text(row, 1)?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, error.into()))?;
    let key = Key::stored(pk.to_owned(), text(row, 0)?.to_owned());
    Ok(Item { key, doc, body: row.get(2)?, expires_at: row.get(3)? })
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}
