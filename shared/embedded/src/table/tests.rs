//! The table keeps its contract, does what the table in memory does, and outlives a kill.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use rusqlite::StatementStatus;
use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_uid;
use serde_json::{Value, json};
use shared::ports::{Change, Condition, Disposition};
use shared::testing::{Memory, contracts};
use tempfile::TempDir;

use super::*;

fn table() -> (SqliteTable, TempDir) {
    let folder = TempDir::new().unwrap();
    (SqliteTable::open(&folder.path().join("table.db")).unwrap(), folder)
}

fn item(pk: &str, sk: &str, doc: Value) -> Item {
    let Value::Object(doc) = doc else { panic!("a document is an object") };
    let key = Key::stored(pk.to_owned(), sk.to_owned());
    Item { key, doc, body: None, expires_at: None }
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let (table, _folder) = table();
    contracts::table(&table, "t").await;
    contracts::conditions(&table, "t").await;
    contracts::transactions(&table, "t").await;
    contracts::queries(&table, "t").await;
    contracts::many_items(&table, "t").await;
    assert_eq!(table.check().await.unwrap(), [""; 0]);
}

fn key() -> impl Strategy<Value = Key> {
    ("[ab]", "[xyz]{1,2}").prop_map(|(pk, sk)| Key::stored(pk, sk))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3_i64..3).prop_map(Value::from),
        "[a-c\u{e9}]{0,2}".prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let one = prop_oneof![
        Just(Condition::Always),
        Just(Condition::Absent),
        Just(Condition::Exists),
        value().prop_map(|value| Condition::Eq("n", value)),
        value().prop_map(|value| Condition::Ne("n", value)),
        value().prop_map(|value| Condition::Lt("n", value)),
        Just(Condition::Missing("m")),
    ];
    one.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Condition::All),
            proptest::collection::vec(inner, 0..3).prop_map(Condition::Any),
        ]
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        value().prop_map(|value| Change::Set("m", value)),
        (-5_i64..5).prop_map(|by| Change::Add("k", by)),
        Just(Change::Remove("m")),
        (0_i64..3).prop_map(|days| Change::Until(4_102_444_800 + days)),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(Change::Body),
    ]
}

fn any_item() -> impl Strategy<Value = Item> {
    (key(), value(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4))).prop_map(
        |(key, n, body)| {
            let doc = json!({ "n": n }).as_object().unwrap().clone();
            Item { key, doc, body, expires_at: None }
        },
    )
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        (any_item(), condition()).prop_map(|(item, when)| Write::Put { item, when }),
        (key(), proptest::collection::vec(change(), 0..3), condition())
            .prop_map(|(key, changes, when)| Write::Update { key, changes, when }),
        (key(), condition()).prop_map(|(key, when)| Write::Delete { key, when }),
        (key(), condition()).prop_map(|(key, when)| Write::Check { key, when }),
    ]
}

#[derive(Debug, Clone)]
enum Call {
    Get(Key),
    GetMany(Vec<Key>),
    Query(String, Range, Option<String>, usize),
    Write(Write),
    Transact(Vec<Write>),
    PutMany(Vec<Item>),
    DeleteMany(Vec<Key>),
}

fn call() -> impl Strategy<Value = Call> {
    let range = prop_oneof![
        Just(Range::All),
        "[xyz]{0,2}".prop_map(Range::Prefix),
        "[xyz]{1,2}".prop_map(Range::UpTo),
    ];
    let keys = || proptest::collection::vec(key(), 0..5);
    prop_oneof![
        key().prop_map(Call::Get),
        keys().prop_map(Call::GetMany),
        ("[ab]", range, proptest::option::of("[xyz]{1,2}"), 1_usize..4)
            .prop_map(|(pk, range, after, limit)| Call::Query(pk, range, after, limit)),
        write().prop_map(Call::Write),
        proptest::collection::vec(write(), 0..5).prop_map(Call::Transact),
        proptest::collection::vec(any_item(), 0..5).prop_map(Call::PutMany),
        keys().prop_map(Call::DeleteMany),
    ]
}

