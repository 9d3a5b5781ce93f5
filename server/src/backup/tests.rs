//! Copies taken under writers, and what becomes of copies that are damaged, cut off or too new.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::body::Bytes;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::ports::{Item, Key, ObjectStore, Range, Secrets, Table, VersionId, Write};
use tempfile::TempDir;

use super::*;
use crate::config::{Config, Overrides};
use crate::folder::{MASTER_KEY, OBJECTS, RESTORING, SECRETS, STAGING, TABLE};
use crate::stores::Stores;

/// Objects of a writer that are there at once, so that older ones are deleted all the time.
const KEPT: u64 = 3;

/// Writers of objects, and as many of secrets.
const WRITERS: u64 = 6;

fn config(data: &Path) -> Config {
    Config::read(None, Overrides { data: Some(data.to_owned()), listen: None }).unwrap()
}

async fn open(data: &Path) -> Result<Stores, StoresError> {
    Stores::open(&config(data), "http://127.0.0.1".to_owned()).await
}

fn item(pk: &str, sk: &str, names: &str) -> Item {
    let Value::Object(doc) = json!({ "names": names }) else { unreachable!() };
    Item { key: Key::stored(pk.to_owned(), sk.to_owned()), doc, body: None, expires_at: None }
}

fn delete(pk: &str, sk: &str) -> Write {
    let key = Key::stored(pk.to_owned(), sk.to_owned());
    Write::Delete { key, when: shared::ports::Condition::Always }
}

async fn names(table: &impl Table, pk: &str) -> Vec<String> {
    let page = table.query(pk, &Range::All, None, 1_000).await.unwrap();
    let name = |item: Item| item.doc["names"].as_str().unwrap().to_owned();
    page.items.into_iter().map(name).collect()
}

/// What the writers share.
#[derive(Clone, Default)]
struct Load {
    ends: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
}

impl Load {
    /// Counts a round; false once it is time to end.
    fn goes_on(&self) -> bool {
        self.written.fetch_add(1, Ordering::Relaxed);
        !self.ends.load(Ordering::Relaxed)
    }
}

/// Writes as the product does: an object before its name, and the name goes before the object.
async fn write_objects(live: Live, writer: u64, load: Load) {
    let mut n: u64 = 0;
    while load.goes_on() {
        let key = format!("pages/{writer}/{n}");
        live.objects.put(&key, Bytes::from(key.clone())).await.unwrap();
        let named = item("objects", &format!("{writer}-{n}"), &key);
        live.table.put_many(vec![named]).await.unwrap();
        if let Some(old) = n.checked_sub(KEPT) {
            let gone = live.table.write(delete("objects", &format!("{writer}-{old}"))).await;
            assert!(gone.unwrap().is_done());
            live.objects.delete(&[format!("pages/{writer}/{old}")]).await.unwrap();
        }
        n += 1;
    }
}

/// Writes as the product does: a version before its name. The file keeps the last two.
async fn write_secrets(live: Live, writer: u64, load: Load) {
    let (mut n, name) = (0, format!("secret-{writer}"));
    while load.goes_on() {
        let value = SecretString::from(format!("value {n}"));
        let version = live.secrets.put(&name, &value, &n.to_string()).await.unwrap();
        live.table.put_many(vec![item("secrets", &name, &version.0)]).await.unwrap();
        n += 1;
    }
}

/// Restores a copy beside the key of the folder that it is of, and reads all that its table names.
async fn assert_whole(copy: &Path, data: &Path, restored: &Path) -> usize {
    restore(copy, restored).unwrap();
    fs::copy(data.join(MASTER_KEY), restored.join(MASTER_KEY)).unwrap();
    let stores = open(restored).await.unwrap();
    let objects = names(&stores.table, "objects").await;
    for key in &objects {
        let body = stores.objects.get(key).await.unwrap();
        assert_eq!(body.as_deref(), Some(key.as_bytes()), "{key} is named");
    }
    for writer in 0..WRITERS {
        let name = format!("secret-{writer}");
        let key = Key::stored("secrets".to_owned(), name.clone());
        let Some(named) = stores.table.get(&key).await.unwrap() else { continue };
        let version = VersionId(named.doc["names"].as_str().unwrap().to_owned());
        let value = stores.secrets.get(&name, &version).await.unwrap();
        assert!(value.is_some(), "version {version:?} of {name} is named");
    }
    objects.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_that_the_table_names_is_in_a_copy_whatever_is_written_meanwhile() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let stores = open(&data).await.unwrap();
    let live = stores.live(&data);
    // A table of some size, so that its copy takes a while.
    let filler = "x".repeat(4_000);
    for n in 0..60 {
        let items = (0..100).map(|m| item("filler", &format!("{n}-{m}"), &filler)).collect();
        live.table.put_many(items).await.unwrap();
    }
    let load = Load::default();
    let writers: Vec<_> = (0..WRITERS)
        .flat_map(|n| {
            let objects = tokio::spawn(write_objects(live.clone(), n, load.clone()));
            [objects, tokio::spawn(write_secrets(live.clone(), n, load.clone()))]
        })
        .collect();
    let mut named = 0;
    for n in 0..10 {
        let before = load.written.load(Ordering::Relaxed);
        let copy = folder.path().join(format!("copy-{n}"));
        let staged = live.stage().await.unwrap();
        copy::write(staged.path(), staged.about(), &copy).unwrap();
        drop(staged);
        named += assert_whole(&copy, &data, &folder.path().join(format!("again-{n}"))).await;
        assert!(load.written.load(Ordering::Relaxed) > before, "nobody wrote meanwhile");
    }
    load.ends.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(named > 10, "the copies named {named} objects");
}

