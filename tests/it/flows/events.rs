//! Events for others: each thing that happens, under one id, and nothing of a person.

use jiff::SignedDuration;
use serde_json::json;
use shared::capabilities::audit::Actor;
use shared::capabilities::importing::ActiveRun;
use shared::kernel::{
    Environment, Event, Generation, Grantee, ImportRunId, ImportTrigger, Occurrence, PurgeMessage,
    ReconnectReason, Scope, TenantId,
};
use shared::ports::Condition;
use shared::store::{self, Next};
use tests::world::World;

use super::connection::Scene;
use super::main_job::{ADMIN, import_again};

/// The types of the events after the first `seen`, without the prefix that all types have.
fn told(world: &World, seen: usize) -> Vec<String> {
    let events = world.memory.events().into_iter().skip(seen);
    let kind = |event: Event| event.to_cloud_event()["type"].as_str().unwrap().to_owned();
    events.map(|event| kind(event).strip_prefix("crm-sync.").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_connections_life_is_told_once_from_its_begin_to_its_purge() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let begin = ["connection.connected", "import.started", "import.completed"];
    assert_eq!(told(world, 0), begin);
    world.control().revoke_grants(&world.org).unwrap();
    world.control().end_sessions(&world.org).unwrap();
    import_again(world, "second").await;
    assert_eq!(told(world, 3), ["connection.reconnect-required", "import.failed"]);
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    world.run().await;
    assert_eq!(told(world, 5), ["connection.restored", "import.started", "import.completed"]);
    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    world.run().await;
    assert_eq!(told(world, 8), ["connection.disconnected", "connection.purged"]);
    let mut ids: Vec<String> = world.memory.events().iter().map(|e| e.id().to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10, "each has an id of its own");
}

#[tokio::test]
async fn a_connection_that_nobody_mends_is_told_to_have_lapsed() {
    let scene = Scene::new().await;
    scene.world.control().revoke_grants(&scene.world.org).unwrap();
    import_again(&scene.world, "second").await;
    scene.pass(30 * 24).await;
    let end = ["connection.lapsed", "connection.disconnected", "connection.purged"];
    let told: Vec<String> =
        told(&scene.world, 3).into_iter().filter(|t| !t.starts_with("import")).collect();
    assert_eq!(told[0], "connection.reconnect-required");
    assert_eq!(told[1..], end);
}

#[tokio::test]
async fn a_run_that_is_called_off_is_told() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let run = world.functions.import().request_run(world.at(), true).await.unwrap();
    for message in world.memory.receive() {
        world.deliver(&message.body).await;
    }
    world.functions.import().cancel(world.at(), run).await.unwrap();
    world.run().await;
    let about = |event: &&Event| event.occurrence.run() == Some(run);
    let events = world.memory.events();
    let about: Vec<&Occurrence> = events.iter().filter(about).map(|e| &e.occurrence).collect();
    let started = Occurrence::ImportStarted { run, trigger: ImportTrigger::Full };
    assert_eq!(about, [&started, &Occurrence::ImportCancelled { run }]);
}

#[tokio::test]
async fn a_run_without_a_sign_of_life_is_told_once_and_again_after_the_next_one() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let ports = world.ports();
    let (run, since) = (ImportRunId::derived("lost"), ports.clock.now());
    // Its steps were lost for good.
    let put = async |beat_at| {
        let active = ActiveRun { run, since, beat_at, paused: false, stands_back_until: None };
        let key = world.keys().await.active_run();
        let write = store::put(key, &active, Condition::Always).unwrap();
        assert!(ports.table.write(write).await.unwrap().is_done());
    };
    let stalls = || {
        let events = world.memory.events().into_iter().map(|event| event.occurrence);
        events.filter(|o| matches!(o, Occurrence::ImportStalled { .. })).collect::<Vec<_>>()
    };
    put(since).await;
    scene.pass(4).await;
    assert_eq!(stalls(), [Occurrence::ImportStalled { run, since }]);
    let again = ports.clock.now();
    put(again).await;
    scene.pass(2).await;
    assert_eq!(stalls()[1..], [Occurrence::ImportStalled { run, since: again }]);
}

#[tokio::test]
async fn an_event_outlives_the_generation_that_it_tells_of() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let before = world.memory.events().len();
    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    // Everything is lost but the due items; the purge goes on by its own.
    let scope = world.connection().await.scope();
    world.memory.lose_messages();
    let purge = Next::now(PurgeMessage::Purge { scope, step: 0 });
    assert!(world.functions.outbox.commit(vec![], vec![purge]).await.unwrap().is_done());
    scene.pass(2).await;
    let mut told = told(world, before);
    told.sort_unstable();
    assert_eq!(told, ["connection.disconnected", "connection.purged"]);
}

#[test]
fn every_event_is_a_cloud_event_and_described() {
    let docs = tests::read("docs/events.md").unwrap();
    let scope = Scope {
        tenant: TenantId::derived("acme"),
        environment: Environment::Sandbox,
        generation: Generation(2),
    };
    let (run, time) = (ImportRunId::derived("a"), "2026-11-22T03:00:00Z".parse().unwrap());
    let reason = ReconnectReason::GrantDead;
    let all = [
        Occurrence::Connected,
        Occurrence::ReconnectRequired { reason, since: time, lapses_at: time },
        Occurrence::Restored { since: time },
        Occurrence::Lapsed { since: time },
        Occurrence::Paused { since: time },
        Occurrence::Resumed { since: time },
        Occurrence::Disconnected,
        Occurrence::Purged,
        Occurrence::ImportStarted { run, trigger: ImportTrigger::Connected },
        Occurrence::ImportCompleted { run },
        Occurrence::ImportFailed { run },
        Occurrence::ImportCancelled { run },
        Occurrence::ImportStalled { run, since: time },
        Occurrence::ImportStoodBack { run, until: time },
    ];
    for occurrence in all {
        let event = Event { scope, time, occurrence };
        let stored: Event = serde_json::from_value(json!(event)).unwrap();
        assert_eq!(stored, event, "it travels in a queue");
        let later = Event { time: time + SignedDuration::from_secs(1), ..event.clone() };
        assert_eq!(later.id(), event.id(), "told later, it is the same event");
        let sent = event.to_cloud_event();
        let row = format!("| `{}` |", sent["type"].as_str().unwrap());
        let row = docs.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("docs/events.md lacks {}", sent["type"]));
        for name in sent["data"].as_object().unwrap().keys() {
            let everywhere = ["tenant", "environment", "generation"].contains(&name.as_str());
            assert!(everywhere || row.contains(&format!("`{name}`")), "{row} lacks {name}");
        }
        assert_eq!((&sent["specversion"], &sent["data"]["generation"]), (&json!("1.0"), &json!(2)));
        assert!(sent["source"].as_str().unwrap().ends_with("/connections/sandbox"));
        assert_eq!(sent.get("subject").is_some(), event.occurrence.run().is_some());
        assert_eq!(sent["time"], "2026-11-22T03:00:00Z");
    }
}
