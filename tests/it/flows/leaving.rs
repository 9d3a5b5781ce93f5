//! Leaving and coming back while the purge runs, killed at any step of either: nothing of the first
//! generation is left, and everything of the second is there.

use std::path::Path;

use bytes::Bytes;
use serde_json::json;
use shared::capabilities::audit::Actor;
use shared::capabilities::custody::Custody;
use shared::capabilities::leaving::{Purge, PurgePhase};
use shared::kernel::{ConnectionState, Grantee, Scope, SeatId};
use tests::Home;
use tests::world::{Delivery, World};

use super::killed::Death;
use super::main_job::{ADMIN, imported_at};
use super::observe::{Seen, objects, runs, see};
use super::org::{json_of, small, tiny};

const SELLER: &str = "noor.castellan@acme.example";

in_both_homes!(
    a_purge_leaves_nothing_of_its_generation_and_everything_of_the_next,
    delivered_twice_and_backwards_a_purge_takes_nothing_of_the_next_generation,
);

/// A world that has left and come back, at rest; what its first generation was; and how many calls
/// the functions made from the fence on.
async fn left_and_back(
    folder: &Path,
    home: Home,
    delivery: Delivery,
    death: Death,
) -> (World, Scope, Purge, u64) {
    let mut world = imported_at(home, folder, Delivery::Plain).await;
    world.delivery = delivery;
    world.authorize(Grantee::Seat(SeatId::derived(SELLER)), SELLER).await.unwrap();
    let first = world.connection().await.scope();
    let purge = world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    assert_eq!(purge.phase, PurgePhase::Shred);
    // The customer is back before the purge has come far.
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    let before = world.fuse.calls();
    if let Some((n, after)) = death {
        world.fuse.light(n, after);
    }
    world.run().await;
    let calls = world.fuse.calls() - before;
    world.fuse.pause();
    let purge = world.functions.disconnect.get(first).await.unwrap().unwrap();
    (world, first, purge, calls)
}

/// Whatever a store still has of a generation, its certificate aside. Keys join its parts by `#`,
/// the names of objects and secrets by `/`; both are looked for everywhere.
async fn left_of(world: &World, scope: Scope) -> Vec<String> {
    let Scope { tenant, environment, generation } = scope;
    let item = format!("{tenant}#{environment}#{generation}");
    let path = format!("{tenant}/{environment}/{generation}");
    let begins = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_digit());
    let has = |text: &str, part: &str| text.split(part).skip(1).any(begins);
    let mut names = world.item_keys().await;
    names.extend(world.object_keys().await);
    names.extend(world.secret_names().await);
    names.retain(|name| has(name, &item) || has(name, &path));
    names
}

/// The end that a purge must come to, whatever happened on its way.
async fn assert_purged(world: &World, scope: Scope, purge: &Purge, told: &str) {
    assert_eq!(purge.phase, PurgePhase::Complete, "{told}: {purge:?}");
    assert!(purge.data_key_destroyed && purge.completed_at.is_some(), "{told}");
    assert!(purge.remaining.values().all(|n| *n == 0), "{told}: {:?}", purge.remaining);
    assert_eq!(left_of(world, scope).await, Vec::<String>::new(), "{told}");
    let ended = purge.grants.revoked + purge.grants.already_dead + purge.grants.unconfirmed;
    assert_eq!((purge.grants.open, ended), (0, 2), "{told}: {:?}", purge.grants);
}

async fn a_purge_leaves_nothing_of_its_generation_and_everything_of_the_next(home: Home) {
    let folder = small();
    let (world, first, purge, _) = left_and_back(folder.path(), home, Delivery::Plain, None).await;
    assert_purged(&world, first, &purge, "plain").await;
    assert!(purge.found["items REC"] > 500, "{:?}", purge.found);
    assert_eq!(purge.grants.revoked, 2, "{:?}", purge.grants);
    let connection = world.connection().await;
    assert_eq!(connection.state, ConnectionState::Connected);
    assert_eq!(connection.generation.0, 2);
    let there = left_of(&world, connection.scope()).await;
    for part in ["GEN#", "#REC#", "/probes", "crm-sync/"] {
        assert!(there.iter().any(|name| name.contains(part)), "the scan sees no {part}: {there:?}");
    }
    let runs = runs(&world).await;
    assert_eq!(runs.len(), 1);
    let rows = json_of(folder.path(), "expectations.json")["rows"].clone();
    for (object, import) in objects(&world, runs[0].id).await {
        assert_eq!(json!(import.live), rows[object.name()], "{object}");
    }
}

