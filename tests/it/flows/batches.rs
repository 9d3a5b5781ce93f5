//! A queue's batch of ten: its invocation ends at any call, and a table that refuses calls.

use std::path::Path;

use serde_json::json;
use shared::capabilities::activities::ActivityState;
use shared::kernel::{Envelope, Grantee, Message, WritebackMessage};
use shared::lambda::{SqsEvent, each_message};
use tests::world::{World, WorldOptions};

use super::connection::Scene;
use super::main_job::{ADMIN, state};
use super::observe::{Seen, see};
use super::org::{directory, json_of, tiny};

/// Works on messages as one invocation does. Nobody hears its answer.
async fn one_invocation(world: &World, bodies: &[String]) {
    let records = bodies.iter().enumerate();
    let records = records.map(|(n, body)| json!({ "messageId": n.to_string(), "body": body }));
    let event = json!({ "Records": records.collect::<Vec<_>>() });
    let event: SqsEvent = serde_json::from_value(event).unwrap();
    let handler = |message: WritebackMessage| Box::pin(world.functions.handle(message));
    let _ = each_message(event, &world.functions.outbox, handler).await;
}

/// The queue gives all ten again, those too that were done.
#[tokio::test]
async fn f07_a_batch_whose_invocation_ends_at_any_call_is_logged_once() {
    let scene = Scene::new().await;
    let world = &scene.world;
    for round in 0..40 {
        let mut posted = Vec::new();
        for n in 0..10 {
            posted.push(scene.post(&format!("{round} {n}")).await.unwrap().id);
        }
        // The first has a message. Those behind it have theirs as after a release.
        let messages = world.memory.receive();
        assert_eq!(messages.len(), 1);
        let mut bodies: Vec<String> = messages.into_iter().map(|message| message.body).collect();
        let scope = world.connection().await.scope();
        bodies.extend(posted[1..].iter().map(|id| {
            let logging = WritebackMessage::Activity { scope, activity: *id };
            serde_json::to_string(&Envelope::of(Message::Writeback(logging))).unwrap()
        }));
        world.fuse.light(1 + 9 * round, round % 2 == 1);
        one_invocation(world, &bodies).await;
        let ended = world.fuse.is_dead();
        world.fuse.restart();
        for body in &bodies {
            world.deliver(body).await;
        }
        world.run().await;
        for id in posted {
            let state = state(world, id).await;
            assert!(matches!(state, ActivityState::Logged { .. }), "round {round}: {state:?}");
        }
        let rows = world.control().writes(&world.org).unwrap().len() as u64;
        assert_eq!(rows, 10 * (round + 1), "ended in round {round}");
        if !ended {
            assert!(round > 5, "ten activities took {} calls", 9 * round);
            return;
        }
    }
    panic!("ten activities take more calls");
}

/// The first import and all that follows it; this many calls are refused meanwhile.
async fn job(folder: &Path, refused: u64) -> (Seen, World) {
    let world = World::with(folder, WorldOptions::default()).await;
    for seat in json_of(folder, "seats.json").as_array().unwrap() {
        world.seat(seat["email"].as_str().unwrap()).await;
    }
    world.publish(None, &directory(folder)).await;
    world.run().await;
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    // A service that throttles 30 % of its calls refuses one in 37 of those that were tried three
    // times.
    world.fuse.refuse(37, refused);
    world.run().await;
    (see(&world).await, world)
}

#[tokio::test]
async fn f11_after_a_minute_in_which_a_third_of_the_calls_is_throttled_the_end_is_the_same() {
    let folder = tiny();
    let (calm, _) = job(folder.path(), 0).await;
    let (seen, world) = job(folder.path(), 100).await;
    assert!(world.fuse.has_refused());
    assert_eq!(calm.differences(&seen), [] as [&str; 0]);
    assert!(world.memory.dead_letters().is_empty(), "no hand is needed");
}
