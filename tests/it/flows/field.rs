//! Orgs and answers that made trouble for people elsewhere. They lie in `fixtures/field`, one
//! folder a case.

use std::path::PathBuf;

use salesforce_simulator::Fault;
use shared::capabilities::connecting::Check;
use shared::capabilities::custody::Custody;
use shared::capabilities::importing::{ObjectImport, RunState};
use shared::capabilities::seats::CrmUserStatus;
use shared::kernel::{
    ConnectionState, Environment, Grantee, ImportRunId, ReconnectReason, SObject, SeatId,
};
use shared::matching::EntityKind;
use shared::store::Store;
use tests::root;
use tests::world::{World, WorldOptions};

use super::main_job::import_again;

const ADMIN: &str = "crm.integration@velmora.example";

fn folder(case: &str) -> PathBuf {
    root().join("tests/fixtures/field").join(case)
}

/// Plans the fault of a case.
fn plan(world: &World, case: &str, file: &str) {
    let fault = std::fs::read(folder(case).join(file)).unwrap();
    // The change comes after the first import, whenever the test runs.
    let fault = String::from_utf8(fault).unwrap().replace("2026-11-28T", "2032-11-28T");
    let fault: Fault = serde_json::from_str(&fault).unwrap();
    world.control().add_fault(fault);
}

async fn connected(case: &str, environment: Environment) -> World {
    let options = WorldOptions { environment, ..WorldOptions::default() };
    let world = World::with(&folder(case).join("org"), options).await;
    let people = folder("13-eca-not-installed");
    let files = [
        (EntityKind::Person, people.join("people.jsonl")),
        (EntityKind::Company, people.join("companies.jsonl")),
    ];
    world.publish(None, &files).await;
    world
}

async fn object(world: &World, run: ImportRunId, object: SObject) -> ObjectImport {
    let slot = world.keys().await.object_import(run, object);
    Store::new(world.ports()).read(&slot).await.unwrap().unwrap()
}

#[tokio::test]
async fn field_13_an_app_that_is_not_installed_is_told_in_either_wording() {
    for file in ["fault.json", "fault-control.json"] {
        let case = "13-eca-not-installed";
        let world = connected(case, Environment::Production).await;
        world.authorize(Grantee::Admin, ADMIN).await.unwrap();
        world.run().await;
        plan(&world, case, file);
        world.control().end_sessions(&world.org).unwrap();
        import_again(&world, "second").await;
        let connection = world.connection().await;
        assert_eq!(connection.state, ConnectionState::ReconnectRequired, "{file}");
        let reason = connection.trouble.map(|trouble| trouble.reason);
        assert_eq!(reason, Some(ReconnectReason::AppNotInstalled), "{file}");
        // The clicks are named where the person authorizes again.
        let error = world.authorize(Grantee::Admin, ADMIN).await.unwrap_err();
        assert_eq!(error.steps(), Check::AppInstalled.steps(), "{file}: {error}");
    }
}

#[tokio::test]
async fn field_14_the_users_of_a_sandbox_are_joined_without_the_suffix_of_their_addresses() {
    let world = connected("14-sandbox-users", Environment::Sandbox).await;
    let seat = world.seat("rowan.tisdale@velmora.example").await;
    let stranger = world.seat("nobody@velmora.example").await;
    world.authorize(Grantee::Admin, "crm.integration@velmora.example.uat").await.unwrap();
    world.run().await;
    let links = world.functions.crm_users.links(world.at()).await.unwrap();
    let link = |seat: SeatId| links.iter().find(|link| link.seat == seat).unwrap();
    assert_eq!(link(seat).status, CrmUserStatus::Matched);
    assert_eq!(link(seat).user, Some("005Fd0000000002IAA".parse().unwrap()));
    assert_eq!(link(stranger).status, CrmUserStatus::NotMatched, "told, not passed over");
    let saved = world.item_keys().await.into_iter().filter(|key| key.contains("#SAVE#"));
    assert!(saved.count() > 0, "the seat's people are saved");
    // The seat may log in as that user.
    let login = world.authorize(Grantee::Seat(seat), "rep.one@velmora.example.uat").await;
    assert!(login.is_ok(), "{:?}", login.err().map(|error| error.to_string()));
}

#[tokio::test]
async fn field_15_a_text_that_cannot_be_decoded_is_marked_and_the_run_goes_on_and_tells() {
    let case = "15-undecodable-record";
    let world = connected(case, Environment::Production).await;
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    world.run().await;
    plan(&world, case, "fault.json");
    world.control().advance(3600);
    let calls = world.control().requests().len();
    import_again(&world, "second").await;
    let run = ImportRunId::derived("second");
    let stored = Store::new(world.ports()).read(&world.keys().await.run(run)).await.unwrap();
    assert_eq!(stored.unwrap().state, RunState::Complete);
    let contacts = object(&world, run, SObject::Contact).await;
    assert_eq!(contacts.counts.updated, 1, "{contacts:#?}");
    let custody = Custody::new(world.ports(), "crm-sync/".to_owned());
    let opened = custody.open(world.connection().await.scope()).await.unwrap().unwrap();
    let id = "003Fd0000000001IAA".parse().unwrap();
    let kept = opened.records.one(SObject::Contact, id).await.unwrap().unwrap();
    assert_eq!(kept.fields.get("Title"), Some("Buyer \u{fffd}"));
    let told: Vec<_> = contacts.errors.iter().map(|e| (e.code.as_str(), e.count)).collect();
    assert_eq!(told, [("UNDECODABLE_TEXT", 1)]);
    assert!(world.control().requests().len() - calls < 150, "no call is repeated for ever");
}
