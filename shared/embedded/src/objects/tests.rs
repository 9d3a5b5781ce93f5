//! Objects as files: the contract, and what crashes, disks and strangers do.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use futures::future::join_all;
use futures::{Stream, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use shared::capabilities::directory::ShardFiles;
use shared::ports::Disposition;
use shared::testing::{ManualClock, contracts};

use super::path::path_of;
use super::*;

struct World {
    folder: tempfile::TempDir,
    clock: ManualClock,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_second(1_795_288_123).unwrap());
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    fn open(&self) -> FileObjects {
        open(self.folder.path(), self.clock.clone()).unwrap()
    }

    /// The files that are being written.
    fn aside(&self) -> usize {
        fs::read_dir(self.folder.path().join("writing")).unwrap().count()
    }
}

fn open(folder: &Path, clock: ManualClock) -> io::Result<FileObjects> {
    FileObjects::open(ObjectsConfig {
        folder: folder.to_owned(),
        public_base: "https://crm.example.com/".to_owned(),
        signing_key: Zeroizing::new([7; 32]),
        most_upload: 1_000,
        clock: Arc::new(clock),
    })
}

#[tokio::test]
async fn the_objects_of_a_folder_keep_the_contract() {
    let world = World::new();
    contracts::objects(&world.open(), "o/").await;
    contracts::bodies(Arc::new(world.open()), "bodies").await;
}

#[tokio::test]
async fn objects_of_a_folder_that_are_too_old_are_deleted() {
    let world = World::new();
    let objects = world.open();
    for key in ["runs/t/old", "runs/t/new", "t/old"] {
        objects.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    // The file system's own time.
    let put = objects.folder().join(path_of("runs/t/new").unwrap());
    let now: Timestamp = fs::metadata(put).unwrap().modified().unwrap().try_into().unwrap();
    let long_ago = now - SignedDuration::from_hours(24 * 46);
    for key in ["runs/t/old", "t/old"] {
        let file = fs::File::options()
            .write(true)
            .open(objects.folder().join(path_of(key).unwrap()))
            .unwrap();
        file.set_modified(long_ago.into()).unwrap();
    }
    let then = now - SignedDuration::from_hours(24 * 45);
    assert_eq!(objects.delete_before("runs/", then).await.unwrap(), 1);
    assert_eq!(objects.delete_before("runs/", then).await.unwrap(), 0);
    let left: Vec<String> = objects.list("").await.unwrap().into_iter().map(|o| o.key).collect();
    assert_eq!(left, ["runs/t/new", "t/old"]);
}

#[tokio::test]
async fn objects_outlive_the_process_in_key_order() {
    let world = World::new();
    let keys = ["a", "a+b/c", "a-b", "a.b/c", "a/b", "a/b/c", "a/bc", "a0", "ä/é 1"];
    for key in keys.iter().rev() {
        world.open().put(key, Bytes::from(*key)).await.unwrap();
    }
    let objects = world.open();
    let listed = objects.list("").await.unwrap();
    assert_eq!(listed.iter().map(|object| &*object.key).collect::<Vec<_>>(), keys);
    assert!(listed.iter().all(|object| object.size == object.key.len() as u64));
    for prefix in ["a", "a/", "a/b", "a/b/", "a+", "ä/", "b", "a/b/c"] {
        let listed = objects.list(prefix).await.unwrap();
        let expected: Vec<&str> = keys.into_iter().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(listed.iter().map(|o| &*o.key).collect::<Vec<_>>(), expected, "{prefix}");
    }
    for prefix in ["/", "../", "a//", "./a"] {
        assert!(objects.list(prefix).await.unwrap().is_empty(), "{prefix}");
    }
    for key in keys {
        assert_eq!(objects.get(key).await.unwrap().unwrap(), key);
    }
}

#[tokio::test]
async fn no_key_leads_out_of_the_folder() {
    let world = World::new();
    let objects = world.open();
    let outside = world.folder.path().join("outside");
    fs::write(&outside, "theirs").unwrap();
    for key in ["../outside", "a/../../outside", "/etc/hostname", "", "a//b"] {
        let refused = [
            objects.put(key, Bytes::new()).await.unwrap_err(),
            objects.get(key).await.unwrap_err(),
            objects.get_range(key, 0..1).await.unwrap_err(),
            objects.delete(&[key.to_owned()]).await.unwrap_err(),
            objects.presign_put(key, Duration::from_secs(1)).await.unwrap_err(),
        ];
        assert!(refused.iter().all(|error| error.disposition == Disposition::Reject), "{key}");
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), "theirs");
}

