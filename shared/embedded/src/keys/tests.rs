//! Keys and secrets: the contracts, wrong keys, rotations that are killed, and what is left behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use secrecy::{ExposeSecret, SecretString};
use shared::ports::{DataKeys, Disposition, Entropy, KeyContext, Purpose, Secrets, VersionId};
use shared::testing::{SeededEntropy, contracts};

use super::*;

fn entropy(seed: u64) -> Arc<dyn Entropy> {
    Arc::new(SeededEntropy::new(seed))
}

fn master(seed: u64) -> MasterKey {
    MasterKey::generate(&*entropy(seed))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn open(path: &Path, key: u64, seed: u64) -> Result<SealedSecrets, OpenSecretsError> {
    SealedSecrets::open(path, &master(key), entropy(seed))
}

#[tokio::test]
async fn the_sealed_secrets_keep_the_contract() {
    let folder = folder();
    contracts::secrets(&open(&folder.path().join("secrets.db"), 1, 2).unwrap(), "s").await;
}

#[tokio::test]
async fn the_local_data_keys_keep_the_contract() {
    let folder = folder();
    let secrets = open(&folder.path().join("secrets.db"), 1, 2).unwrap();
    contracts::data_keys(&secrets.data_keys(), "k").await;
}

#[test]
fn a_key_is_read_as_base64_and_as_hex() {
    let key = [0xFB, 0xEF].repeat(16);
    let hex = "fbef".repeat(16);
    let base64 = base64::prelude::BASE64_STANDARD.encode(&key);
    let url = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(&key);
    assert!(base64.contains('+') && url.contains('-'));
    for text in [hex.to_uppercase(), format!(" {base64}\n"), url, hex] {
        assert_eq!(MasterKey::from_text(&text).unwrap().bytes()[..], key[..], "{text}");
    }
}

#[test]
fn a_text_that_is_no_key_is_refused_and_not_repeated() {
    let secret = "c2VjcmV0LXZhbHVlLXRoYXQtaXMtbm8ta2V5";
    for text in [secret, &"ab".repeat(31), &"ab".repeat(33), &"zz".repeat(32), "pass word"] {
        let error = MasterKey::from_text(text).unwrap_err();
        assert!(matches!(error, MasterKeyError::Text), "{text}");
        assert!(!format!("{error} {error:?}").contains(text));
    }
    assert!(matches!(MasterKey::from_text(" \n"), Err(MasterKeyError::Empty)));
    let key = master(1);
    let text = base64::prelude::BASE64_STANDARD.encode(key.bytes());
    assert!(!format!("{key:?}").contains(&text));
}

#[test]
fn a_generated_file_is_for_its_owner_alone_and_is_never_overwritten() {
    let folder = folder();
    let path = folder.path().join("master.key");
    let key = MasterKey::generate_file(&path, &*entropy(1)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(MasterKey::from_file(&path).unwrap().id(), key.id());
    let again = MasterKey::generate_file(&path, &*entropy(2));
    assert!(matches!(again, Err(MasterKeyError::Exists { .. })));
    assert_eq!(MasterKey::from_file(&path).unwrap().id(), key.id());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_that_others_may_use_or_that_is_none_is_refused() {
    let folder = folder();
    let path = folder.path().join("master.key");
    assert!(matches!(MasterKey::from_file(&path), Err(MasterKeyError::NoFile { .. })));
    let is_folder = MasterKey::from_file(folder.path());
    assert!(matches!(is_folder, Err(MasterKeyError::NoRegularFile { .. })));
    MasterKey::generate_file(&path, &*entropy(1)).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = MasterKey::from_file(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("chmod 600 '{}'", path.display())), "{error}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(MasterKey::from_file(&path).is_ok(), "{mode:o}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "").unwrap();
    assert!(matches!(MasterKey::from_file(&path), Err(MasterKeyError::Empty)));
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        let error = MasterKey::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("chown 0 '"), "{error}");
    }
}

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

