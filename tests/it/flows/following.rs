//! Corrections of a record that then goes on as another one.

use serde_json::json;
use shared::capabilities::linking::{CandidateList, Correcting, Correction, MatchSource};
use shared::kernel::{Author, EntityId, SObject};
use shared::salesforce::SalesforceId;
use tests::world::World;

use super::connection::Scene;
use super::main_job::import_again;
use super::observe::lists;

async fn link(
    world: &World,
    object: SObject,
    record: SalesforceId,
    entity: &EntityId,
    by: &Author,
) {
    let scope = world.connection().await.scope();
    let what = Correcting::Match { entity_id: entity.clone() };
    world.functions.corrections.say(scope, object, record, what, by).await.unwrap();
    world.run().await;
}

async fn said(world: &World, object: SObject, record: SalesforceId) -> Correction {
    let scope = world.connection().await.scope();
    world.functions.corrections.get(scope, object, record).await.unwrap()
}

async fn list(world: &World, object: SObject, record: SalesforceId) -> CandidateList {
    let found = lists(world, object).await.into_iter().find(|list| list.id == record);
    found.unwrap_or_else(|| panic!("{object} {record} has no list"))
}

/// Some records of an object that are matched to nobody or by the engine, and live.
async fn records(world: &World, object: SObject) -> Vec<SalesforceId> {
    lists(world, object).await.into_iter().filter(|l| !l.gone).map(|l| l.id).collect()
}

async fn import(world: &World, name: &str) {
    world.control().advance(3600);
    import_again(world, name).await;
}

#[tokio::test]
async fn a_manual_match_follows_a_lead_to_the_contact_that_it_became() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let lead = records(world, SObject::Lead).await.remove(0);
    link(world, SObject::Lead, lead, &scene.person, &Author::Seat { seat: scene.seat }).await;
    let became = world.control().convert_lead(&world.org, lead.as_str(), &json!({})).unwrap();
    let contact = became["contact"].as_str().unwrap().parse().unwrap();
    import(world, "second").await;
    let after = list(world, SObject::Contact, contact).await;
    let linked = (after.matched.as_ref(), after.source);
    assert_eq!(linked, (Some(&scene.person), Some(MatchSource::Manual)));
    let heard = said(world, SObject::Contact, contact).await;
    assert_eq!(heard.history.len(), 1);
    assert_eq!(heard.history[0].of, Some(format!("Lead/{lead}")), "where it comes from is kept");
    assert_eq!(heard.history[0].by, Some(scene.seat), "and who said it");
    assert_eq!(said(world, SObject::Lead, lead).await.history.len(), 1, "what was said stays");
}

#[tokio::test]
async fn a_manual_match_follows_a_merged_record_unless_its_master_has_one() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let contacts = records(world, SObject::Contact).await;
    let &[master, loser, other, second] = &contacts[..4] else { panic!("{contacts:?}") };
    let matched = lists(world, SObject::Contact).await.into_iter().filter_map(|l| l.matched);
    let persons: Vec<EntityId> = matched.take(3).collect();
    link(world, SObject::Contact, loser, &persons[0], &Author::Service).await;
    link(world, SObject::Contact, second, &persons[1], &Author::Service).await;
    link(world, SObject::Contact, other, &persons[2], &Author::Service).await;
    let control = world.control();
    control.merge(&world.org, master.as_str(), &[loser.as_str()]).unwrap();
    control.merge(&world.org, other.as_str(), &[second.as_str()]).unwrap();
    import(world, "second").await;
    assert_eq!(list(world, SObject::Contact, master).await.matched.as_ref(), Some(&persons[0]));
    let heard = said(world, SObject::Contact, master).await;
    assert_eq!(heard.history[0].of, Some(format!("Contact/{loser}")));
    assert_eq!(list(world, SObject::Contact, other).await.matched.as_ref(), Some(&persons[2]));
    assert_eq!(said(world, SObject::Contact, other).await.history.len(), 1, "its own word stands");
    // Read again, nothing is said again.
    import(world, "third").await;
    assert_eq!(said(world, SObject::Contact, master).await.history.len(), 1);
}