/// What a run has fetched is deleted when the run is at its end; a disconnect may come before.
#[tokio::test]
async fn what_a_run_has_fetched_goes_with_a_purge() {
    let folder = tiny();
    let world = imported_at(Home::Memory, folder.path(), Delivery::Plain).await;
    world.authorize(Grantee::Seat(SeatId::derived(SELLER)), SELLER).await.unwrap();
    let scope = world.connection().await.scope();
    let page = format!("{}page", scope.run_prefix());
    world.ports().objects.put(&page, Bytes::from_static(b"rows")).await.unwrap();
    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    world.run().await;
    let purge = world.functions.disconnect.get(scope).await.unwrap().unwrap();
    assert_purged(&world, scope, &purge, "in the middle of a run").await;
}

/// Dies at every `stride`th call of the purge and the coming back; how often it died.
async fn dies_everywhere(home: Home, stride: usize) -> usize {
    let folder = tiny();
    let (plain, _, _, calls) = left_and_back(folder.path(), home, Delivery::Plain, None).await;
    let plain: Seen = see(&plain).await;
    let mut deaths = 0;
    for (turn, n) in (1..calls).step_by(stride).enumerate() {
        let death = Some((n, turn.is_multiple_of(2)));
        let (world, first, purge, _) =
            left_and_back(folder.path(), home, Delivery::Plain, death).await;
        let told = format!("killed at {death:?} of {calls} calls");
        assert_purged(&world, first, &purge, &told).await;
        assert_eq!(plain.differences(&see(&world).await), [""; 0], "{told}");
        deaths += 1;
    }
    deaths
}

#[tokio::test]
async fn killed_at_any_call_of_a_purge_and_a_reconnect_the_end_is_the_same() {
    let deaths = dies_everywhere(Home::Memory, 37).await;
    assert!(deaths > 20, "died {deaths} times");
}

#[tokio::test]
async fn killed_in_a_purge_on_one_machine_the_end_is_the_same() {
    let deaths = dies_everywhere(Home::OneMachine, 149).await;
    assert!(deaths > 4, "died {deaths} times");
}

async fn delivered_twice_and_backwards_a_purge_takes_nothing_of_the_next_generation(home: Home) {
    let folder = tiny();
    let (plain, ..) = left_and_back(folder.path(), home, Delivery::Plain, None).await;
    // Where messages are lost at first, the next generation's steps come by their due items alone.
    for delivery in [Delivery::TwiceAndBackwards, Delivery::Lossy] {
        let (world, first, purge, _) = left_and_back(folder.path(), home, delivery, None).await;
        let told = format!("{delivery:?}");
        assert_purged(&world, first, &purge, &told).await;
        assert_eq!(see(&plain).await.differences(&see(&world).await), [""; 0], "{told}");
    }
}

/// The table and the objects come back from a copy. The data key went with the connection's secret,
/// of which there is no copy.
#[tokio::test]
async fn a_copy_that_was_made_before_a_purge_cannot_be_read_after_it() {
    let folder = tiny();
    let world = imported_at(Home::Memory, folder.path(), Delivery::Plain).await;
    let scope = world.connection().await.scope();
    let custody = || Custody::new(world.ports(), "crm-sync/".to_owned());
    assert!(custody().open(scope).await.unwrap().is_some(), "before, it can be read");
    let items = world.memory.items();
    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    world.run().await;
    let purge = world.functions.disconnect.get(scope).await.unwrap().unwrap();
    assert_eq!(purge.phase, PurgePhase::Complete);
    assert!(left_of(&world, scope).await.is_empty());

    world.ports().table.put_many(items).await.unwrap();
    assert_eq!(world.connection().await.scope(), scope, "the copy says that it is connected");
    assert!(!left_of(&world, scope).await.is_empty());
    let opened = custody().open(scope).await;
    assert!(!matches!(opened, Ok(Some(_))), "{:?}", opened.err());
    let records = world.memory.items().into_iter().filter(|item| item.body.is_some());
    assert!(records.count() > 10, "sealed texts that nobody can open");
}