/// The answer of a call, in a form that can be compared.
async fn answer(table: &dyn Table, call: Call) -> String {
    let told = |error: PortError| format!("{} {:?}", error.action, error.disposition);
    let sorted = |mut items: Vec<Item>| {
        items.sort_by(|a, b| a.key.cmp(&b.key));
        items
    };
    match call {
        Call::Get(key) => format!("{:?}", table.get(&key).await.map_err(told)),
        Call::GetMany(keys) => {
            format!("{:?}", table.get_many(&keys).await.map(sorted).map_err(told))
        }
        Call::Query(pk, range, after, limit) => {
            let page = table.query(&pk, &range, after.as_deref(), limit).await;
            format!("{:?}", page.map(|page| (page.items, page.next)).map_err(told))
        }
        Call::Write(write) => format!("{:?}", table.write(write).await.map_err(|e| e.disposition)),
        Call::Transact(writes) => {
            format!("{:?}", table.transact(writes).await.map_err(|e| e.disposition))
        }
        Call::PutMany(items) => format!("{:?}", table.put_many(items).await.map_err(told)),
        Call::DeleteMany(keys) => format!("{:?}", table.delete_many(&keys).await.map_err(told)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_that_of_the_table_in_memory(
        calls in proptest::collection::vec(call(), 60..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (table, _folder) = table();
            let memory = Memory::new(Timestamp::UNIX_EPOCH, 1);
            for call in calls {
                let (ours, theirs) =
                    (answer(&table, call.clone()).await, answer(&memory, call.clone()).await);
                assert_eq!(ours, theirs, "{call:?}");
            }
        });
    }
}

#[tokio::test]
async fn what_has_expired_is_dropped_a_few_at_a_time() {
    let (table, _folder) = table();
    let at = |n: i64, expires_at| Item { expires_at, ..item("p", &format!("{n:02}"), json!({})) };
    let mut items: Vec<Item> = (0..10).map(|n| at(n, Some(n))).collect();
    items.push(at(10, None));
    table.put_many(items).await.unwrap();
    let now = Timestamp::from_second(8).unwrap();
    let dropped = [table.sweep(now, 5).await.unwrap(), table.sweep(now, 5).await.unwrap()];
    assert_eq!(dropped, [5, 3]);
    assert_eq!(table.sweep(now, 5).await.unwrap(), 0);
    let left = table.query("p", &Range::All, None, 100).await.unwrap().items;
    assert_eq!(left.len(), 3);
}

#[tokio::test]
async fn a_table_that_rested_reads_and_writes_as_before() {
    let (table, _folder) = table();
    let one = item("p", "s", json!({"n": 1}));
    table.put_many(vec![one.clone()]).await.unwrap();
    assert_eq!(table.get(&one.key).await.unwrap().as_ref(), Some(&one));
    assert!(!table.readers.idle().is_empty(), "a connection waits for the next read");
    table.rest().await.unwrap();
    assert!(table.readers.idle().is_empty());
    let two = item("p", "s", json!({"n": 2}));
    table.put_many(vec![two.clone()]).await.unwrap();
    assert_eq!(table.get(&one.key).await.unwrap(), Some(two));
}

#[tokio::test]
async fn callers_share_a_commit_and_each_has_an_outcome_of_its_own() {
    let (table, _folder) = table();
    let puts = (0..400).map(|n| {
        let when = if n % 2 == 0 { Condition::Absent } else { Condition::Exists };
        table.write(Write::Put { item: item("p", &format!("{n:03}"), json!({"n": n})), when })
    });
    let outcomes = futures::future::try_join_all(puts).await.unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_done()).count(), 200);
    let too_large = Item { body: Some(vec![0; 401 << 10]), ..item("p", "large", json!({})) };
    let error = table.put_many(vec![too_large]).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Reject);
}

