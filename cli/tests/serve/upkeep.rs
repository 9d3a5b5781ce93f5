//! What the keeper of a data folder does beside `serve`: copies, keys, dead letters, modes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

/// Runs a command that must succeed, and gives what it prints.
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", error_of(&output));
    String::from_utf8(output.stdout).unwrap()
}

impl Place {
    /// A path beside the data folder.
    fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn backup_command(&self, to: &Path) -> Command {
        let mut command = self.command(&["backup"]);
        command.arg("--to").arg(to);
        command
    }

    fn restore_command(&self, from: &Path) -> Command {
        let mut command = self.command(&["restore"]);
        command.arg("--from").arg(from);
        command
    }

    fn put(&self, address: &str, lines: usize) {
        let put = self.client.put(address).body(companies(lines)).send().unwrap();
        assert_eq!(put.status(), StatusCode::OK);
    }

    fn publish(&self, token: &str, version: &str) {
        let publish = format!("/v1/directory/versions/{version}/publish");
        assert_eq!(self.post(&publish, token, &json!({})).status(), StatusCode::ACCEPTED);
        self.wait("published", || self.state(token, version) == "published");
    }
}

/// Ends what waits for it, also when a test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Begins versions and uploads their parts until it is told to end. Notes each that was answered.
fn load(place: &Place, token: &str, ends: &AtomicBool, answered: &Mutex<Vec<String>>) {
    while !ends.load(Ordering::Relaxed) {
        let (version, address) = place.begin(token);
        place.put(&address, 500);
        answered.lock().unwrap().push(version);
    }
}

#[test]
fn a_backup_taken_under_load_holds_whatever_was_answered_before_it() {
    let place = Place::new();
    let served = place.started();
    let token = place.token(&["--role", "service", "--valid", "1h"]);
    let (published, address) = place.begin(&token);
    place.put(&address, 2_000);
    place.publish(&token, &published);

    let (ends, answered) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let count = || answered.lock().unwrap().len();
    let copy = place.beside("copy");
    let before = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| load(&place, &token, &ends, &answered));
        }
        let _ends = Ends(&ends);
        place.wait("under load", || count() > 10);
        let before = answered.lock().unwrap().clone();
        let said = done(&mut place.backup_command(&copy));
        assert!(said.contains("is not in it"), "{said}");
        let meanwhile = count();
        assert!(meanwhile > before.len(), "nobody was answered while it was backed up");
        place.wait("going on", || count() > meanwhile);
        before
    });
    served.kill();
    assert!(!copy.join("master.key").exists());

    let again = Place::new();
    let said = done(&mut again.restore_command(&copy));
    assert!(said.contains("opens under the master key"), "{said}");
    let error = refused(&mut again.serve_command());
    assert!(error.contains("is missing: put the key back"), "{error}");
    let another = Place::new();
    another.started().terminate();
    let key = again.data().join("master.key");
    fs::copy(another.data().join("master.key"), &key).unwrap();
    let error = refused(&mut again.serve_command());
    assert!(error.contains("sealed under the master key"), "{error}");
    fs::copy(place.data().join("master.key"), &key).unwrap();

    let _served = again.started();
    assert_eq!(again.state(&token, &published), "published");
    for version in &before {
        assert_eq!(again.state(&token, version), "draft", "{version}");
    }
    // Its part was uploaded before the backup.
    again.publish(&token, before.last().unwrap());
}

#[test]
fn a_backup_of_a_killed_folder_is_taken_without_a_process() {
    let place = Place::new();
    let served = place.started();
    let token = place.token(&["--role", "service", "--valid", "1h"]);
    let (version, address) = place.begin(&token);
    place.put(&address, 100);
    served.kill();
    let copy = place.beside("copy");
    done(&mut place.backup_command(&copy));
    let error = refused(&mut place.backup_command(&copy));
    assert!(error.contains("exists and is not overwritten"), "{error}");
    let error = refused(&mut place.restore_command(&copy));
    assert!(error.contains("is not empty"), "{error}");

    let again = Place::new();
    done(&mut again.restore_command(&copy));
    fs::copy(place.data().join("master.key"), again.data().join("master.key")).unwrap();
    let _served = again.started();
    again.publish(&token, &version);
}

