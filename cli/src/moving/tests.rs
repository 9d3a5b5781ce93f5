//! A file is read back as it was written, and nothing that is not whole is read at all.

use super::{TenantFile, TenantFileWriter};
use shared::capabilities::moving::Line;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const HEAD: &str = concat!(
    r#"{"kind":"tenant_export","format":3,"tenant":"ten_01KB4WHE7T9M2J5V0XQ3RD8SCA","#,
    r#""exported_at":"2026-11-28T09:00:00Z"}"#,
);
const TENANT: &str =
    r#"{"kind":"tenant","name":"Acme","entitled":true,"created_at":"2026-11-01T09:00:00Z"}"#;
const ORG: &str = concat!(
    r#"{"kind":"connection","environment":"production","#,
    r#""org_id":"00D000000000001EAA","org_name":"Acme"}"#,
);

/// An activity of a lane; `n` makes its id.
fn activity(n: u8, lane: char, place: u64, state: &str) -> String {
    let head = format!(r#"{{"kind":"activity","activity":"act_0000000000000000000000000{n}","#);
    let seat = r#""seat":"seat_00000000000000000000000001","activity_kind":"note","#;
    let about = r#""entity_kind":"person","entity":"pr_1","occurred_at":"2026-11-20T15:00:00Z","#;
    let target = r#""target":{"object":"Contact","record":"003000000000001AAA","#;
    let lane = format!(r#""lane":"00{lane}000000000001AAA","place":{place}}},"#);
    let rest =
        r#""tries":0,"subject":null,"body":"A secret of Ada's","link":null,"location":null,"#;
    let rest = format!(r#"{rest}"opportunity":null}}"#);
    let state = format!(r#""state":{state},"#);
    [&head, seat, about, r#""digest":"d","#, target, &lane, &state, &rest].concat()
}

const QUEUED: &str = r#"{"state":"queued"}"#;
const HELD: &str = r#"{"state":"held","reason":"crm_login_required"}"#;

fn lines() -> Vec<String> {
    let mut lines: Vec<String> = [HEAD, TENANT, ORG].map(str::to_owned).into();
    lines.push(activity(1, '1', 2, QUEUED));
    lines.push(activity(2, '1', 9, HELD));
    lines.push(activity(3, '1', 1, QUEUED));
    lines
}

fn written(folder: &Path, lines: &[String]) -> PathBuf {
    let path = folder.join("acme.jsonl");
    let mut file = TenantFileWriter::create(&path).unwrap();
    for line in lines {
        file.add(line).unwrap();
    }
    assert!(!path.exists(), "it has its name once it is whole");
    file.finish().unwrap();
    path
}

/// The order of the activities of a file.
fn order(text: &str) -> Vec<char> {
    let id = |line: &str| line.split("\"act_").nth(1).map(|rest| rest.chars().nth(25).unwrap());
    text.lines().filter_map(id).collect()
}

#[test]
fn what_is_under_way_comes_last_and_in_the_order_of_its_lane() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &lines());
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(order(&text), ['2', '3', '1']);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    let again = TenantFileWriter::create(&path).unwrap_err();
    assert!(again.to_string().contains("exists"), "{again}");
}

#[test]
fn an_abandoned_file_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = TenantFileWriter::create(&folder.path().join("acme.jsonl")).unwrap();
    file.add(HEAD).unwrap();
    drop(file);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_batch_begins_with_whose_lines_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = lines();
    all.extend((0..250).map(|n| activity(4, '2', n + 1, QUEUED)));
    let path = written(folder.path(), &all);
    let batches: Vec<_> =
        TenantFile::open(&path).unwrap().batches().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len(), 4);
    assert_eq!(batches[0].lines, [HEAD, TENANT]);
    assert!(batches[0].org.is_none());
    let mut of_org = Vec::new();
    for batch in &batches[1..] {
        assert_eq!(batch.lines[..2], [HEAD, ORG]);
        assert!(batch.lines.len() <= 102);
        of_org.extend_from_slice(&batch.lines[2..]);
    }
    assert_eq!(of_org.len(), 253);
    assert_eq!(order(&of_org.join("\n"))[..4], ['2', '3', '1', '4']);
}

#[test]
fn an_org_without_lines_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &[HEAD, TENANT, ORG].map(str::to_owned));
    let batches: Vec<_> =
        TenantFile::open(&path).unwrap().batches().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches[1].lines, [HEAD, ORG]);
    assert_eq!(batches.len(), 2);
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused_and_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read_to_string(written(folder.path(), &lines())).unwrap();
    let cut = folder.path().join("cut.jsonl");
    for length in (0..whole.len() - 2).step_by(7).chain([whole.len() - 2]) {
        fs::write(&cut, &whole.as_bytes()[..length]).unwrap();
        let error = format!("{:#}", TenantFile::open(&cut).unwrap_err());
        assert!(!error.contains("secret"), "{error}");
    }
    fs::write(&cut, whole.trim_end()).unwrap();
    TenantFile::open(&cut).unwrap();
}

#[test]
fn a_line_too_few_or_of_a_later_version_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read_to_string(written(folder.path(), &lines())).unwrap();
    let refused = |text: String| {
        let path = folder.path().join("changed.jsonl");
        fs::write(&path, text).unwrap();
        format!("{:#}", TenantFile::open(&path).unwrap_err())
    };
    let without = whole.replacen(&format!("{TENANT}\n"), "", 1);
    assert!(refused(without).contains("is not whole"));
    let later = refused(whole.replacen("\"format\":3", "\"format\":99", 1));
    assert!(later.contains("line 1") && later.contains("upgrade"), "{later}");
    let unknown = refused(whole.replacen("\"kind\":\"tenant\"", "\"kind\":\"treaty\"", 1));
    assert!(unknown.contains("line 2") && unknown.contains("later version"), "{unknown}");
    let doubled = refused(format!("{whole}{TENANT}\n"));
    assert!(doubled.contains("behind the last line"), "{doubled}");
    assert!(refused("id,name\n1,Ada\n".to_owned()).contains("does not begin the export"));
}

#[test]
fn every_line_here_is_one_of_the_form() {
    for line in &lines()[1..] {
        assert_eq!(Line::parse(line).unwrap().to_json().unwrap(), *line);
    }
}