#[tokio::test]
async fn deleting_leaves_no_folders_behind_and_no_object_beside() {
    let world = World::new();
    let objects = world.open();
    for key in ["t/production/1/a", "t/production/1/b", "t/sandbox/1/a"] {
        objects.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    let doomed = ["t/production/1/a", "t/production/1/b"].map(str::to_owned);
    objects.delete(&doomed).await.unwrap();
    let left = |folder: &str| objects.folder().join(folder).exists();
    assert!(!left("t+/production+") && left("t+/sandbox+/1+/a"));
    objects.delete(&["t/sandbox/1/a".to_owned()]).await.unwrap();
    assert_eq!(fs::read_dir(objects.folder()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_is_emptied_and_filled_at_once_loses_no_object() {
    let world = World::new();
    let objects = world.open();
    let disk = &objects.0.disk;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let path = path_of(&format!("a/b/{thread}")).unwrap();
                for _ in 0..400 {
                    disk.put(&path, b"x").unwrap();
                    assert_eq!(fs::read(disk.file(&path)).unwrap(), b"x");
                    disk.delete(std::slice::from_ref(&path)).unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_dir(objects.folder()).unwrap().count(), 0);
}

#[tokio::test]
async fn of_many_puts_of_one_key_one_stays_whole() {
    let world = World::new();
    let objects = world.open();
    let bodies: Vec<Bytes> = (0..32_u8).map(|n| vec![n; 40_000 + usize::from(n)].into()).collect();
    let puts = bodies.iter().map(|body| objects.put("a/b", body.clone()));
    assert!(join_all(puts).await.iter().all(Result::is_ok));
    assert!(bodies.contains(&objects.get("a/b").await.unwrap().unwrap()));
    assert_eq!((objects.list("").await.unwrap().len(), world.aside()), (1, 0));
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_no_object_and_is_swept() {
    let world = World::new();
    let objects = world.open();
    objects.put("a", Bytes::from_static(b"before")).await.unwrap();
    let mut aside = objects.0.disk.aside().unwrap();
    io::Write::write_all(&mut aside, b"aft").unwrap();
    aside.keep().unwrap();
    assert_eq!(world.aside(), 1, "as a process leaves it that dies before the renaming");
    drop(objects);
    let objects = world.open();
    assert_eq!(world.aside(), 0);
    assert_eq!(objects.get("a").await.unwrap().unwrap(), "before");
    assert_eq!(objects.list("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn deletions_wait_while_a_backup_runs() {
    let world = World::new();
    let objects = world.open();
    objects.put("a", Bytes::from_static(b"x")).await.unwrap();
    let paused = objects.pause_deletions().await;
    let deleting = tokio::spawn({
        let objects = objects.clone();
        async move { objects.delete(&["a".to_owned()]).await }
    });
    for n in 0..20 {
        objects.put(&format!("b/{n}"), Bytes::new()).await.unwrap();
    }
    assert!(!deleting.is_finished() && objects.folder().join("a").exists());
    drop(paused);
    deleting.await.unwrap().unwrap();
    assert!(!objects.folder().join("a").exists());
}

/// The parameters of an address.
fn parts(address: &str) -> (String, i64, String) {
    let rest = address.strip_prefix("https://crm.example.com/objects/").unwrap();
    let (key, query) = rest.split_once("?expires=").unwrap();
    let (expires, signature) = query.split_once("&signature=").unwrap();
    (key.to_owned(), expires.parse().unwrap(), signature.to_owned())
}

fn body(pieces: &[&'static str]) -> impl Stream<Item = Result<Bytes, io::Error>> + use<> {
    stream::iter(pieces.iter().map(|piece| Ok(Bytes::from(*piece))).collect::<Vec<_>>())
}

#[tokio::test]
async fn an_address_takes_its_object_until_it_is_late() {
    let world = World::new();
    let objects = world.open();
    let address = objects.presign_put("v/part 1", Duration::from_mins(5)).await.unwrap();
    let (key, expires, signature) = parts(&address);
    assert_eq!(key, "v/part%201");
    let put = async |pieces: &[&'static str]| {
        objects.accept("v/part 1", expires, &signature, body(pieces)).await
    };
    put(&["abc", "", "def"]).await.unwrap();
    assert_eq!(objects.get("v/part 1").await.unwrap().unwrap(), "abcdef");
    world.clock.advance(SignedDuration::from_mins(5));
    put(&["again"]).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(1));
    assert!(matches!(put(&["late"]).await, Err(AcceptError::Late)));
    assert_eq!(objects.get("v/part 1").await.unwrap().unwrap(), "again");
    assert_eq!(world.aside(), 0);
}

#[tokio::test]
async fn an_address_that_was_altered_is_refused() {
    let world = World::new();
    let objects = world.open();
    let address = objects.presign_put("v/1", Duration::from_mins(5)).await.unwrap();
    let (_, expires, signature) = parts(&address);
    let other = open(&world.folder.path().join("other"), world.clock.clone()).unwrap();
    assert!(other.accept("v/1", expires, &signature, body(&["x"])).await.is_ok(), "the same key");
    let mut altered: Vec<String> = (0..signature.len())
        .map(|at| {
            let digit = if signature.as_bytes()[at] == b'0' { "1" } else { "0" };
            format!("{}{digit}{}", &signature[..at], &signature[at + 1..])
        })
        .collect();
    altered.extend([String::new(), signature[1..].to_owned(), format!("{signature}0")]);
    for signature in &altered {
        let put = objects.accept("v/1", expires, signature, body(&["x"])).await;
        assert!(matches!(put, Err(AcceptError::Signature)), "{signature}");
    }
    for (key, expires) in [("v/2", expires), ("v/1", expires + 1), ("v/", expires), ("", expires)] {
        let put = objects.accept(key, expires, &signature, body(&["x"])).await;
        assert!(matches!(put, Err(AcceptError::Signature)), "{key} {expires}");
    }
    assert!(objects.list("").await.unwrap().is_empty());
}

#[tokio::test]
async fn checklist_32_an_address_for_reading_gives_its_object_until_it_is_late_and_puts_nothing() {
    let world = World::new();
    let objects = world.open();
    objects.put("v/1", Bytes::from_static(b"abc")).await.unwrap();
    objects.put("v/2", Bytes::from_static(b"others")).await.unwrap();
    let address = objects.presign_get("v/1", Duration::from_mins(15)).await.unwrap();
    let (_, expires, signature) = parts(&address);
    let (_, length) = objects.give("v/1", expires, &signature).await.unwrap();
    assert_eq!(length, 3);
    let put = objects.accept("v/1", expires, &signature, body(&["x"])).await;
    assert!(matches!(put, Err(AcceptError::Signature)), "it puts nothing");
    let for_putting = objects.presign_put("v/1", Duration::from_mins(15)).await.unwrap();
    let (_, same, other) = parts(&for_putting);
    let given = objects.give("v/1", same, &other).await;
    assert!(matches!(given, Err(GiveError::Signature)), "and one for putting gives nothing");
    for (key, expires) in [("v/2", expires), ("v/1", expires + 1), ("", expires)] {
        let given = objects.give(key, expires, &signature).await;
        assert!(matches!(given, Err(GiveError::Signature)), "{key} {expires}");
    }
    world.clock.advance(SignedDuration::from_mins(15));
    objects.give("v/1", expires, &signature).await.unwrap();
    objects.delete(&["v/1".to_owned()]).await.unwrap();
    let gone = objects.give("v/1", expires, &signature).await;
    assert!(matches!(gone, Err(GiveError::Gone)));
    world.clock.advance(SignedDuration::from_secs(1));
    let late = objects.give("v/1", expires, &signature).await;
    assert!(matches!(late, Err(GiveError::Late)));
}

#[tokio::test]
async fn an_upload_that_is_too_large_or_breaks_off_leaves_nothing() {
    let world = World::new();
    let objects = world.open();
    let address = objects.presign_put("v/1", Duration::from_mins(5)).await.unwrap();
    let (_, expires, signature) = parts(&address);
    let piece = || Ok(Bytes::from(vec![1; 500]));
    let most = stream::iter([piece(), piece()] as [io::Result<Bytes>; 2]);
    objects.accept("v/1", expires, &signature, most).await.unwrap();
    let large = stream::repeat_with(move || piece() as io::Result<Bytes>).take(3);
    let put = objects.accept("v/1", expires, &signature, large).await;
    assert!(matches!(put, Err(AcceptError::TooLarge { most: 1_000 })));
    let cut = stream::iter([Ok(Bytes::from_static(b"x")), Err(io::Error::other("gone"))]);
    let put = objects.accept("v/1", expires, &signature, cut).await;
    assert!(matches!(put, Err(AcceptError::Cut(_))));
    assert_eq!(objects.get("v/1").await.unwrap().unwrap().len(), 1_000, "as before");
    assert_eq!(world.aside(), 0);
}

#[tokio::test]
async fn a_shard_file_is_mapped_where_it_lies() {
    let world = World::new();
    let objects = world.open();
    let files = MappedObjects::new(objects.clone());
    objects.put("shards/0", Bytes::from_static(b"one")).await.unwrap();
    let held = files.file("shards/0").await.unwrap();
    assert_eq!((held.file.bytes(), held.fetched), (&b"one"[..], 0));
    let again = files.file("shards/0").await.unwrap();
    assert!(Arc::ptr_eq(&held.file, &again.file), "checked once, held");

    files.forget("shards/0").await;
    let anew = files.file("shards/0").await.unwrap();
    assert!(!Arc::ptr_eq(&held.file, &anew.file));

    objects.put("shards/0", Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(files.file("shards/0").await.unwrap().file.bytes(), b"two", "another file");
    assert_eq!(held.file.bytes(), b"one", "as long as it is held");

    objects.delete(&["shards/0".to_owned()]).await.unwrap();
    for key in ["shards/0", "shards/9", "shards", "../stored/shards+/0"] {
        let error = files.file(key).await.err().unwrap();
        assert_eq!(error.disposition, Disposition::Reject, "{key}");
        assert_eq!(error.source.to_string(), "there is no such object");
    }
}

#[tokio::test]
async fn at_rest_only_files_that_somebody_reads_stay_mapped() {
    let world = World::new();
    let objects = world.open();
    let files = MappedObjects::new(objects.clone());
    for key in ["shards/0", "shards/1"] {
        objects.put(key, Bytes::from_static(b"one")).await.unwrap();
    }
    let read = files.file("shards/0").await.unwrap().file;
    let unread = Arc::downgrade(&files.file("shards/1").await.unwrap().file);
    files.rest();
    assert!(unread.upgrade().is_none(), "nobody reads it");
    assert!(Arc::ptr_eq(&files.file("shards/0").await.unwrap().file, &read), "still mapped");
    assert_eq!(files.file("shards/1").await.unwrap().file.bytes(), b"one", "mapped again");
}

/// A shard of some people, as the directory's build writes it.
fn shard() -> Vec<u8> {
    use shared::matching::{EntityKind, Person, PersonForm, ShardBuilder, StatisticsBuilder};
    let mut shard = ShardBuilder::new(EntityKind::Person, 0, 1);
    for n in 0..100 {
        let person = format!(
            r#"{{"id":"p{n}","first_name":"Given{n}","last_name":"Family{n}",
            "company":{{"name":"Company {n} Ltd"}},"city":"Berlin","country":"Germany"}}"#
        );
        let person: Person = serde_json::from_str(&person).unwrap();
        shard.add_person(&PersonForm::from(&person));
    }
    let mut counts = StatisticsBuilder::sized_for(100);
    counts.add(&shard);
    let mut refinements = counts.refine();
    refinements.add(&shard);
    shard.finish(&refinements.finish())
}

#[tokio::test]
async fn a_truncated_object_is_told_and_opens_once_it_is_whole() {
    let world = World::new();
    let objects = world.open();
    let files = MappedObjects::new(objects.clone());
    let whole = shard();
    let path = objects.folder().join("shards+/0");
    objects.put("shards/0", whole.clone().into()).await.unwrap();
    let end = whole.len() as u64;
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();

    let part = objects.get_range("shards/0", 0..end).await.unwrap_err();
    assert_eq!(part.disposition, Disposition::Reject, "as for any range beyond the object");
    let held = files.file("shards/0").await.unwrap();
    let error = held.file.shard().err().unwrap();
    assert_eq!(error.action, "open a shard");
    assert_eq!(error.disposition, Disposition::Retry);

    files.forget("shards/0").await;
    objects.put("shards/0", whole.into()).await.unwrap();
    assert_eq!(files.file("shards/0").await.unwrap().file.shard().unwrap().len(), 100);
}

/// Tells the child of a test what it is: its folder.
const CHILD: &str = "EMBEDDED_TEST_FOLDER";

/// This very test again, in a process of its own.
fn again(test: &str, folder: &Path, shell: &str) -> Command {
    let mut child = Command::new("sh");
    let run = format!("{shell} exec \"$0\" --exact objects::tests::{test} --nocapture");
    child.arg("-c").arg(run).arg(std::env::current_exe().unwrap()).env(CHILD, folder);
    child
}

fn child_folder() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

fn now() -> ManualClock {
    ManualClock::at(Timestamp::UNIX_EPOCH)
}

#[tokio::test]
async fn a_full_disk_is_told_and_harms_no_object() {
    if let Some(folder) = child_folder() {
        let objects = open(&folder, now()).unwrap();
        let error = objects.put("a", vec![1; 200_000].into()).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Retry, "it may pass");
        let large = objects.put("large", vec![1; 200_000].into()).await;
        assert!(large.is_err());
        objects.put("small", Bytes::from_static(b"x")).await.unwrap();
        println!("refused as it should be");
        return;
    }
    let world = World::new();
    let objects = world.open();
    objects.put("a", Bytes::from_static(b"before")).await.unwrap();
    // Files of at most some 50 KB, and an error instead of a signal.
    let limits = "trap '' XFSZ; ulimit -f 100;";
    let child = again("a_full_disk_is_told_and_harms_no_object", world.folder.path(), limits)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && told.contains("refused as it should be"), "{told}");
    assert_eq!(objects.get("a").await.unwrap().unwrap(), "before");
    assert_eq!(objects.get("large").await.unwrap(), None);
    assert_eq!(objects.get("small").await.unwrap().unwrap(), "x");
    assert_eq!(world.aside(), 0);
}

/// A user without the right to write where root made a folder.
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    if let Some(folder) = child_folder() {
        let error = open(&folder.join("new"), now()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let objects = open(&folder, now()).unwrap();
        let error = objects.put("a", Bytes::from_static(b"after")).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Retry, "until it is handed back");
        assert!(objects.delete(&["a".to_owned()]).await.is_err());
        assert_eq!(objects.get("a").await.unwrap().unwrap(), "before");
        println!("refused as it should be");
        return;
    }
    let world = World::new();
    let objects = world.open();
    objects.put("a", Bytes::from_static(b"before")).await.unwrap();
    let folders = ["", "stored", "writing"].map(|name| world.folder.path().join(name));
    let mode = |mode| {
        for folder in &folders {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    mode(0o555);
    fs::set_permissions(objects.folder().join("a"), fs::Permissions::from_mode(0o444)).unwrap();
    let mut child = again("a_folder_that_cannot_be_written_is_told", world.folder.path(), "");
    if rustix::process::geteuid().is_root() {
        // Nothing is read-only for root.
        child.uid(NOBODY);
    }
    let child = child.output().unwrap();
    mode(0o755);
    let told = String::from_utf8_lossy(&child.stdout);
    let errors = String::from_utf8_lossy(&child.stderr);
    let refused = told.contains("refused as it should be");
    assert!(child.status.success() && refused, "{told}{errors}");
    assert_eq!(objects.get("a").await.unwrap().unwrap(), "before");
}
