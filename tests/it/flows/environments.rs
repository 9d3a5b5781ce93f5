//! Which org a connection is to: production or a sandbox, the one that was meant, one with an API.

use std::collections::BTreeSet;

use salesforce_simulator::{Fault, FaultKind};
use serde_json::json;
use shared::capabilities::activities::{ActivityKind, ActivityState};
use shared::capabilities::connecting::{Check, ConnectError};
use shared::capabilities::importing::{ImportRun, RunState};
use shared::capabilities::linking::CandidateList;
use shared::kernel::{Connection, Environment, Grantee, SObject, SeatId, TenantEnvironment};
use shared::store::keys::{self, GenerationKeys};
use shared::store::{self, Stored, query_all};
use shared::testing::record_id;
use tempfile::TempDir;
use tests::world::{Delivery, World};

use super::main_job::{ADMIN, activity, imported};
use super::org::{directory, tiny};

const SELLER: &str = "noor.castellan@acme.example";

/// The tiny org as a sandbox has it: login names end in the sandbox's name.
fn sandbox_of_tiny() -> TempDir {
    let folder = tiny();
    let path = folder.path().join("User.csv");
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let at = headers.iter().position(|name| name == "Username").unwrap();
    let users: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut writer = csv::Writer::from_path(&path).unwrap();
    writer.write_record(&headers).unwrap();
    for user in users {
        let own = |(n, value): (usize, &str)| {
            if n == at { format!("{value}.uat") } else { value.to_owned() }
        };
        writer.write_record(user.iter().enumerate().map(own)).unwrap();
    }
    writer.flush().unwrap();
    folder
}

/// Loads a sandbox beside its production org; it has an id of its own.
fn load_sandbox(world: &World, folder: &TempDir) -> String {
    let source = json!({ "folder": folder.path(), "my_domain": "acme--uat", "is_sandbox": true,
        "id": record_id("00D", 99) });
    world.control().load_org(source).unwrap()
}

fn sandbox(world: &World) -> TenantEnvironment {
    TenantEnvironment { environment: Environment::Sandbox, ..world.at() }
}

async fn connection(world: &World, at: TenantEnvironment) -> Option<Connection> {
    store::get(&*world.ports().table, &keys::connection(at)).await.unwrap()
}

/// The lists of candidates of all contacts.
async fn lists(world: &World, keys: &GenerationKeys) -> Vec<CandidateList> {
    let documents = world.documents_at(keys.scope().tenant_environment()).await;
    let mut lists = Vec::new();
    for bucket in 0..keys.buckets() {
        let found = documents.all(&keys.all_candidates(SObject::Contact, bucket)).await.unwrap();
        lists.extend(found.into_iter().map(Stored::into_inner));
    }
    lists
}

async fn records(world: &World, keys: &GenerationKeys) -> BTreeSet<String> {
    lists(world, keys).await.into_iter().map(|list| list.id.to_string()).collect()
}

#[tokio::test]
async fn a_sandbox_is_a_connection_of_its_own_beside_production() {
    let (folder, copy) = (tiny(), sandbox_of_tiny());
    let world = imported(folder.path(), Delivery::Plain).await;
    let production = world.connection().await;
    let there = records(&world, &world.keys().await).await;
    let control = world.control();
    // The copy of an org has the same rows under another org's id, and other logins.
    let org = load_sandbox(&world, &copy);
    control.set(&org, &json!({ "bulk_latency_ms": 0 })).unwrap();
    let at = sandbox(&world);
    world.authorize_at(at, Grantee::Admin, &format!("{ADMIN}.uat")).await.unwrap();
    world.run().await;

    let connected = connection(&world, at).await.expect("a connection");
    assert_eq!(connected.at.environment, Environment::Sandbox);
    assert_eq!(connected.login_host.to_string(), "test.salesforce.com");
    assert_ne!(connected.org_id, production.org_id);
    let keys = GenerationKeys::of(&connected);
    let runs: Vec<ImportRun> = query_all(&*world.ports().table, &keys.runs()).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::Complete]);
    assert_eq!(records(&world, &keys).await, there, "the same rows, in a place of their own");

    let seat = SeatId::derived(SELLER);
    world.authorize_at(at, Grantee::Seat(seat), &format!("{SELLER}.uat")).await.unwrap();
    let matched = world.functions.activities.clone();
    let lists = lists(&world, &keys).await;
    let person = lists.into_iter().find_map(|list| list.matched).unwrap();
    let new = activity(seat, "1", ActivityKind::Message, person.as_str());
    let posted = matched.post(at, new).await.unwrap();
    world.run().await;
    let now = matched.get(at, posted.id).await.unwrap().unwrap().state;
    assert!(matches!(now, ActivityState::Logged { .. }), "{now:?}");
    assert_eq!(control.writes(&org).unwrap().len(), 1);
    assert_eq!(control.writes(&world.org).unwrap().len(), 0, "production is left alone");
    assert_eq!(connection(&world, world.at()).await, Some(production));
}