#[tokio::test]
async fn an_item_cannot_grow_beyond_what_the_table_takes() {
    let (table, _folder) = table();
    let grow = |bytes: usize| Write::Update {
        key: Key::stored("p".to_owned(), "a".to_owned()),
        changes: vec![Change::Body(vec![0; bytes])],
        when: Condition::Always,
    };
    let put = |sk: &str| Write::Put { item: item("p", sk, json!({})), when: Condition::Always };
    assert!(table.write(grow(400 << 10)).await.unwrap().is_done());
    let large = table.transact(vec![put("b"), grow(401 << 10)]);
    // A neighbour in the same commit keeps its own outcome.
    let (large, neighbour) = tokio::join!(large, table.write(put("c")));
    let error = large.unwrap_err();
    assert_eq!(error.disposition, Disposition::Reject);
    assert!(error.source.to_string().contains("400 KiB"), "{}", error.source);
    assert!(neighbour.unwrap().is_done());
    let left = table.query("p", &Range::All, None, 10).await.unwrap().items;
    assert_eq!(left.iter().map(|item| item.key.sk()).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(left[0].body.as_ref().unwrap().len(), 400 << 10);
}

#[tokio::test]
async fn a_partition_that_was_new_in_a_commit_that_failed_is_made_by_the_next() {
    let (table, _folder) = table();
    let put = |pk: &str| Write::Put { item: item(pk, "a", json!({})), when: Condition::Always };
    let grow = Write::Update {
        key: Key::stored("old".to_owned(), "a".to_owned()),
        changes: vec![Change::Body(vec![0; 401 << 10])],
        when: Condition::Always,
    };
    assert!(table.write(put("old")).await.unwrap().is_done());
    table.transact(vec![put("new"), grow]).await.unwrap_err();
    // Another one would get the number that was given back.
    for pk in ["new", "other"] {
        assert!(table.write(put(pk)).await.unwrap().is_done());
    }
    for pk in ["old", "new", "other"] {
        let found = table.query(pk, &Range::All, None, 10).await.unwrap().items;
        assert_eq!(found.len(), 1, "{pk}");
    }
}

#[tokio::test]
async fn a_query_reads_from_its_place_and_not_from_the_partitions_first_item() {
    let (table, folder) = table();
    let items = (0..20_000).map(|n| item("p", &format!("{n:05}"), json!({})));
    table.put_many(items.collect()).await.unwrap();
    let connection = sqlite::open_reader(&folder.path().join("table.db")).unwrap();
    let range = Range::Prefix("1999".to_owned());
    for (after, first) in [(None, "19990"), (Some("00005"), "19990"), (Some("19995"), "19996")] {
        let page = rows::query(&connection, "p", &range, after, 3).unwrap();
        assert_eq!((page.items.len(), page.items[0].key.sk()), (3, first));
    }
    for sql in [rows::QUERY_FROM, rows::QUERY_AFTER] {
        let statement = connection.prepare_cached(sql).unwrap();
        let steps = statement.get_status(StatementStatus::VmStep);
        assert!((1..500).contains(&steps), "{steps} steps: {sql}");
    }
}

#[tokio::test]
async fn a_backup_is_whole_while_writing_goes_on() {
    let (table, folder) = table();
    let pair = |n: u64| {
        let of = |sk: &str| item("p", sk, json!({ "n": n }));
        let put = |item| Write::Put { item, when: Condition::Always };
        vec![put(of("a")), put(of("b"))]
    };
    assert!(table.transact(pair(0)).await.unwrap().is_done());
    let writing = async {
        for n in 1..300 {
            assert!(table.transact(pair(n)).await.unwrap().is_done());
        }
    };
    let copy = folder.path().join("copy.db");
    let ((), backed_up) = tokio::join!(writing, table.back_up(&copy));
    backed_up.unwrap();
    assert_eq!(table.back_up(&copy).await.unwrap_err().disposition, Disposition::Reject);
    let copy = SqliteTable::open(&copy).unwrap();
    let items = copy.query("p", &Range::All, None, 10).await.unwrap().items;
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].doc, items[1].doc, "both of one transaction");
    assert_eq!(copy.check().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_file_of_a_later_version_is_refused_and_left_as_it_is() {
    let (first, folder) = table();
    drop(first);
    let path = folder.path().join("table.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let Err(error) = SqliteTable::open(&path) else { panic!("it opened") };
    assert!(error.to_string().contains("has form 99, and this version"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_told_and_nothing_of_it_is_repeated() {
    let (first, folder) = table();
    let items = (0..2_000).map(|n| item("p", &format!("{n:05}"), json!({"name": "Ada Secret"})));
    first.put_many(items.collect()).await.unwrap();
    drop(first);
    let path = folder.path().join("table.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let len = bytes.len();
    bytes[len / 4..len * 3 / 4].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let told = match SqliteTable::open(&path) {
        Err(error) => error.to_string(),
        Ok(table) => {
            let error = table.query("p", &Range::All, None, 5_000).await.unwrap_err();
            assert_eq!(error.disposition, Disposition::Reject);
            error.source.to_string()
        }
    };
    assert!(told.contains("damaged") && told.contains("backup"), "{told}");
    assert!(!told.contains("Secret"), "{told}");
}

#[tokio::test]
async fn a_document_that_is_none_any_more_is_told_as_damage() {
    let (table, folder) = table();
    table.put_many(vec![item("p", "a", json!({"name": "Ada Secret"}))]).await.unwrap();
    let key = Key::stored("p".to_owned(), "a".to_owned());
    let other = Connection::open(folder.path().join("table.db")).unwrap();
    for damage in [r#"'{"name": "Ada Secret'"#, "CAST(x'7bff7d' AS TEXT)", "7"] {
        other.execute(&format!("UPDATE items SET doc = {damage}"), []).unwrap();
        let error = table.get(&key).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Reject, "{damage}");
        let told = error.source.to_string();
        assert!(told.contains("damaged") && !told.contains("Secret"), "{told}");
    }
}

#[test]
fn a_folder_or_a_file_that_cannot_be_written_is_told() {
    let (first, folder) = table();
    drop(first);
    let file = folder.path().join("table.db");
    std::fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    for path in [file, folder.path().join("new.db")] {
        let open = move || {
            if geteuid().is_root() {
                // Root writes anywhere: this one thread is somebody else.
                set_thread_uid(Uid::from_raw(65_534)).unwrap();
            }
            SqliteTable::open(&path).map(drop).unwrap_err().to_string()
        };
        let told = std::thread::spawn(open).join().unwrap();
        assert!(told.contains("the data folder cannot be written: give"), "{told}");
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_work_goes_on_when_there_is_room() {
    let (first, folder) = table();
    drop(first);
    let path = folder.path().join("table.db");
    let connection = sqlite::open(&path, FORMS).unwrap();
    // As a full disk: the file may not grow.
    connection.pragma_update_and_check(None, "max_page_count", 40, |_| Ok(())).unwrap();
    let writer = Writer::start(connection).unwrap();
    let readers = Readers { idle: Mutex::default(), permits: Semaphore::new(1) };
    let table = SqliteTable { path, writer: Arc::new(writer), readers: Arc::new(readers) };
    let large =
        |n: usize| Item { body: Some(vec![7; 100 << 10]), ..item("p", &format!("{n}"), json!({})) };
    let mut written = 0;
    let error = loop {
        match table.put_many(vec![large(written)]).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.disposition, Disposition::Retry);
    assert!(error.source.to_string().contains("make room"), "{}", error.source);
    table.delete_many(&[large(0).key]).await.unwrap();
    table.put_many(vec![large(written)]).await.unwrap();
    let kept = table.query("p", &Range::All, None, 100).await.unwrap().items.len();
    assert_eq!(kept, written, "nothing that was answered is lost");
}

/// The variable that names the file of a process that is to be killed.
const KILLED: &str = "CRM_SYNC_TEST_KILLED_TABLE";

/// Not a test: the process that the next one kills. Tells each transaction once it is answered.
#[tokio::test]
#[ignore = "run by a_kill_loses_nothing_that_was_answered"]
#[expect(clippy::disallowed_methods, reason = "a child process is told its file so")]
async fn a_process_that_is_killed() {
    let Ok(path) = std::env::var(KILLED) else { return };
    let table = SqliteTable::open(Path::new(&path)).unwrap();
    let begin = table.query("p", &Range::All, None, 1_000_000).await.unwrap().items.len() / 3;
    for n in begin.. {
        let put = |part: usize| Write::Put {
            item: item("p", &format!("{n:08}#{part}"), json!({ "n": n })),
            when: Condition::Absent,
        };
        assert!(table.transact((0..3).map(put).collect()).await.unwrap().is_done());
        println!("answered {n}");
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_answered() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("table.db");
    let mut answered = 0;
    for kill in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "table::tests::a_process_that_is_killed", "--ignored"])
            .arg("--nocapture")
            .env(KILLED, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("answered ").and_then(|n| n.parse::<usize>().ok())
        });
        // Killed after another number of answers each time, in the midst of what follows.
        let last = told.take(usize::try_from(kill * 7 + 3).unwrap()).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        answered = answered.max(last + 1);
        let table = SqliteTable::open(&path).unwrap();
        let items = table.query("p", &Range::All, None, 1_000_000).await.unwrap().items;
        assert!(items.len() >= 3 * answered, "{} items of {answered} answers", items.len());
        assert_eq!(items.len() % 3, 0, "a transaction is whole");
        assert_eq!(table.check().await.unwrap(), [""; 0]);
    }
    assert!(answered > 20, "{answered}");
}
