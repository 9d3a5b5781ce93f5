//! What a delta says, applied to what there was, is what there is.

use super::export::Export;
use super::fingerprints::Difference;
use super::parts::{Part, Parts};
use super::state::{Entities, State};
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use matching::read::DirectoryReader;
use matching::{Company, DirectoryLine, EntityKind, Person};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{BufReader, Seek};
use std::path::Path;

/// People by id, as a deployment holds them.
type Held = BTreeMap<String, Person>;

/// A row of an export: a few ids, so that they come again, some of them strange.
fn row() -> impl Strategy<Value = (String, String)> {
    let ids = prop_oneof![
        (0_u32..40).prop_map(|n| format!("p-{n}")),
        Just("a\nb".to_owned()),
        Just("\"quoted\" ü".to_owned()),
    ];
    (ids, prop_oneof![Just(String::new()), "[A-Za-zé\"\\\\ ]{1,8}"])
}

fn file_of(folder: &Path, name: &str, rows: &[(String, String)]) -> Export {
    let path = folder.join(name);
    let line = |(id, name): &(String, String)| {
        serde_json::json!({"id": id, "first_name": name, "last_name": "X"}).to_string() + "\n"
    };
    std::fs::write(&path, rows.iter().map(line).collect::<String>()).unwrap();
    Export { people: vec![path], companies: Vec::new() }
}

fn held(rows: &[(String, String)]) -> Held {
    let person = |(id, name): &(String, String)| Person {
        id: id.clone(),
        first_name: name.clone(),
        last_name: "X".to_owned(),
        ..Person::default()
    };
    rows.iter().map(|row| (row.0.clone(), person(row))).collect()
}

/// Reads parts as a deployment does: the last line about an entity counts.
fn apply(parts: &mut [Part], held: &mut Held) {
    for part in parts {
        part.file.rewind().unwrap();
        let text = BufReader::new(MultiGzDecoder::new(&part.file));
        for line in DirectoryReader::<_, Person>::new(text) {
            match line.unwrap() {
                DirectoryLine::Upsert(person) => drop(held.insert(person.id.clone(), person)),
                DirectoryLine::Delete { id } => assert!(held.remove(&id).is_some(), "{id:?}"),
                DirectoryLine::Merge { .. } => panic!("an export knows no merges"),
            }
        }
    }
}

fn digest(folder: &Path, export: &Export) -> State {
    let bar = ProgressBar::hidden();
    let mut scanned = export.scan(EntityKind::Person, 2, folder, &bar).unwrap();
    let path = folder.join("digest");
    State::write(&path, "v1", 0, Entities::Read(&mut scanned), Entities::None).unwrap();
    State::open(&path).unwrap().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_delta_applied_to_the_old_is_the_new(old in vec(row(), 0..80), new in vec(row(), 0..80)) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let state = digest(folder, &file_of(folder, "old.jsonl", &old));
        let export = file_of(folder, "new.jsonl", &new);
        let kind = EntityKind::Person;
        let scanned = export.scan(kind, 2, folder, &ProgressBar::hidden()).unwrap();
        let difference =
            Difference::between(state.fingerprints(kind).unwrap(), &scanned.entities).unwrap();
        let mut parts = Parts::in_folder(folder, 2).of_at_most(200);
        parts.add_changes(&export, &state, kind, &difference).unwrap();
        let mut parts = parts.finish().unwrap();

        let mut there = held(&old);
        let before = there.clone();
        apply(&mut parts, &mut there);
        let wanted = held(&new);
        prop_assert_eq!(&there, &wanted);
        let gone = before.keys().filter(|id| !wanted.contains_key(*id)).count();
        let changed = wanted.iter().filter(|(id, p)| before.get(*id).is_some_and(|b| b != *p));
        let new = wanted.keys().filter(|id| !before.contains_key(*id)).count();
        prop_assert_eq!(difference.gone.len(), gone);
        prop_assert_eq!(difference.changed, changed.count() as u64);
        prop_assert_eq!(difference.new, new as u64);
    }

    #[test]
    fn all_parts_together_are_the_export(rows in vec(row(), 0..80)) {
        let folder = tempfile::tempdir().unwrap();
        let export = file_of(folder.path(), "all.jsonl", &rows);
        let mut parts = Parts::in_folder(folder.path(), 2).of_at_most(1);
        parts.add_all(&export, EntityKind::Person).unwrap();
        let mut there = Held::new();
        apply(&mut parts.finish().unwrap(), &mut there);
        prop_assert_eq!(there, held(&rows));
    }
}

