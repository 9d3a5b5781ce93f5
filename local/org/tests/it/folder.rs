//! A generated folder, read as a stranger would.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use org_generator::{Base, Options, Org};
use serde_json::Value;

pub(crate) type Row = BTreeMap<String, String>;

/// The objects whose rows the product imports.
pub(crate) const IMPORTED: [&str; 11] = [
    "Account",
    "AccountTeamMember",
    "Contact",
    "Event",
    "Lead",
    "Note",
    "Opportunity",
    "OpportunityContactRole",
    "Task",
    "User",
    "UserRole",
];
/// The other files of an org folder.
pub(crate) const OTHER: [&str; 3] = ["Group", "OpportunityStage", "Profile"];

pub(crate) static BASE: LazyLock<Base> = LazyLock::new(|| Base::read(&data()).unwrap());
pub(crate) static FULL: LazyLock<Folder> =
    LazyLock::new(|| Folder::generate(Options::default().seed, false));
pub(crate) static SMALL: LazyLock<Folder> =
    LazyLock::new(|| Folder::generate(Options::default().seed, true));

pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/dev")
}

pub(crate) fn both() -> [&'static Folder; 2] {
    [&FULL, &SMALL]
}

pub(crate) struct Folder {
    pub(crate) rows: BTreeMap<String, Vec<Row>>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Folder {
    pub(crate) fn generate(seed: u64, small: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { seed, small, ..Options::default() };
        Org::generate(&BASE, options).unwrap().write(folder.path()).unwrap();
        let files: BTreeMap<String, Vec<u8>> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
            })
            .collect();
        let rows = files
            .iter()
            .filter_map(|(name, bytes)| Some((name.strip_suffix(".csv")?.to_owned(), csv(bytes))))
            .collect();
        Self { rows, files }
    }

    pub(crate) fn rows(&self, object: &str) -> &[Row] {
        &self.rows[object]
    }

    pub(crate) fn ids(&self, object: &str) -> BTreeSet<&str> {
        self.rows(object).iter().map(|row| row["Id"].as_str()).collect()
    }

    pub(crate) fn row(&self, object: &str, id: &str) -> &Row {
        self.rows(object).iter().find(|row| row["Id"] == id).unwrap()
    }

    pub(crate) fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&self.files[file]).unwrap()
    }

    pub(crate) fn lines(&self, file: &str) -> Vec<Value> {
        let text = std::str::from_utf8(&self.files[file]).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The entity of each record that has one.
    pub(crate) fn truth(&self) -> BTreeMap<&str, &str> {
        self.rows("truth")
            .iter()
            .filter(|row| !row["profile_id"].is_empty())
            .map(|row| (row["crm_id"].as_str(), row["profile_id"].as_str()))
            .collect()
    }
}

pub(crate) fn csv(bytes: &[u8]) -> Vec<Row> {
    csv::Reader::from_reader(bytes).into_deserialize().collect::<Result<_, _>>().unwrap()
}
