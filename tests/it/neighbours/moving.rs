//! A tenant leaves one process for the functions, by the commands that its operator types.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::flows::org::small;
use super::super::soak::served::Served;
use super::super::{local_stack, permissions};
use super::place::{Deployed, Place};
use super::tenant::{Tenant, publish};
use super::without_orgs;

/// What is saved and matched is the same that long after the import, at the latest.
const PATIENCE: Duration = Duration::from_mins(3);

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
    let saved = until(async || {
        let saved = old.saved().await;
        let items: usize = saved.values().map(Vec::len).sum();
        (items > 20).then_some(saved)
    })
    .await;
    let objects = ["Lead", "Contact", "Account"];
    let mut matched = Vec::new();
    for object in objects {
        matched.push(old.matched(object).await);
    }
    assert!(matched.iter().all(|matched| matched.len() > 20), "{matched:?}");

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
    for (object, expected) in objects.into_iter().zip(&matched) {
        until(async || (new.matched(object).await == *expected).then_some(())).await;
    }
    until(async || (new.saved().await == saved).then_some(())).await;
    permissions::hold(deployed.stack(), "moving");
}

/// Waits until there is something, and gives it.
async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not come");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