#[test]
fn a_digest_that_is_cut_or_changed_anywhere_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [("p-1".to_owned(), "A".to_owned()), ("p-2".to_owned(), "B".to_owned())];
    let path = folder.path().join("digest");
    digest(folder.path(), &file_of(folder.path(), "old.jsonl", &rows));
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        std::fs::write(&path, &whole[..at]).unwrap();
        State::open(&path).unwrap_err();
        let mut other = whole.clone();
        other[at] ^= 0x10;
        std::fs::write(&path, &other).unwrap();
        State::open(&path).unwrap_err();
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(State::open(&path).unwrap().unwrap().count(EntityKind::Person), 2);
}

#[test]
fn a_kind_without_files_is_kept_from_the_digest_before() {
    let folder = tempfile::tempdir().unwrap();
    let companies = folder.path().join("companies.csv");
    std::fs::write(&companies, "id,name,domain\nc-1,Acme,acme.test\nc-2,Beta,\n").unwrap();
    let rows = [("p-1".to_owned(), "A".to_owned())];
    let mut export = file_of(folder.path(), "people.jsonl", &rows);
    export.add(&companies).unwrap();
    let bar = ProgressBar::hidden();
    let scan = |kind| export.scan(kind, 1, folder.path(), &bar).unwrap();
    let (mut people, mut of_companies) = (scan(EntityKind::Person), scan(EntityKind::Company));
    let first = folder.path().join("first");
    let both = (Entities::Read(&mut people), Entities::Read(&mut of_companies));
    State::write(&first, "v1", 0, both.0, both.1).unwrap();
    let before = State::open(&first).unwrap().unwrap();

    let second = folder.path().join("second");
    State::write(&second, "v2", 1, Entities::Read(&mut people), Entities::Kept(&before)).unwrap();
    let after = State::open(&second).unwrap().unwrap();
    assert_eq!(after.count(EntityKind::Company), 2);
    let wanted: Vec<u64> = after
        .fingerprints(EntityKind::Company)
        .unwrap()
        .map(|fingerprint| fingerprint.unwrap().id)
        .collect();
    let mut ids = Vec::new();
    after
        .ids(EntityKind::Company, &wanted, |id| {
            ids.push(id.to_owned());
            Ok(())
        })
        .unwrap();
    assert_eq!(ids, ["c-1", "c-2"]);
}

#[test]
fn a_line_of_json_is_sent_as_it_is_and_a_csv_row_as_the_json_of_its_entity() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("companies.jsonl");
    let line = r#"{"id":7,"domain":"acme.test","name":"Acme","of_a_later_release":[1,2]}"#;
    std::fs::write(&path, format!("{line}\n")).unwrap();
    let csv = folder.path().join("companies.csv");
    std::fs::write(&csv, "id;name;employees;industry\nc-2;Beta;1,200;Steel\n").unwrap();
    let export = Export { people: Vec::new(), companies: vec![path, csv] };
    let mut lines = Vec::new();
    let take = |_, zipped: &[u8]| {
        lines.extend(std::io::read_to_string(MultiGzDecoder::new(zipped)));
        Ok(())
    };
    export.lines(EntityKind::Company, 1, |_| true, take).unwrap();
    assert_eq!(lines[0].trim_end(), line);
    let company: Company = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!((company.id.as_str(), company.employees), ("c-2", Some(1200.0)));
}

#[test]
fn the_kind_of_a_file_is_told_by_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut export = Export::default();
    export.add(&write("a", "{\"id\":1,\"name\":\"x\",\"domain\":\"x.test\"}\n")).unwrap();
    export.add(&write("b", "not json\n{\"id\":1,\"last_name\":\"x\"}\n")).unwrap();
    export.add(&write("c", "id\tFull_Name\tcompany\n1\tx\ty\n")).unwrap();
    assert_eq!((export.people.len(), export.companies.len()), (2, 1));
    let unknown = export.add(&write("d", "id,name\n1,x\n")).unwrap_err();
    assert!(unknown.to_string().contains("say --people or --companies"), "{unknown}");
}
