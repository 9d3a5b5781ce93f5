//! What match runs keep in the object store, and what becomes of a batch that is gone.

use std::collections::BTreeMap;

use shared::kernel::{EntityId, Grantee, RUNS, SObject};
use shared::salesforce::SalesforceId;
use tests::world::World;

use super::observe::lists;
use super::org::{directory, tiny};

const ADMIN: &str = "crm.integration@acme.example";

async fn connected(folder: &tempfile::TempDir) -> World {
    let world = World::new(folder.path()).await;
    world.publish(None, &directory(folder.path())).await;
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    world
}

/// Delivers messages until a match run has batches in the store.
async fn until_there_are_batches(world: &World) {
    for _ in 0..2_000 {
        if world.object_keys().await.iter().any(|key| key.contains("/match/")) {
            return;
        }
        let batch = world.memory.receive();
        if batch.is_empty() {
            world.memory.clock.advance(jiff::SignedDuration::from_secs(1));
        }
        for message in batch {
            world.deliver(&message.body).await;
        }
    }
    panic!("no batch was made");
}

async fn matches(world: &World) -> BTreeMap<SalesforceId, Option<EntityId>> {
    let mut all = BTreeMap::new();
    for object in [SObject::Account, SObject::Contact, SObject::Lead] {
        all.extend(lists(world, object).await.into_iter().map(|list| (list.id, list.matched)));
    }
    all
}

#[tokio::test]
async fn m04_batches_and_candidates_go_when_their_match_run_is_complete() {
    let folder = tiny();
    let world = connected(&folder).await;
    until_there_are_batches(&world).await;
    world.run().await;
    let mut keys = world.object_keys().await;
    assert!(keys.iter().any(|key| key.contains("/probes/")), "what a re-match needs stays");
    keys.retain(|key| key.starts_with(RUNS));
    assert_eq!(keys, Vec::<String>::new());
}

#[tokio::test]
async fn m04_batches_that_vanished_are_made_again_by_a_re_match() {
    let folder = tiny();
    let undisturbed = connected(&folder).await;
    undisturbed.run().await;
    let expected = matches(&undisturbed).await;
    assert!(expected.values().flatten().count() > 1);
    let world = connected(&folder).await;
    until_there_are_batches(&world).await;
    let mut gone = world.object_keys().await;
    gone.retain(|key| key.contains("/match/"));
    world.ports().objects.delete(&gone).await.unwrap();
    world.run().await;
    assert_eq!(matches(&world).await, expected);
}