/// A copy of a small folder: the copy, and the folder that it is of.
async fn copied(folder: &Path) -> (PathBuf, PathBuf) {
    let (data, copy) = (folder.join("data"), folder.join("copy"));
    let stores = open(&data).await.unwrap();
    stores.objects.put("pages/1", Bytes::from_static(b"page")).await.unwrap();
    stores.table.put_many(vec![item("objects", "1", "pages/1")]).await.unwrap();
    stores.secrets.put("secret-0", &"value".into(), "0").await.unwrap();
    drop(stores);
    backup(&data, &copy).await.unwrap();
    (data, copy)
}

fn list(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_copy_at_rest_needs_no_key_and_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let (data, copy) = copied(folder.path()).await;
    assert_eq!(list(&copy), ["manifest.json", OBJECTS, SECRETS, TABLE]);
    for path in [copy.clone(), copy.join(OBJECTS).join("stored/pages+")] {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o700);
    }
    for path in ["manifest.json", TABLE, SECRETS, "objects/stored/pages+/1"] {
        assert_eq!(fs::metadata(copy.join(path)).unwrap().mode() & 0o777, 0o600, "{path}");
    }
    fs::remove_file(data.join(MASTER_KEY)).unwrap();
    let again = backup(&data, &folder.path().join("without-key")).await.unwrap();
    assert_eq!(again.about.master_key, Manifest::read(&copy).unwrap().about.master_key);
    assert!(list(&data).iter().all(|name| !name.starts_with(STAGING)), "{:?}", list(&data));
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_is_left_of_a_copy_that_fails() {
    let folder = TempDir::new().unwrap();
    let (data, copy) = copied(folder.path()).await;
    assert!(matches!(backup(&data, &copy).await, Err(BackupError::Exists(_))));
    let nothing = backup(&folder.path().join("nowhere"), &folder.path().join("x")).await;
    assert!(matches!(nothing, Err(BackupError::Nothing(_))));
    assert!(!folder.path().join("nowhere").exists());
    fs::write(data.join(TABLE), "no table").unwrap();
    assert!(backup(&data, &folder.path().join("x")).await.is_err());
    assert_eq!(list(folder.path()), ["copy", "data"]);
    assert!(list(&data).iter().all(|name| !name.starts_with(STAGING)), "{:?}", list(&data));
}

#[tokio::test]
async fn a_damaged_copy_is_refused_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let (_, copy) = copied(folder.path()).await;
    let to = folder.path().join("to");
    for path in [TABLE, SECRETS, "objects/stored/pages+/1"] {
        let path = copy.join(path);
        let whole = fs::read(&path).unwrap();
        let mut altered = whole.clone();
        *altered.last_mut().unwrap() ^= 1;
        for damaged in [Some(altered), Some(whole[1..].to_vec()), None] {
            match damaged {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let error = restore(&copy, &to).unwrap_err();
            assert!(matches!(&error, RestoreError::Damaged(at) if *at == path), "{error}");
            assert!(!to.exists());
        }
        fs::write(&path, &whole).unwrap();
    }
    restore(&copy, &to).unwrap();
}

#[tokio::test]
async fn a_manifest_that_is_none_or_leads_elsewhere_or_is_too_new_is_refused() {
    let folder = TempDir::new().unwrap();
    let (data, copy) = copied(folder.path()).await;
    let to = folder.path().join("to");
    let path = copy.join("manifest.json");
    let whole = fs::read_to_string(&path).unwrap();
    let refused = |text: &str| {
        fs::write(&path, text).unwrap();
        let error = restore(&copy, &to).unwrap_err().to_string();
        assert!(!to.exists(), "{error}");
        error
    };
    assert!(refused(&whole[..whole.len() / 2]).contains("is damaged"));
    for elsewhere in ["../table.db", "/table.db", "objects/../lock", "master.key", "objects"] {
        let error = refused(&whole.replacen("\"secrets.db\"", &format!("{elsewhere:?}"), 1));
        assert!(error.contains("is damaged"), "{elsewhere}: {error}");
    }
    let later = refused("{\"form\": 2, \"made_by\": \"9.0.0\", \"files\": 7}");
    assert!(later.contains("form 2") && later.contains("9.0.0"), "{later}");
    let later = refused(&whole.replacen("\"table_form\": 1", "\"table_form\": 99", 1));
    assert!(later.contains("form 99 (of the table)"), "{later}");
    fs::remove_file(&path).unwrap();
    assert!(restore(&copy, &to).unwrap_err().to_string().contains("no copy of crm-sync's"));
    assert!(restore(&data, &to).is_err(), "a data folder is no copy");
}

#[tokio::test]
async fn a_folder_that_holds_something_or_a_part_of_a_copy_is_refused() {
    let folder = TempDir::new().unwrap();
    let (data, copy) = copied(folder.path()).await;
    assert!(matches!(restore(&copy, &data), Err(RestoreError::NotEmpty(_))));
    let to = folder.path().join("to");
    fs::create_dir(&to).unwrap();
    fs::copy(data.join(MASTER_KEY), to.join(MASTER_KEY)).unwrap();
    // Where a kill left it.
    fs::write(to.join(RESTORING), "").unwrap();
    assert!(matches!(restore(&copy, &to), Err(RestoreError::CutOff(_))));
    let started = open(&to).await.err().unwrap();
    assert!(matches!(started, StoresError::RestoreCutOff(_)), "{started}");
    fs::remove_file(to.join(RESTORING)).unwrap();
    restore(&copy, &to).unwrap();
    assert_eq!(names(&open(&to).await.unwrap().table, "objects").await, ["pages/1"]);
}
