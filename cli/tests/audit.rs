//! `audit check` on logs that were tampered with, from the command line's side.
#![expect(clippy::expect_used, reason = "a test that cannot set its stage fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crm_sync::audit_file::AuditFileWriter;
use jiff::{SignedDuration, Timestamp};
use shared::capabilities::audit::{Action, Actor, AuditHead, Deed, HeadMark};
use shared::kernel::TenantId;
use tempfile::TempDir;

/// A log of `n` entries in a folder of its own, with the head of each entry.
fn log(folder: &TempDir, name: &str, n: u64) -> (PathBuf, Vec<HeadMark>) {
    let begin: Timestamp = "2026-11-28T09:00:00Z".parse().expect("a time");
    let path = folder.path().join(name);
    let mut file = AuditFileWriter::create(&path).expect("a file");
    let (mut head, mut heads) = (AuditHead::begin("salt".to_owned()), Vec::new());
    for number in 1..=n {
        let at = begin + SignedDuration::from_mins(i64::try_from(number).expect("a number"));
        let deed = Deed::new(Action::SettingsChanged).detail("settings", "roi");
        let tenant = TenantId::derived("acme");
        let (entry, after) = head.followed_by(tenant, at, Actor::Service, deed);
        file.add(&entry).expect("a line");
        head = after;
        heads.push(head.mark());
    }
    file.finish(&head.mark()).expect("a whole file");
    (path, heads)
}

fn check(path: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_crm-sync"))
        .args(["audit", "check"])
        .arg(path)
        .args(more)
        .output()
        .expect("the program to start");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// The file with its lines changed.
fn changed(path: &Path, change: impl Fn(&mut Vec<String>)) -> PathBuf {
    let text = std::fs::read_to_string(path).expect("the file");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    let to = path.with_extension("changed");
    std::fs::write(&to, lines.join("\n") + "\n").expect("the changed file");
    to
}

#[track_caller]
fn broken(path: &Path, more: &[&str], because: &str) {
    let (code, text) = check(path, more);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(because), "{text}");
}

#[test]
fn a_log_is_whole_until_a_line_is_edited_removed_swapped_or_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, heads) = log(&folder, "log.jsonl", 6);
    let (code, text) = check(&path, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("6 entries") && text.contains(&heads[5].hash), "{text}");

    let edited = changed(&path, |lines| lines[2] = lines[2].replace("roi", "log_notes"));
    broken(&edited, &[], "entry 3 was edited");
    let garbled = changed(&path, |lines| lines[2] = lines[2].replace("\"by\"", "\"who\""));
    broken(&garbled, &[], "line 3 is no entry");
    let removed = changed(&path, |lines| drop(lines.remove(2)));
    broken(&removed, &[], "entries are missing: 4 follows 2");
    let first = changed(&path, |lines| drop(lines.remove(0)));
    broken(&first, &[], "the log begins with entry 2");
    let swapped = changed(&path, |lines| lines.swap(2, 3));
    broken(&swapped, &[], "entries are missing: 4 follows 2");
    let doubled = changed(&path, |lines| lines.insert(3, lines[2].clone()));
    broken(&doubled, &[], "swapped or doubled");
    // The last entry, with the head left; with both gone; with a head made to fit.
    let cut = changed(&path, |lines| drop(lines.remove(5)));
    broken(&cut, &[], "the log ends with entry 5, and it had 6 entries");
    let headless = changed(&path, |lines| lines.truncate(5));
    broken(&headless, &[], "its tail was cut off");
    let behind = changed(&path, |lines| lines.push(lines[0].clone()));
    broken(&behind, &[], "stands behind the head");
}

#[test]
fn a_tail_cut_off_with_a_head_made_to_fit_is_found_by_a_head_or_a_file_that_was_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, heads) = log(&folder, "log.jsonl", 6);
    let (earlier, _) = log(&folder, "earlier.jsonl", 6);
    let cut = changed(&path, |lines| {
        lines.truncate(5);
        let HeadMark { number, hash } = &heads[4];
        lines.push(format!("{{\"head\":{{\"number\":{number},\"hash\":\"{hash}\"}}}}"));
    });
    let (code, text) = check(&cut, &[]);
    assert_eq!(code, Some(0), "nothing in the file itself tells: {text}");
    let kept = format!("{}:{}", heads[5].number, heads[5].hash);
    broken(&cut, &["--head", &kept], "its tail was cut off");
    let earlier = earlier.to_str().expect("a path");
    broken(&cut, &["--since", earlier], "its tail was cut off");
    let (code, text) = check(&path, &["--head", &kept, "--since", earlier]);
    assert_eq!(code, Some(0), "{text}");
    let other = format!("3:{}", "0".repeat(64));
    broken(&path, &["--head", &other], "written anew");
    broken(&path, &["--head", "3"], "is no head");
}