#[tokio::test]
async fn a_command_gives_the_key_by_its_standard_output_alone() {
    let text = base64::prelude::BASE64_STANDARD.encode(master(1).bytes());
    let limit = Duration::from_secs(20);
    let says = format!("echo {text}; echo noise >&2");
    let key = MasterKey::from_command(&shell(&says), limit).await.unwrap();
    assert_eq!(key.id(), master(1).id());

    let failing = format!("echo {text}; echo hush-hush >&2; exit 3");
    let error = MasterKey::from_command(&shell(&failing), limit).await.unwrap_err();
    assert!(matches!(error, MasterKeyError::Failed(_)));
    let told = format!("{error} {error:?}");
    assert!(told.contains('3') && !told.contains("hush-hush") && !told.contains(&text));

    let only_errors = format!("echo {text} >&2");
    let error = MasterKey::from_command(&shell(&only_errors), limit).await.unwrap_err();
    assert!(matches!(error, MasterKeyError::Empty));
    let error = MasterKey::from_command(&[], limit).await.unwrap_err();
    assert!(matches!(error, MasterKeyError::NoCommand));
    let error = MasterKey::from_command(&["no-such-program".into()], limit).await.unwrap_err();
    assert!(matches!(error, MasterKeyError::Command(_)));
}

#[tokio::test]
async fn a_command_that_does_not_end_is_killed() {
    let limit = Duration::from_millis(300);
    let began = std::time::Instant::now();
    let error = MasterKey::from_command(&shell("exec sleep 60"), limit).await.unwrap_err();
    assert!(matches!(error, MasterKeyError::Slow(_)));
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn each_purpose_has_a_key_of_its_own() {
    let key = master(1);
    let derived = ["uploads", "secrets", "data keys"].map(|purpose| key.derive(purpose));
    assert!(derived[0] != derived[1] && derived[1] != derived[2] && derived[0] != derived[2]);
    assert!(derived.iter().all(|derived| **derived != *key.bytes()));
    assert_eq!(key.derive("uploads"), derived[0], "stored things depend on it");
}

#[tokio::test]
async fn a_wrong_master_key_is_told_before_anything_starts_and_changes_nothing() {
    let folder = folder();
    let path = folder.path().join("secrets.db");
    let secrets = open(&path, 1, 2).unwrap();
    let version = secrets.put("n", &"value".into(), "t").await.unwrap();
    drop(secrets);
    let error = open(&path, 9, 3).err().unwrap();
    assert!(matches!(error, OpenSecretsError::WrongKey { .. }));
    let told = error.to_string();
    let ids = [master(1).id(), master(9).id()].map(|id| id.to_string());
    assert!(ids.iter().all(|id| told.contains(id)), "{told}");
    let secrets = open(&path, 1, 4).unwrap();
    let value = secrets.get("n", &version).await.unwrap().unwrap();
    assert_eq!(value.expose_secret(), "value");
}

#[tokio::test]
async fn a_damaged_file_is_told() {
    let folder = folder();
    let path = folder.path().join("secrets.db");
    fs::write(&path, "something else, and long enough to be looked at ".repeat(100)).unwrap();
    assert!(matches!(open(&path, 1, 2), Err(OpenSecretsError::Damaged)));
}

#[tokio::test]
async fn a_second_opening_is_refused_until_the_first_ends() {
    let folder = folder();
    let path = folder.path().join("secrets.db");
    let first = open(&path, 1, 2).unwrap();
    assert!(matches!(open(&path, 1, 3), Err(OpenSecretsError::InUse)));
    let rotated = SealedSecrets::rotate(&path, &master(1), &master(2), &*entropy(4));
    assert!(matches!(rotated, Err(OpenSecretsError::InUse)));
    drop(first);
    assert!(open(&path, 1, 5).is_ok());
}

#[tokio::test]
async fn an_opening_waits_for_one_that_is_about_to_end() {
    let folder = folder();
    let path = folder.path().join("secrets.db");
    let first = open(&path, 1, 2).unwrap();
    let ending = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(first);
    });
    assert!(open(&path, 1, 3).is_ok());
    ending.join().unwrap();
}

#[tokio::test]
async fn a_token_writes_one_value_only_and_old_versions_go() {
    let folder = folder();
    let secrets = open(&folder.path().join("secrets.db"), 1, 2).unwrap();
    let mut versions = Vec::new();
    for n in 0..4 {
        let value = SecretString::from(format!("value {n}"));
        versions.push(secrets.put("n", &value, &format!("t{n}")).await.unwrap());
    }
    let other = secrets.put("n", &"value 9".into(), "t3").await.unwrap_err();
    assert_eq!(other.disposition, Disposition::Reject);
    for (n, version) in versions.iter().enumerate() {
        let value = secrets.get("n", version).await.unwrap();
        let value = value.map(|value| value.expose_secret().to_owned());
        assert_eq!(value, (n >= 2).then(|| format!("value {n}")), "the current and the previous");
    }
}