/// Has an org say that it is a sandbox, or that it is none.
fn say(world: &World, org: &str, is_sandbox: bool) {
    let id = world.control().org_id(org).unwrap();
    world.control().update(org, &id, &json!({ "IsSandbox": is_sandbox })).unwrap();
}

#[tokio::test]
async fn an_org_of_the_other_environment_is_refused_and_both_are_named() {
    let (folder, copy) = (tiny(), sandbox_of_tiny());
    let world = World::new(folder.path()).await;
    say(&world, &world.org, true);
    let told = world.authorize(Grantee::Admin, ADMIN).await.unwrap_err();
    let (asked, found) = (Environment::Production, Environment::Sandbox);
    assert_eq!(told.to_string(), ConnectError::Environment { asked, found }.to_string());
    let words = "this is a sandbox org, but the production connection was being made";
    assert_eq!(told.to_string(), words);

    let org = load_sandbox(&world, &copy);
    say(&world, &org, false);
    let (at, admin) = (sandbox(&world), format!("{ADMIN}.uat"));
    let told = world.authorize_at(at, Grantee::Admin, &admin).await.unwrap_err();
    let words = "this is a production org, but the sandbox connection was being made";
    assert_eq!(told.to_string(), words);
    for at in [world.at(), sandbox(&world)] {
        assert_eq!(connection(&world, at).await, None);
    }
    world.run().await;
    for org in world.control().orgs() {
        let grants = world.control().grants(&org).unwrap();
        assert!(!grants.is_empty() && grants.iter().all(|g| g.state != "active"), "{grants:?}");
    }
}

#[tokio::test]
async fn an_org_or_a_user_without_the_api_is_told_which_it_is_and_what_to_do() {
    let folder = tiny();
    let mut world = World::new(folder.path()).await;
    world.publish(None, &directory(folder.path())).await;
    world.delivery = Delivery::Plain;
    let edition = "this Salesforce edition has no API access";
    let user = "the user who logged in lacks the permission API Enabled";
    for (code, status, words, remedy) in [
        ("API_DISABLED_FOR_ORG", 403, edition, "Enterprise"),
        ("FUNCTIONALITY_NOT_ENABLED", 403, edition, "Professional Edition as an add-on"),
        ("API_CURRENTLY_DISABLED", 403, user, "permission set"),
    ] {
        let body = json!([{ "errorCode": code, "message": "as Salesforce says it" }]).to_string();
        let kind = FaultKind::Respond { status, body, content_type: None, retry_after: None };
        world.control().add_fault(Fault::at("/query", kind));
        let told = world.authorize(Grantee::Admin, ADMIN).await.unwrap_err();
        assert!(matches!(told, ConnectError::Org(_)), "{code}: {told:?}");
        let text = told.to_string();
        assert!(text.contains(words) && text.contains(remedy), "{code}: {text}");
        assert_eq!(told.steps(), Check::ApiEnabled.steps(), "{code}");
        assert!(!told.steps().is_empty(), "{code}");
        assert_eq!(connection(&world, world.at()).await, None, "{code}");
    }
    // What was in the way is gone.
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
}
