//! Leaving and coming back while the purge runs, killed at any step of either: nothing of the first
//! generation is left, and everything of the second is there.

use std::path::Path;

use serde_json::json;
use shared::capabilities::leaving::{Purge, PurgePhase, Revocation};
use shared::kernel::{ConnectionState, Grantee, Scope, SeatId};
use tests::world::{Delivery, World};

use super::killed::Death;
use super::main_job::{ADMIN, imported};
use super::observe::{Seen, objects, runs, see};
use super::org::{json_of, small, tiny};

const SELLER: &str = "noor.castellan@acme.example";

/// A world that has left and come back, at rest; what its first generation was; and how many calls
/// the functions made from the fence on.
async fn left_and_back(
    folder: &Path,
    delivery: Delivery,
    death: Death,
) -> (World, Scope, Purge, u64) {
    let mut world = imported(folder, Delivery::Plain).await;
    world.delivery = delivery;
    world.authorize(Grantee::Seat(SeatId::derived(SELLER)), SELLER).await.unwrap();
    let first = world.connection().await.scope();
    let purge = world.functions.disconnect.disconnect(world.at()).await.unwrap();
    assert_eq!(purge.phase, PurgePhase::Revoke);
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

/// Whatever a store still has of a generation, its certificate aside.
fn left_of(world: &World, scope: Scope) -> Vec<String> {
    let (item, path) = (format!("{scope}#"), scope.object_prefix());
    let path = path.trim_end_matches('/');
    let ours = |text: &str| text.contains(&item) || text.contains(path);
    let items = world.memory.items().into_iter();
    let items = items.map(|i| format!("{} {}", i.key.pk(), i.key.sk()));
    let objects = world.memory.object_keys().into_iter();
    let secrets = world.memory.secret_names().into_iter();
    items.chain(objects).chain(secrets).filter(|name| ours(name)).collect()
}

/// The end that a purge must come to, whatever happened on its way.
fn assert_purged(world: &World, scope: Scope, purge: &Purge, told: &str) {
    assert_eq!(purge.phase, PurgePhase::Complete, "{told}: {purge:?}");
    assert!(purge.data_key_destroyed && purge.completed_at.is_some(), "{told}");
    assert!(purge.remaining.values().all(|n| *n == 0), "{told}: {:?}", purge.remaining);
    assert_eq!(left_of(world, scope), Vec::<String>::new(), "{told}");
    assert_eq!(purge.grants.len(), 2, "{told}: {:?}", purge.grants);
}

#[tokio::test]
async fn a_purge_leaves_nothing_of_its_generation_and_everything_of_the_next() {
    let folder = small();
    let (world, first, purge, _) = left_and_back(folder.path(), Delivery::Plain, None).await;
    assert_purged(&world, first, &purge, "plain");
    assert!(purge.found["items REC"] > 500, "{:?}", purge.found);
    assert!(purge.grants.values().all(|g| *g == Revocation::Revoked), "{:?}", purge.grants);
    let connection = world.connection().await;
    assert_eq!(connection.state, ConnectionState::Connected);
    assert_eq!(connection.generation.0, 2);
    assert_ne!(left_of(&world, connection.scope()), Vec::<String>::new());
    let runs = runs(&world).await;
    assert_eq!(runs.len(), 1);
    let rows = json_of(folder.path(), "expectations.json")["rows"].clone();
    for (object, import) in objects(&world, runs[0].id).await {
        assert_eq!(json!(import.live), rows[object.name()], "{object}");
    }
}

#[tokio::test]
async fn killed_at_any_call_of_a_purge_and_a_reconnect_the_end_is_the_same() {
    let folder = tiny();
    let (plain, _, _, calls) = left_and_back(folder.path(), Delivery::Plain, None).await;
    let plain: Seen = see(&plain).await;
    let mut deaths = 0;
    for (turn, n) in (1..calls).step_by(37).enumerate() {
        let death = Some((n, turn.is_multiple_of(2)));
        let (world, first, purge, _) = left_and_back(folder.path(), Delivery::Plain, death).await;
        let told = format!("killed at {death:?} of {calls} calls");
        assert_purged(&world, first, &purge, &told);
        assert_eq!(plain.differences(&see(&world).await), [""; 0], "{told}");
        deaths += 1;
    }
    assert!(deaths > 20, "died {deaths} times in {calls} calls");
}

#[tokio::test]
async fn delivered_twice_and_backwards_a_purge_takes_nothing_of_the_next_generation() {
    let folder = tiny();
    let (plain, ..) = left_and_back(folder.path(), Delivery::Plain, None).await;
    let (world, first, purge, _) =
        left_and_back(folder.path(), Delivery::TwiceAndBackwards, None).await;
    assert_purged(&world, first, &purge, "doubled");
    assert_eq!(see(&plain).await.differences(&see(&world).await), [""; 0]);
}