#[test]
fn a_damaged_backup_is_refused_and_names_the_file() {
    let place = Place::new();
    place.started().terminate();
    let copy = place.beside("copy");
    done(&mut place.backup_command(&copy));
    let table = copy.join("table.db");
    let mut bytes = fs::read(&table).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&table, bytes).unwrap();
    let again = Place::new();
    let error = refused(&mut again.restore_command(&copy));
    assert!(error.contains("table.db is damaged or missing"), "{error}");
    assert!(!again.data().exists());
}

#[test]
fn a_command_that_dies_leaves_nothing_behind_in_the_folder() {
    let place = Place::new();
    let _served = place.started();
    let staged = || {
        let entries = fs::read_dir(place.data()).unwrap();
        entries.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("staging"))
    };
    let client = Client::builder().unix_socket(place.data().join("control.sock")).build().unwrap();
    let held = client.post("http://crm-sync/backup").body("null").send().unwrap();
    assert_eq!(held.status(), StatusCode::OK);
    assert_eq!(staged().count(), 1);
    let error = refused(&mut place.backup_command(&place.beside("copy")));
    assert!(error.contains("another backup is under way"), "{error}");
    drop(held);
    drop(client);
    place.wait("swept", || staged().count() == 0);
    done(&mut place.backup_command(&place.beside("copy")));
}

#[test]
fn a_key_is_rotated_under_load_and_old_backups_open_under_the_old_one() {
    let place = Place::new();
    let served = place.started();
    let token = place.token(&["--role", "service", "--valid", "1h"]);
    let old_copy = place.beside("old-copy");
    done(&mut place.backup_command(&old_copy));
    let old_key = fs::read(place.data().join("master.key")).unwrap();
    let (ends, answered) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let count = || answered.lock().unwrap().len();
    let said = thread::scope(|scope| {
        scope.spawn(|| load(&place, &token, &ends, &answered));
        let _ends = Ends(&ends);
        place.wait("under load", || count() > 2);
        let said = done(&mut place.command(&["keys", "rotate"]));
        let meanwhile = count();
        place.wait("going on", || count() > meanwhile);
        said
    });
    assert_ne!(fs::read(place.data().join("master.key")).unwrap(), old_key);
    let kept = said.split_whitespace().find(|word| word.contains("master.key.")).unwrap();
    assert_eq!(fs::read(kept.trim_end_matches(':')).unwrap(), old_key, "{said}");
    let after = place.token(&["--role", "service"]);
    let new_copy = place.beside("new-copy");
    done(&mut place.backup_command(&new_copy));
    served.kill();

    let _served = place.started();
    let version = answered.lock().unwrap().last().unwrap().clone();
    assert_eq!(place.state(&token, &version), "draft");
    place.publish(&after, &version);
    let new_key = fs::read(place.data().join("master.key")).unwrap();
    for (copy, right, wrong) in [(old_copy, &old_key, &new_key), (new_copy, &new_key, &old_key)] {
        let again = Place::new();
        done(&mut again.restore_command(&copy));
        let key = again.data().join("master.key");
        fs::write(&key, wrong).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let error = refused(&mut again.serve_command());
        assert!(error.contains("sealed under the master key"), "{error}");
        fs::write(&key, right).unwrap();
        again.started().terminate();
    }
}