/// All bytes of all files of a folder.
fn bytes_of(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap();
    files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The sealed text of every version of a secret, as it lies in the file.
fn sealed(secrets: &SealedSecrets, name: &str) -> Vec<Vec<u8>> {
    let opened = secrets.opened();
    let mut rows = opened.database.prepare("SELECT sealed FROM secrets WHERE name = ?1").unwrap();
    rows.query_map([name], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_destroyed_secret_leaves_no_bytes_in_the_files() {
    let folder = folder();
    let secrets = open(&folder.path().join("secrets.db"), 1, 2).unwrap();
    let noise: String =
        (0_u32..6_000).map(|n| char::from(b'a' + (n * n % 251 % 26) as u8)).collect();
    for n in 0..30 {
        let value = SecretString::from(format!("{noise}{n}"));
        secrets.put(&format!("name-{n}"), &value, "one").await.unwrap();
        secrets.put(&format!("name-{n}"), &format!("{noise}{n}!").into(), "two").await.unwrap();
    }
    let doomed = sealed(&secrets, "name-7");
    let stays = sealed(&secrets, "name-8");
    let tail = |text: &[u8]| text[text.len() - 40..].to_vec();
    let before = bytes_of(folder.path());
    assert!(doomed.iter().all(|text| holds(&before, &tail(text))), "the scan finds what is there");
    assert!(!holds(&before, &noise.as_bytes()[..40]), "nothing lies in the clear");
    secrets.destroy("name-7").await.unwrap();
    let after = bytes_of(folder.path());
    for text in &doomed {
        let pieces = text.chunks(64).filter(|piece| piece.len() == 64);
        assert!(pieces.into_iter().all(|piece| !holds(&after, piece)));
        assert!(!holds(&after, &tail(text)));
    }
    assert!(!holds(&after, b"name-7two"), "nor its name and version in an index");
    assert!(stays.iter().all(|text| holds(&after, &tail(text))));
}

fn context() -> KeyContext {
    KeyContext::new("c", Purpose::Records)
}

#[tokio::test]
async fn a_rotation_leaves_the_old_key_nothing_and_loses_nothing() {
    let folder = folder();
    let path = folder.path().join("secrets.db");
    let secrets = open(&path, 1, 2).unwrap();
    let version = secrets.put("n", &"value".into(), "t").await.unwrap();
    let (plain, wrapped) = secrets.data_keys().generate(&context()).await.unwrap();
    let old = sealed(&secrets, "n");
    drop(secrets);

    let rotate =
        |old, new, seed| SealedSecrets::rotate(&path, &master(old), &master(new), &*entropy(seed));
    assert_eq!(rotate(1, 2, 10).unwrap(), Rotation::Done { secrets: 1 });
    assert_eq!(rotate(1, 2, 11).unwrap(), Rotation::Before, "again");
    assert!(matches!(rotate(1, 3, 12), Err(OpenSecretsError::WrongKey { .. })));
    assert!(!holds(&bytes_of(folder.path()), &old[0]));
    assert!(matches!(open(&path, 1, 13), Err(OpenSecretsError::WrongKey { .. })));
    assert_eq!(rotate(2, 3, 14).unwrap(), Rotation::Done { secrets: 1 }, "twice");

    let secrets = open(&path, 3, 15).unwrap();
    let value = secrets.get("n", &version).await.unwrap().unwrap();
    assert_eq!(value.expose_secret(), "value");
    let keys = secrets.data_keys();
    assert_eq!(
        *keys.unwrap(&wrapped, &context()).await.unwrap(),
        *plain,
        "of the first master key"
    );
    let (newer, wrapped_now) = keys.generate(&context()).await.unwrap();
    assert_ne!(wrapped.0[1..9], wrapped_now.0[1..9], "each names its master key");
    assert_eq!(*keys.unwrap(&wrapped_now, &context()).await.unwrap(), *newer);
    drop(secrets);

    // Back to the first: it is retired no more, and the others are.
    assert_eq!(rotate(3, 1, 16).unwrap(), Rotation::Done { secrets: 1 });
    let keys = open(&path, 1, 17).unwrap().data_keys();
    assert_eq!(*keys.unwrap(&wrapped, &context()).await.unwrap(), *plain);
    assert_eq!(*keys.unwrap(&wrapped_now, &context()).await.unwrap(), *newer);
}

#[tokio::test]
async fn a_data_key_of_an_unknown_master_key_waits_for_the_operator() {
    let folder = folder();
    let one = open(&folder.path().join("one.db"), 1, 2).unwrap().data_keys();
    let two = open(&folder.path().join("two.db"), 2, 3).unwrap().data_keys();
    let (_, mut wrapped) = one.generate(&context()).await.unwrap();
    let error = two.unwrap(&wrapped, &context()).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Pause);
    for at in [0, 9, 20, wrapped.0.len() - 1] {
        wrapped.0[at] ^= 1;
        let error = one.unwrap(&wrapped, &context()).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Reject, "altered at {at}");
        wrapped.0[at] ^= 1;
    }
}

#[tokio::test]
async fn a_backup_opens_under_the_same_key() {
    let folder = folder();
    let secrets = open(&folder.path().join("secrets.db"), 1, 2).unwrap();
    let version = secrets.put("n", &"value".into(), "t").await.unwrap();
    let copy = folder.path().join("copy.db");
    secrets.back_up(&copy).await.unwrap();
    assert!(secrets.back_up(&copy).await.is_err(), "nothing is overwritten");
    assert!(matches!(open(&copy, 2, 3), Err(OpenSecretsError::WrongKey { .. })));
    let value = open(&copy, 1, 3).unwrap().get("n", &version).await.unwrap().unwrap();
    assert_eq!(value.expose_secret(), "value");
}

/// Tells the child of a test where its database is.
const CHILD: &str = "EMBEDDED_TEST_SECRETS";

/// Tells the child after how many draws of randomness it dies; each sealed text takes one.
const DRAWS: &str = "EMBEDDED_TEST_DRAWS";

/// Enough that a rotation's pages do not fit into the cache: some reach the disk before it ends.
const MANY: usize = 3_000;

/// This test again, in a process of its own.
fn again(test: &str, path: &Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("keys::tests::{test}")]).env(CHILD, path);
    child.stdout(Stdio::null()).stderr(Stdio::null());
    child
}

fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Randomness that kills the process, without a chance to tidy up.
struct Deadly {
    left: AtomicUsize,
    source: Arc<dyn Entropy>,
}

impl Entropy for Deadly {
    fn fill(&self, bytes: &mut [u8]) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            std::process::abort();
        }
        self.source.fill(bytes);
    }
}

#[tokio::test]
async fn a_rotation_that_is_killed_anywhere_is_done_or_not_begun() {
    if let Some(path) = child_path() {
        let left =
            std::env::var_os(DRAWS).unwrap().to_str().unwrap().parse::<usize>().unwrap().into();
        let deadly = Deadly { left, source: entropy(7) };
        SealedSecrets::rotate(&path, &master(1), &master(2), &deadly).unwrap();
        return;
    }
    let folder = folder();
    let path = folder.path().join("secrets.db");
    fill(&path);
    // The secrets, the retired key, the check value; then nothing is left to die at.
    let deaths = [0, 1, MANY / 2, MANY - 1, MANY, MANY + 1];
    for draws in deaths {
        let mut child = again("a_rotation_that_is_killed_anywhere_is_done_or_not_begun", &path);
        let ended = child.env(DRAWS, draws.to_string()).status().unwrap();
        assert!(ended.signal().is_some(), "killed at {draws}");
        let refused = open(&path, 2, 20).err().unwrap();
        assert!(matches!(refused, OpenSecretsError::WrongKey { .. }), "killed at {draws}");
        check_all(&path, 1).await;
    }
    let mut child = again("a_rotation_that_is_killed_anywhere_is_done_or_not_begun", &path);
    let ended = child.env(DRAWS, (MANY + 2).to_string()).status().unwrap();
    assert!(ended.success(), "the deaths above were all there are");
    check_all(&path, 2).await;
    let again = SealedSecrets::rotate(&path, &master(1), &master(2), &*entropy(8));
    assert_eq!(again.unwrap(), Rotation::Before);
}

