//! The org that the flows import: the generator's small one, or a handful of its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use org_generator::{Base, Options, Org};
use serde_json::Value;
use shared::matching::EntityKind;
use tempfile::TempDir;

/// A row of a CSV file by column.
pub(crate) type Row = BTreeMap<String, String>;

/// What a folder holds, by name. An org is generated once in a process, and laid for each of its
/// worlds: some tests have dozens.
type Files = Vec<(OsString, Vec<u8>)>;

/// The small org in a folder of its own.
pub(crate) fn small() -> TempDir {
    static SMALL: LazyLock<Files> = LazyLock::new(|| files(generate().path()));
    laid(&SMALL)
}

/// Six accounts of the small org with everything that hangs on them, six leads, and the entities
/// that they are: enough for every step of the main job, and imported in no time.
pub(crate) fn tiny() -> TempDir {
    static TINY: LazyLock<Files> = LazyLock::new(|| files(cut().path()));
    laid(&TINY)
}

fn files(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap())).collect()
}

fn laid(files: &Files) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn generate() -> TempDir {
    let folder = TempDir::new().unwrap();
    let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/dev"));
    let options = Options { small: true, ..Options::default() };
    Org::generate(&Base::read(base).unwrap(), options).unwrap().write(folder.path()).unwrap();
    folder
}

fn cut() -> TempDir {
    let folder = generate();
    let at = folder.path();
    let accounts: BTreeSet<String> = rows(at, "Opportunity.csv")
        .into_iter()
        .filter(|deal| deal["IsClosed"] == "false")
        .map(|deal| deal["AccountId"].clone())
        .take(6)
        .collect();
    keep(at, "Account.csv", |row| accounts.contains(&row["Id"]));
    keep(at, "Contact.csv", |row| accounts.contains(&row["AccountId"]));
    keep(at, "Opportunity.csv", |row| accounts.contains(&row["AccountId"]));
    keep(at, "AccountTeamMember.csv", |row| accounts.contains(&row["AccountId"]));
    let deals: BTreeSet<String> = ids(at, "Opportunity.csv");
    let contacts: BTreeSet<String> = ids(at, "Contact.csv");
    keep(at, "OpportunityContactRole.csv", |row| {
        deals.contains(&row["OpportunityId"]) && contacts.contains(&row["ContactId"])
    });
    for (name, most) in [("Lead.csv", 6), ("Task.csv", 4), ("Event.csv", 3), ("Note.csv", 3)] {
        let first: BTreeSet<String> = ids(at, name).into_iter().take(most).collect();
        keep(at, name, |row| first.contains(&row["Id"]));
    }
    let kept: BTreeSet<String> =
        ["Account.csv", "Contact.csv", "Lead.csv"].iter().flat_map(|name| ids(at, name)).collect();
    let entities: BTreeSet<String> = rows(at, "truth.csv")
        .into_iter()
        .filter(|row| kept.contains(&row["crm_id"]))
        .map(|row| row["profile_id"].clone())
        .collect();
    for name in ["people.jsonl", "companies.jsonl"] {
        let text = std::fs::read_to_string(at.join(name)).unwrap();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| {
                let entity: Value = serde_json::from_str(line).unwrap();
                entities.contains(entity["id"].as_str().unwrap())
            })
            .collect();
        std::fs::write(at.join(name), lines.join("\n")).unwrap();
    }
    folder
}

/// The org's directory.
pub(crate) fn directory(folder: &Path) -> [(EntityKind, PathBuf); 2] {
    [
        (EntityKind::Person, folder.join("people.jsonl")),
        (EntityKind::Company, folder.join("companies.jsonl")),
    ]
}

/// A JSON file of the folder.
pub(crate) fn json_of(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

/// A CSV file's rows.
pub(crate) fn rows(folder: &Path, name: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn ids(folder: &Path, name: &str) -> BTreeSet<String> {
    rows(folder, name).into_iter().map(|row| row["Id"].clone()).collect()
}

/// Leaves the rows of a file that `wanted` names.
fn keep(folder: &Path, name: &str, wanted: impl Fn(&Row) -> bool) {
    let path = folder.join(name);
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut writer = csv::Writer::from_path(&path).unwrap();
    writer.write_record(&headers).unwrap();
    for record in records {
        let row: Row = record.deserialize(Some(&headers)).unwrap();
        if wanted(&row) {
            writer.write_record(&record).unwrap();
        }
    }
    writer.flush().unwrap();
}
