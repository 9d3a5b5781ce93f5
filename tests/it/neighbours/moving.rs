//! A tenant leaves one process for the functions, by the commands that its operator types.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::flows::org::{Row, rows, small};
use super::super::soak::ordered;
use super::super::soak::served::Served;
use super::super::{local_stack, permissions};
use super::place::{Deployed, Place};
use super::tenant::{Tenant, publish};
use super::without_orgs;

/// What is saved and matched is the same that long after the import, at the latest.
const PATIENCE: Duration = Duration::from_mins(3);

/// What is matched to the directory, in the order in which it is compared.
const OBJECTS: [&str; 3] = ["Lead", "Contact", "Account"];

/// The entity that each record is matched to.
type Matched = BTreeMap<String, String>;

/// The items of each list, by the seat's address and the list's kind.
type Saved = BTreeMap<(String, &'static str), Vec<Value>>;

/// The program that was built beside this test's.
fn program() -> PathBuf {
    local_stack::options("neighbours").binaries.join("crm-sync")
}

/// Runs `crm-sync tenant` against an API: whether all was done, and what it says of it.
fn tenant_command(place: &impl Place, api: &str, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(program());
    command.arg("tenant").args(words).args(["--api", api]);
    let told = command.env("CRM_SYNC_TOKEN", place.service()).output().unwrap();
    (told.status.success(), String::from_utf8_lossy(&told.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_moves_from_one_process_to_the_functions_with_its_lists() {
    let simulator = without_orgs().await;
    let (control, folder) = (simulator.control(), small());
    let served = Served::new(&program(), &simulator);
    served.start().await;
    publish(&served, folder.path()).await;
    let old = Tenant::arrive(&served, &control, folder.path(), 0).await;
    old.answer_the_wizard().await;
    old.settle().await;
    let (matched, saved) =
        until("the old home decides and saves", async || done(&old, folder.path()).await).await;
    assert!(matched.iter().all(|matched| matched.len() > 20), "{matched:?}");
    assert!(saved.values().map(Vec::len).sum::<usize>() > 20, "{saved:?}");

    let file = served.data().join("moving.jsonl");
    let file = file.to_str().unwrap();
    let export = ["export", "--tenant", old.id(), "--to", file];
    let (exported, told) = tenant_command(&served, &served.url(""), &export);
    assert!(exported, "{told}");
    let deployed = Deployed::start(&simulator).await;
    let import = ["import", "--from", file];
    let (whole, told) = tenant_command(&deployed, deployed.api_base(), &import);
    assert!(!whole && told.contains("connect it to the org"), "{told}");
    let new = old.at_home(&deployed);
    new.connect().await;
    let (whole, told) = tenant_command(&deployed, deployed.api_base(), &import);
    assert!(whole, "{told}");
    // Last: what is matched earlier is saved anew, with another reason than at the old home.
    publish(&deployed, folder.path()).await;
    let is_matched = async || same(&all_matched(&new).await, &matched);
    until("the new home matches the same", is_matched).await;
    until("the new home saves the same", async || same(&new.saved().await, &saved)).await;
    permissions::hold(deployed.stack(), "moving");
}

/// What is matched, object by object, and what is saved, once every record of the org's files is
/// decided on and every list holds what the open deals order. Before that a home is at work still:
/// another one would never come to hold the same.
async fn done(old: &Tenant<'_, Served>, folder: &Path) -> Result<(Vec<Matched>, Saved), String> {
    let decided = old.decided().await;
    let is_left_out = |row: &Row| row.get("IsConverted").is_some_and(|is| is == "true");
    let all = OBJECTS.map(|object| {
        let rows = rows(folder, &format!("{object}.csv"));
        (object.to_owned(), rows.iter().filter(|row| !is_left_out(row)).count())
    });
    same(&decided, &all.into())?;
    let (matched, saved) = (all_matched(old).await, old.saved().await);
    let ids = |of: &Matched| of.keys().cloned().collect();
    let [_, contacts, accounts] = &matched[..] else { unreachable!() };
    let sellers = saved.keys().map(|(email, _)| email.as_str());
    let ordered = ordered(folder, sellers, &ids(accounts), &ids(contacts));
    let record = |item: &Value| item["record"].as_str().unwrap().to_owned();
    let held = saved.iter().map(|(of, items)| (of.clone(), items.iter().map(record).collect()));
    same(&held.collect(), &ordered)?;
    Ok((matched, saved))
}

/// What is there, told beside what is to come while it is another.
fn same<T: PartialEq + Debug>(there: &T, expected: &T) -> Result<(), String> {
    let told = || format!("there is\n{there:#?}\nand not\n{expected:#?}");
    (there == expected).then_some(()).ok_or_else(told)
}

async fn all_matched<P: Place>(tenant: &Tenant<'_, P>) -> Vec<Matched> {
    let mut matched = Vec::new();
    for object in OBJECTS {
        matched.push(tenant.matched(object).await);
    }
    matched
}

/// Waits until there is something, and gives it.
async fn until<T>(what: &str, look: impl AsyncFn() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(why) => assert!(begun.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}: {why}"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
