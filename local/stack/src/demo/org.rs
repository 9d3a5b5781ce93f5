//! The org that the demo runs on: a folder of CSV exports and what goes with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, anyhow, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::DirectoryFiles;
use super::quality::{self, Truth};

/// Seats that are made when the folder names none.
const SEATS: usize = 8;

/// The imported objects, in the order in which an import starts them.
pub(super) const OBJECTS: [&str; 11] = [
    "User",
    "UserRole",
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "OpportunityContactRole",
    "AccountTeamMember",
    "Task",
    "Event",
    "Note",
];

/// A seat to make.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SeatPlan {
    pub(super) email: String,
    pub(super) name: String,
    pub(super) time_zone: String,
    pub(super) roles: Vec<String>,
}

/// A user of the org.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) email: String,
    name: String,
    time_zone: String,
    active: bool,
}

/// The folder, read.
#[derive(Debug)]
pub(super) struct Org {
    pub(super) folder: PathBuf,
    pub(super) directory: Option<DirectoryFiles>,
    pub(super) users: Vec<User>,
    pub(super) seats: Vec<SeatPlan>,
    /// Live rows of each object, by the files.
    pub(super) rows: BTreeMap<&'static str, u64>,
    pub(super) truth: Option<Truth>,
    pub(super) changes: Option<Value>,
    pub(super) expectations: Option<Value>,
    /// The second directory version, as a delta.
    pub(super) delta: Option<(PathBuf, PathBuf)>,
}

impl DirectoryFiles {
    /// The files as a generated org's folder has them.
    fn of(folder: &Path) -> Self {
        let (people, companies) = (folder.join("people.jsonl"), folder.join("companies.jsonl"));
        Self { people, companies }
    }
}