#[tokio::test]
async fn what_a_kill_left_in_the_log_is_gone_after_the_next_opening() {
    if let Some(path) = child_path() {
        let secrets = open(&path, 1, 7).unwrap();
        secrets.opened().database.execute("DELETE FROM secrets WHERE name = 'n'", []).unwrap();
        std::process::abort();
    }
    let folder = folder();
    let path = folder.path().join("secrets.db");
    let secrets = open(&path, 1, 2).unwrap();
    secrets.put("n", &"a value that is destroyed".into(), "t").await.unwrap();
    let doomed = sealed(&secrets, "n").remove(0);
    drop(secrets);
    let mut child = again("what_a_kill_left_in_the_log_is_gone_after_the_next_opening", &path);
    assert!(child.status().unwrap().signal().is_some());
    assert!(holds(&bytes_of(folder.path()), &doomed), "the kill came between the two");
    let _opened = open(&path, 1, 3).unwrap();
    assert!(!holds(&bytes_of(folder.path()), &doomed));
}

fn fill(path: &Path) {
    let secrets = open(path, 1, 5).unwrap();
    let (own, entropy) = (secrets::sealer(&master(1)), entropy(6));
    let mut opened = secrets.opened();
    let whole = opened.database.transaction().unwrap();
    for n in 0..MANY {
        let (name, value) = (format!("n{n}"), format!("value {n}"));
        let place = secrets::place(&name, "t");
        let sealed = own.seal(&place, value.as_bytes(), &*entropy).unwrap();
        let insert = "INSERT INTO secrets (name, version, sealed) VALUES (?1, 't', ?2)";
        whole.execute(insert, rusqlite::params![name, sealed]).unwrap();
    }
    whole.commit().unwrap();
}

async fn check_all(path: &Path, key: u64) {
    let secrets = open(path, key, 30).unwrap();
    for n in (0..MANY).step_by(97) {
        let value = secrets.get(&format!("n{n}"), &VersionId("t".to_owned())).await.unwrap();
        assert_eq!(value.unwrap().expose_secret(), format!("value {n}"));
    }
}

#[tokio::test]
async fn a_file_in_use_is_rotated_while_others_read_and_write() {
    let folder = folder();
    let path = folder.path().join("secrets.db");
    let secrets = open(&path, 1, 2).unwrap();
    let keys = secrets.data_keys();
    let (plain, before) = keys.generate(&context()).await.unwrap();
    let ends = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let busy = tokio::spawn({
        let (secrets, keys, ends) = (secrets.clone(), keys.clone(), ends.clone());
        async move {
            let mut wrapped = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let (name, value) = (format!("n{}", wrapped.len()), format!("v{}", wrapped.len()));
                let version = secrets.put(&name, &value.as_str().into(), "t").await.unwrap();
                let held = secrets.get(&name, &version).await.unwrap().unwrap();
                assert_eq!(held.expose_secret(), value);
                wrapped.push(keys.generate(&context()).await.unwrap());
            }
            wrapped
        }
    });
    for key in 2..6 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (done, old) = secrets.rotate_open(master(key)).await.unwrap();
        assert!(matches!(done, Rotation::Done { .. }));
        assert_eq!(old, master(key - 1).id());
        let (again, _) = secrets.rotate_open(master(key)).await.unwrap();
        assert_eq!(again, Rotation::Before);
    }
    ends.store(true, Ordering::Relaxed);
    let wrapped = busy.await.unwrap();
    assert!(wrapped.len() > 4, "{}", wrapped.len());
    drop((secrets, keys));
    assert_eq!(SealedSecrets::sealed_under(&path).unwrap(), Some(master(5).id()));
    assert!(matches!(open(&path, 4, 8), Err(OpenSecretsError::WrongKey { .. })));
    let secrets = open(&path, 5, 9).unwrap();
    let keys = secrets.data_keys();
    assert_eq!(
        keys.unwrap(&before, &context()).await.unwrap(),
        plain,
        "wrapped under the first key"
    );
    for (n, (plain, wrapped)) in wrapped.into_iter().enumerate() {
        assert_eq!(keys.unwrap(&wrapped, &context()).await.unwrap(), plain);
        let (_, value) = secrets.newest(&format!("n{n}")).await.unwrap().unwrap();
        assert_eq!(value.expose_secret(), format!("v{n}"));
    }
}