/// Whenever the kill comes, the folder opens: a token is signed with a key among the secrets.
#[test]
fn a_rotation_that_is_killed_leaves_a_folder_that_opens() {
    let place = Place::new();
    place.started().terminate();
    let mut rotated = 0;
    for n in 0..16 {
        let before = fs::read(place.data().join("master.key")).unwrap();
        let mut command = place.command(&["keys", "rotate"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(4 * n));
        let _ = child.kill();
        child.wait().unwrap();
        place.token(&["--role", "service"]);
        rotated += u32::from(fs::read(place.data().join("master.key")).unwrap() != before);
    }
    done(&mut place.command(&["keys", "rotate"]));
    assert!(!place.data().join("master.key.next").exists());
    println!("{rotated} of 16 killed rotations were done");
    place.started().terminate();
}

/// A dead letter of a step of the directory, as its file has it.
fn dead_letter(version: &str) -> String {
    let body = json!({ "v": 1, "due": format!("2026-01-01T00:00:00Z#directory#{version}"),
        "message": { "kind": "directory_count", "version": version } });
    let letter = json!({ "queue": "directory", "group": "directory", "body": body.to_string(),
        "at": "2026-11-27T00:00:00Z", "tries": 5, "failure": "read a part: lasts" });
    letter.to_string() + "\n"
}

#[test]
fn dead_letters_are_listed_without_their_bodies_and_sent_again_by_the_process_alone() {
    let place = Place::new();
    let served = place.started();
    let token = place.token(&["--role", "service"]);
    let versions: Vec<String> = (0..3).map(|_| place.begin(&token).0).collect();
    served.terminate();
    let letters: String = versions.iter().map(|version| dead_letter(version)).collect();
    fs::write(place.data().join("dead-letters.jsonl"), letters).unwrap();
    let list = || {
        let text = done(&mut place.command(&["dlq", "list", "--json"]));
        serde_json::from_str::<Vec<Value>>(&text).unwrap()
    };
    let at_rest = list();
    let text = done(&mut place.command(&["dlq", "list"]));
    for word in ["directory", "directory_count", "5", "read a part: lasts", "d "] {
        assert!(text.contains(word), "{word} is not in:\n{text}");
    }
    assert!(!text.contains(&versions[0]), "{text}");
    let error = refused(&mut place.command(&["dlq", "redrive", "--all"]));
    assert!(error.contains("start it"), "{error}");

    let _served = place.started();
    assert_eq!(list(), at_rest);
    let id = at_rest[1]["id"].as_str().unwrap();
    let error = refused(&mut place.command(&["dlq", "redrive", "none"]));
    assert!(error.contains("no dead letter has this id"), "{error}");
    let error = refused(&mut place.command(&["dlq", "redrive", "--queue", "mach"]));
    assert!(error.contains("a queue is one of import"), "{error}");
    assert!(done(&mut place.command(&["dlq", "redrive", id])).contains("again: 1\n"));
    assert_eq!(list(), [at_rest[0].clone(), at_rest[2].clone()]);
    assert!(done(&mut place.command(&["dlq", "redrive", "--queue", "match"])).contains(": 0\n"));
    assert!(done(&mut place.command(&["dlq", "redrive", "--all"])).contains("again: 2\n"));
    assert_eq!(done(&mut place.command(&["dlq", "list"])), "no dead letters\n");
    // A draft has nothing to count: the work is done at once.
    let finished = "crm_sync_messages_total{kind=\"directory_count\",outcome=\"finished\"} 3";
    let metrics = || place.get("/metrics").send().unwrap().text().unwrap();
    place.wait("worked", || metrics().contains(finished));
}

#[test]
fn what_lies_in_a_folder_that_was_open_to_others_is_closed_to_them() {
    let place = Place::new();
    let data = place.data();
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let served = place.started();
    let token = place.token(&["--role", "service"]);
    let (_, address) = place.begin(&token);
    place.put(&address, 10);
    served.kill();
    fs::set_permissions(data.join("table.db"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let _served = place.started();
    assert!(place.log().contains("was open to others (mode 0777)"), "{}", place.log());
    let mut folders = vec![data];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o077, 0);
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", entry.path().display());
            }
        }
    }
    assert!(files > 6, "{files}");
}
