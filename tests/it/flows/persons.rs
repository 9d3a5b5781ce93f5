//! An org whose customers are persons.

use serde_json::json;
use shared::capabilities::importing::{AccountModel, RunState};
use shared::capabilities::linking::Correcting;
use shared::kernel::{Author, CareMessage, Grantee, SObject};
use shared::store::Next;
use tests::world::World;

use super::connection::Scene;
use super::main_job::ADMIN;
use super::observe::{lists, objects, runs, saved};
use super::org::tiny;

const SELLER: &str = "noor.castellan@acme.example";

#[tokio::test]
async fn the_person_of_an_open_opportunity_is_saved_for_its_owner() {
    let scene = Scene::new().await;
    let (world, org) = (&scene.world, &scene.world.org);
    let control = world.control();
    let before = saved(world, scene.seat, "leads").await;
    let nobodys = lists(world, SObject::Contact)
        .await
        .into_iter()
        .find_map(|list| list.matched.filter(|_| !before.contains(list.id.as_str())));
    control.set(org, &json!({ "person_accounts": true })).unwrap();
    let users = control.records(org, "User", 0, 1_000).unwrap();
    let seller = users.iter().find(|user| user["Email"] == SELLER).unwrap()["Id"].clone();
    let account = json!({ "LastName": "Person", "FirstName": "A", "OwnerId": seller });
    let account = control.create(org, "Account", &account).unwrap();
    let contact = control.record(org, &account).unwrap()["PersonContactId"].clone();
    let contact = contact.as_str().unwrap();
    let deal = json!({ "Name": "Deal", "AccountId": account, "OwnerId": seller,
        "StageName": "Prospecting", "CloseDate": "2027-01-31" });
    control.create(org, "Opportunity", &deal).unwrap();
    control.advance(60);
    let scope = world.connection().await.scope();
    let inspect = Next::now(CareMessage::Inspect { scope });
    let _ = world.functions.outbox.commit(vec![], vec![inspect]).await.unwrap();
    world.run().await;
    let person = AccountModel::Person;
    world.functions.selections.set_accounts(world.at(), person, &Author::Service).await.unwrap();
    world.run().await;
    assert!(!saved(world, scene.seat, "leads").await.contains(contact), "not matched yet");
    let what = Correcting::Match { entity_id: nobodys.unwrap() };
    let corrections = &world.functions.corrections;
    let record = contact.parse().unwrap();
    corrections
        .say(scope, SObject::Contact, record, what, &Author::Seat { seat: scene.seat })
        .await
        .unwrap();
    world.run().await;
    assert!(saved(world, scene.seat, "leads").await.contains(contact));
}

#[tokio::test]
async fn persons_that_were_chosen_before_connecting_are_all_that_the_first_import_brings() {
    let folder = tiny();
    let world = World::new(folder.path()).await;
    let (control, org) = (world.control(), &world.org);
    control.set(org, &json!({ "person_accounts": true })).unwrap();
    let person = json!({ "LastName": "Person", "FirstName": "A" });
    control.create(org, "Account", &person).unwrap();
    let selections = &world.functions.selections;
    selections.set_accounts(world.at(), AccountModel::Person, &Author::Service).await.unwrap();
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    world.run().await;
    let runs = runs(&world).await;
    assert_eq!((runs.len(), runs[0].state), (1, RunState::Complete));
    let objects = objects(&world, runs[0].id).await;
    assert_eq!(objects[&SObject::Account].counts.new, 0);
    assert_eq!(objects[&SObject::Contact].counts.new, 1, "the person, and no company's contact");
}

#[tokio::test]
async fn an_org_without_person_accounts_says_so_when_persons_were_chosen_before_connecting() {
    let folder = tiny();
    let world = World::new(folder.path()).await;
    let selections = &world.functions.selections;
    selections.set_accounts(world.at(), AccountModel::Person, &Author::Service).await.unwrap();
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    world.run().await;
    let run = runs(&world).await.remove(0);
    let contacts = objects(&world, run.id).await.remove(&SObject::Contact).unwrap();
    let told = format!("{:?}", contacts.phase);
    assert!(told.contains("the org has no person accounts"), "{told}");
    assert_eq!(contacts.counts.new, 0, "no company's contact comes instead");
}