impl Org {
    /// Makes the demo's own org with the generator, whole or a small slice of it.
    pub(super) fn generate(
        root: &Path,
        generator: &Path,
        folder: &Path,
        small: bool,
    ) -> anyhow::Result<Self> {
        ensure!(
            generator.exists(),
            "{} is missing; `make build-local` builds it",
            generator.display()
        );
        let output = Command::new(generator)
            .arg("--base")
            .arg(root.join("data/dev"))
            .arg("--out")
            .arg(folder)
            .args(small.then_some("--small"))
            .output()
            .with_context(|| format!("run {}", generator.display()))?;
        ensure!(
            output.status.success(),
            "the org generator failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self::read(folder, Some(DirectoryFiles::of(folder)))
    }

    /// Reads a folder, the caller's own or a generated one.
    pub(super) fn read(folder: &Path, directory: Option<DirectoryFiles>) -> anyhow::Result<Self> {
        ensure!(folder.is_dir(), "there is no folder {}", folder.display());
        for file in directory.iter().flat_map(|files| [&files.people, &files.companies]) {
            ensure!(
                file.is_file(),
                "there is no directory file {}; name it with PEOPLE= and COMPANIES=",
                file.display()
            );
        }
        let mut rows = BTreeMap::new();
        for object in OBJECTS {
            rows.insert(object, count_live(folder, object)?);
        }
        let users = users(folder)?;
        let delta = (folder.join("delta-people.jsonl"), folder.join("delta-companies.jsonl"));
        let truth = ["truth.csv", "truth.csv.gz"]
            .map(|name| folder.join(name))
            .into_iter()
            .find(|p| p.is_file());
        let seats = match json(folder, "seats.json")? {
            Some(seats) => serde_json::from_value(seats).context("read seats.json")?,
            None => seats_of_owners(folder, &users)?,
        };
        Ok(Self {
            folder: folder.to_owned(),
            directory,
            seats,
            rows,
            users,
            truth: truth.map(|path| Truth::read(&path)).transpose()?,
            changes: json(folder, "changes.json")?,
            expectations: json(folder, "expectations.json")?,
            delta: Some(delta)
                .filter(|(people, companies)| people.is_file() && companies.is_file()),
        })
    }

    /// The user who connects: the one whom the expectations name, else the first active one.
    pub(super) fn integration_user(&self) -> anyhow::Result<&User> {
        let named = self.expectations.as_ref().and_then(|e| e["integration_user"].as_str());
        let mut users = self.users.iter();
        let user = match named {
            Some(id) => users.find(|user| user.id == id),
            None => users.find(|user| user.active),
        };
        user.ok_or_else(|| anyhow!("no user of {} can connect", self.folder.display()))
    }

    /// The user whose e-mail a seat has, whatever the case.
    pub(super) fn user_of(&self, seat: &SeatPlan) -> Option<&User> {
        self.users.iter().find(|user| user.active && user.email.eq_ignore_ascii_case(&seat.email))
    }
}

fn json(folder: &Path, name: &str) -> anyhow::Result<Option<Value>> {
    let path = folder.join(name);
    if !path.is_file() {
        return Ok(None);
    }
    let text = quality::text(&path)?;
    serde_json::from_str(&text).map(Some).with_context(|| format!("read {}", path.display()))
}

/// The rows of an object's file, by column name; none when there is no file.
fn table(folder: &Path, object: &str) -> anyhow::Result<Vec<BTreeMap<String, String>>> {
    let Some(path) = file(folder, object) else { return Ok(Vec::new()) };
    let text = quality::text(&path)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader
        .deserialize()
        .collect::<Result<_, _>>()
        .with_context(|| format!("read {}", path.display()))
}

/// Counts the rows without keeping them: an org may have a million.
fn count_live(folder: &Path, object: &str) -> anyhow::Result<u64> {
    let Some(path) = file(folder, object) else { return Ok(0) };
    let text = quality::text(&path)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let deleted = reader.headers()?.iter().position(|name| name == "IsDeleted");
    let mut row = csv::StringRecord::new();
    let mut live = 0;
    while reader.read_record(&mut row).with_context(|| format!("read {}", path.display()))? {
        let deleted = deleted.and_then(|column| row.get(column));
        live += u64::from(!deleted.is_some_and(|value| value.eq_ignore_ascii_case("true")));
    }
    Ok(live)
}

fn file(folder: &Path, object: &str) -> Option<PathBuf> {
    let names = [format!("{object}.csv"), format!("{object}.csv.gz")];
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

fn is_true(row: &BTreeMap<String, String>, column: &str) -> bool {
    row.get(column).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn users(folder: &Path) -> anyhow::Result<Vec<User>> {
    let rows = table(folder, "User")?;
    let cell =
        |row: &BTreeMap<String, String>, column: &str| row.get(column).cloned().unwrap_or_default();
    let users = rows.iter().map(|row| User {
        id: cell(row, "Id"),
        username: cell(row, "Username"),
        email: cell(row, "Email"),
        name: format!("{} {}", cell(row, "FirstName"), cell(row, "LastName")).trim().to_owned(),
        time_zone: Some(cell(row, "TimeZoneSidKey"))
            .filter(|z| !z.is_empty())
            .unwrap_or_else(|| "UTC".to_owned()),
        active: is_true(row, "IsActive"),
    });
    let users: Vec<User> = users.collect();
    ensure!(!users.is_empty(), "{} has no User.csv with a user", folder.display());
    Ok(users)
}

/// Seats for the active users who own most accounts.
fn seats_of_owners(folder: &Path, users: &[User]) -> anyhow::Result<Vec<SeatPlan>> {
    let mut owned: BTreeMap<String, usize> = BTreeMap::new();
    for account in table(folder, "Account")? {
        if let Some(owner) = account.get("OwnerId") {
            *owned.entry(owner.clone()).or_default() += 1;
        }
    }
    let mut candidates: Vec<&User> =
        users.iter().filter(|user| user.active && !user.email.is_empty()).collect();
    candidates.sort_by_key(|user| std::cmp::Reverse(owned.get(&user.id).copied().unwrap_or(0)));
    // A person may have several users with one address; a seat joins by the address.
    let mut emails = BTreeSet::new();
    candidates.retain(|user| emails.insert(user.email.to_lowercase()));
    let seat = |user: &&User| SeatPlan {
        email: user.email.clone(),
        name: user.name.clone(),
        time_zone: user.time_zone.clone(),
        roles: vec!["seat".to_owned()],
    };
    Ok(candidates.iter().take(SEATS).map(seat).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    const USERS: &str = "Id,Username,FirstName,LastName,Email,IsActive\n\
        005A,ada@x.example,Ada,Byron,Ada@x.example,true\n005B,bob@x.example,Bob,Ross,bob@x.example,\
        true\n\
        005C,gone@x.example,Gone,Away,gone@x.example,false\n";

    fn org(files: &[(&str, &str)]) -> anyhow::Result<Org> {
        let folder = folder(files);
        let at = folder.path();
        Org::read(at, Some(DirectoryFiles::of(at)))
    }

    #[test]
    fn an_org_without_seats_gets_one_for_each_active_owner_who_owns_most_first() {
        let accounts = "Id,Name,OwnerId,IsDeleted\n1,A,005B,false\n2,B,005B,false\n3,C,005A,\
             false\n4,D,005C,true\n";
        let files = [
            ("User.csv", USERS),
            ("Account.csv", accounts),
            ("people.jsonl", ""),
            ("companies.jsonl", ""),
        ];
        let org = org(&files).unwrap();
        let emails: Vec<&str> = org.seats.iter().map(|s| s.email.as_str()).collect();
        assert_eq!(emails, ["bob@x.example", "Ada@x.example"]);
        assert_eq!(org.rows["Account"], 3);
        assert_eq!(org.rows["Lead"], 0);
        assert_eq!(org.integration_user().unwrap().username, "ada@x.example");
        assert!(org.delta.is_none());
    }

    #[test]
    fn a_missing_directory_file_is_named_with_what_names_it() {
        let error = org(&[("User.csv", USERS)]).unwrap_err().to_string();
        assert!(error.contains("people.jsonl; name it with PEOPLE= and COMPANIES="), "{error}");
    }

    #[test]
    fn a_seat_finds_its_user_whatever_the_case() {
        let seats =
            r#"[{"email":"ADA@X.example","name":"Ada","time_zone":"UTC","roles":["seat"]}]"#;
        let files = [
            ("User.csv", USERS),
            ("seats.json", seats),
            ("people.jsonl", ""),
            ("companies.jsonl", ""),
        ];
        let org = org(&files).unwrap();
        assert_eq!(org.user_of(&org.seats[0]).unwrap().id, "005A");
    }
}
