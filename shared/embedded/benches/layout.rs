//! How the table's rows should lie: by their making with an index of keys, or in the order of their
//! keys. `cargo bench -p embedded --bench layout [ITEMS]` puts as many items as an import and a
//! match run do, and prints microseconds and bytes an item of both layouts, side by side.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use tempfile::TempDir;

/// As the product takes it.
const BY_MAKING: &str = include_str!("../src/table/form_1.sql");

const BY_KEY: &str = "
CREATE TABLE partitions (id INTEGER PRIMARY KEY, pk TEXT NOT NULL UNIQUE);
CREATE TABLE items (
  partition INTEGER NOT NULL, sk TEXT NOT NULL, doc TEXT NOT NULL, body BLOB, expires_at INTEGER,
  PRIMARY KEY (partition, sk)
) WITHOUT ROWID;";

const PUT: &str = "INSERT INTO items (partition, sk, doc, body) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (partition, sk) DO UPDATE SET doc = excluded.doc, body = excluded.body";

/// Buckets of a kind.
const BUCKETS: u64 = 16;

/// Items of one commit, as a page's writers share it.
const TOGETHER: u64 = 500;

/// Bytes of a sealed record.
const BODY: usize = 450;

fn main() {
    let items = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    println!("{items} records and {items} matches of {BODY} sealed bytes, {TOGETHER} a commit");
    println!("layout\tstep\tus/item\tbytes/item");
    for (name, script) in [("by making", BY_MAKING), ("by key", BY_KEY)] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("layout.db");
        let mut connection = open(&path, script);
        // Records come in the order of their ids, dealt to buckets.
        step(name, "records", &mut connection, &path, items, |n| (mixed(n) % BUCKETS, n));
        // Matches of entities come in no order.
        step(name, "matches", &mut connection, &path, items, |n| {
            (BUCKETS + mixed(n) % BUCKETS, mixed(mixed(n)))
        });
        step(name, "again", &mut connection, &path, items / 10, |n| {
            let n = mixed(n) % items;
            (mixed(n) % BUCKETS, n)
        });
        reads(name, &connection, items);
    }
}

fn open(path: &Path, script: &str) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "page_size", 8_192).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    connection.pragma_update(None, "synchronous", "full").unwrap();
    connection.pragma_update(None, "cache_size", -100_000).unwrap();
    connection.execute_batch(script).unwrap();
    connection
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn step(
    layout: &str,
    what: &str,
    connection: &mut Connection,
    path: &Path,
    items: u64,
    place: impl Fn(u64) -> (u64, u64),
) {
    let before = std::fs::metadata(path).unwrap().len();
    let begun = Instant::now();
    for first in (0..items).step_by(usize::try_from(TOGETHER).unwrap()) {
        let transaction = connection.transaction().unwrap();
        {
            let mut put = transaction.prepare_cached(PUT).unwrap();
            for n in first..items.min(first + TOGETHER) {
                let (partition, key) = place(n);
                let partition = i64::try_from(partition).unwrap();
                let sk = format!("Contact#003{key:015x}");
                let doc = format!(r#"{{"stamp":{n},"digest":"{n:032x}","revision":1}}"#);
                let body = [n.to_le_bytes()[0]; BODY];
                put.execute(params![partition, sk, doc, body]).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    let taken = begun.elapsed().as_secs_f64() * 1e6 / items as f64;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let grown = (std::fs::metadata(path).unwrap().len() - before) as f64 / items as f64;
    println!("{layout}\t{what}\t{taken:.1}\t{grown:.0}");
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn reads(layout: &str, connection: &Connection, items: u64) {
    let looks = 100_000_u64.min(items);
    let mut get =
        connection.prepare("SELECT doc, body FROM items WHERE partition = ?1 AND sk = ?2").unwrap();
    let begun = Instant::now();
    for look in 0..looks {
        let n = mixed(look) % items;
        let sk = format!("Contact#003{n:015x}");
        let body: Vec<u8> = get
            .query_row(params![i64::try_from(mixed(n) % BUCKETS).unwrap(), sk], |row| row.get(1))
            .unwrap();
        assert_eq!(body.len(), BODY);
    }
    let taken = begun.elapsed().as_secs_f64() * 1e6 / looks as f64;
    println!("{layout}\tone record\t{taken:.1}\t");
}

/// A number that looks random.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (n ^ (n >> 31)) >> 4
}
