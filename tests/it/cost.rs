//! What a connection takes on AWS, counted at the ports. `make cost` runs this and prices it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::kernel::{Grantee, ImportMessage, ImportRunId, ImportTrigger};
use shared::matching::EntityKind;
use shared::store::Next;
use tempfile::TempDir;
use tests::meter::{self, Usage};
use tests::world::{World, WorldOptions};
use tests::{Home, root};

use super::flows::org::rows;

/// One person of so many changes with a directory version.
const ONE_CHANGES: usize = 100;

/// A run of the schedule, and what is done between two.
const HALF_A_DAY: SignedDuration = SignedDuration::from_hours(12);

fn folder(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name}=folder: make cost")))
}

fn unpacked(file: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(fs::File::open(file).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Some people of a directory as they are in the next version.
fn changed(people: &[u8]) -> Vec<u8> {
    let lines = people.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut changed = Vec::new();
    for line in lines.step_by(ONE_CHANGES) {
        let mut person: Value = serde_json::from_slice(line).unwrap();
        person["city"] = json!("Elsewhere");
        changed.extend(person.to_string().into_bytes());
        changed.push(b'\n');
    }
    changed
}

async fn counted(world: &World) -> Usage {
    world.run().await;
    meter::begin()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes: make cost"]
async fn what_a_connection_takes_is_counted() {
    let (org, made) = (folder("COST_ORG"), folder("COST_DIRECTORY"));
    let scratch = TempDir::new().unwrap();
    let people = unpacked(&made.join("profiles.jsonl.gz"));
    let files = [
        (EntityKind::Person, scratch.path().join("people.jsonl")),
        (EntityKind::Company, scratch.path().join("companies.jsonl")),
        (EntityKind::Person, scratch.path().join("changed.jsonl")),
    ];
    fs::write(&files[0].1, &people).unwrap();
    fs::write(&files[1].1, unpacked(&made.join("companies.jsonl.gz"))).unwrap();
    fs::write(&files[2].1, changed(&people)).unwrap();
    drop(people);
    let options = WorldOptions { home: Home::OneMachine, ..WorldOptions::default() };
    let world = World::with(&org, options).await;
    let users = rows(&org, "User.csv");
    for user in &users {
        world.seat(&user["Email"]).await;
    }
    meter::begin();
    let mut phases: BTreeMap<&str, Usage> = BTreeMap::new();
    let version = world.publish(None, &files[..2]).await;
    phases.insert("publish", counted(&world).await);
    world.authorize(Grantee::Admin, &users[0]["Username"]).await.unwrap();
    phases.insert("first", counted(&world).await);
    world.memory.clock.advance(HALF_A_DAY);
    phases.insert("scheduled", counted(&world).await);
    let scope = world.connection().await.scope();
    let (run, trigger) = (ImportRunId::derived("full"), ImportTrigger::Full);
    let full = Next::now(ImportMessage::Start { scope, run, trigger });
    assert!(world.functions.outbox.commit(vec![], vec![full]).await.unwrap().is_done());
    phases.insert("unchanged", counted(&world).await);
    world.publish(Some(version), &files[2..]).await;
    phases.insert("rematch", counted(&world).await);
    for _ in 0..2 {
        world.memory.clock.advance(HALF_A_DAY);
        world.run().await;
    }
    phases.insert("day", meter::begin());
    let (items, bytes) = world.stored().await;
    let objects = ["Lead", "Contact", "Account", "Opportunity", "OpportunityContactRole"];
    let rows: usize = objects.iter().map(|name| lines(&org.join(format!("{name}.csv")))).sum();
    let result = json!({ "rows": rows, "phases": phases, "items": items, "bytes": bytes,
        "secrets": world.secret_names().await.len() });
    let file = root().join(format!(".local/cost-{rows}.json"));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, result.to_string()).unwrap();
}

/// The rows of a CSV file without line breaks in its fields.
fn lines(file: &Path) -> usize {
    let Ok(file) = fs::File::open(file) else { return 0 };
    BufReader::new(file).split(b'\n').count().saturating_sub(1)
}
