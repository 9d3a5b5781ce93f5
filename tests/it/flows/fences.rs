//! The fence between any two calls of a piece of work: what was not committed before it is not
//! committed at all, and what another generation began is not the next one's.

use jiff::SignedDuration;
use serde_json::json;
use shared::capabilities::activities::{ActivityKind, ActivityState};
use shared::capabilities::audit::Actor;
use shared::capabilities::badges::BadgeError;
use shared::capabilities::custody::LookupError;
use shared::capabilities::linking::Correcting;
use shared::kernel::{
    ActivityId, Author, CareMessage, ConnectionState, Envelope, Generation, GrantState, Grantee,
    MatchMessage, Message, RecordRef, SObject, WritebackMessage,
};
use shared::matching::EntityKind;
use shared::ports::Item;
use shared::product::{Generations, Product};
use shared::store;
use shared::work::Done;
use tests::world::World;

use super::connection::Scene;
use super::main_job::{ADMIN, activity, import_again, state};
use super::meanwhile::{at_each_call, meanwhile};
use super::observe::lists;

const SELLER: &str = "noor.castellan@acme.example";

async fn disconnect(world: &World) {
    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
}

/// How many grants the org still honours.
fn live(world: &World) -> usize {
    let grants = world.control().grants(&world.org).unwrap();
    grants.iter().filter(|grant| grant.state == "active").count()
}

/// What the API has of a world's capabilities, behind the fuse.
fn product(world: &World) -> Product<Generations> {
    Product::new(world.fuse.guard(&world.ports())).opening("crm-sync/".to_owned())
}

/// A piece of work that people ask for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Post,
    Rematch,
    Correction,
}

impl Asked {
    /// Does it; true if it is said to be done.
    async fn by(self, scene: &Scene, record: RecordRef) -> bool {
        let (world, at) = (&scene.world, scene.world.at());
        match self {
            Self::Post => {
                let person = scene.person.as_str();
                let new = activity(scene.seat, "late", ActivityKind::Message, person);
                world.functions.activities.post(at, new).await.is_ok()
            }
            Self::Rematch => product(world).rematch().ask(at).await.is_ok(),
            Self::Correction => {
                let what = Correcting::Unmatch { entity_id: None };
                let scope = at.generation(Generation(1));
                let corrections = &world.functions.corrections;
                let said = corrections.say(scope, record.object, record.id, what, &Author::Service);
                said.await.is_ok()
            }
        }
    }

    /// True for the step that follows from it.
    fn is_followed_by(self, message: &Message) -> bool {
        match message {
            Message::Writeback(WritebackMessage::Activity { .. }) => matches!(self, Self::Post),
            Message::Match(MatchMessage::Rematch { .. }) => matches!(self, Self::Rematch),
            Message::Match(MatchMessage::Correct { .. }) => matches!(self, Self::Correction),
            _ => false,
        }
    }
}

/// True if the step that follows from what was asked is committed.
fn is_committed(world: &World, asked: Asked) -> bool {
    let message = |item: &Item| serde_json::from_value(item.doc.get("message")?.clone()).ok();
    let items = world.memory.items();
    items.iter().filter_map(message).any(|message: Message| asked.is_followed_by(&message))
}

/// The org is disconnected before call `n` of what is asked; true when there was no such call. Who
/// asked is told that it is done exactly where it was committed before.
async fn fenced_at(asked: Asked, n: usize) -> bool {
    let scene = Scene::new().await;
    let world = &scene.world;
    let contacts = lists(world, SObject::Contact).await;
    let record = contacts.iter().find(|list| list.matched.is_some()).unwrap().record();
    let mut was_before = false;
    let fence = async {
        was_before = is_committed(world, asked);
        disconnect(world).await;
    };
    let (is_done, was_over) =
        meanwhile(world, n, Box::pin(asked.by(&scene, record)), Box::pin(fence)).await;
    let of = format!("{asked:?}, disconnected at call {n}");
    assert_eq!(is_done, was_before, "{of}");
    assert_eq!(is_committed(world, asked), was_before, "{of}");
    assert!(!was_over || is_done, "{of}");
    was_over
}

#[tokio::test]
async fn what_is_asked_for_at_the_fence_is_done_before_it_or_refused() {
    for (asked, least) in [(Asked::Post, 5), (Asked::Rematch, 3), (Asked::Correction, 5)] {
        at_each_call(least, async |n| fenced_at(asked, n).await).await;
    }
}

/// The org is disconnected before call `n` of the step that logs an activity; true when there was
/// no such call. A row is written exactly where the activity was claimed before.
async fn fenced_while_it_logs_at(n: usize) -> bool {
    let scene = Scene::new().await;
    let world = &scene.world;
    let new = activity(scene.seat, "1", ActivityKind::Message, scene.person.as_str());
    let posted = world.functions.activities.post(world.at(), new).await.unwrap();
    let scope = world.connection().await.scope();
    let step = WritebackMessage::Activity { scope, activity: posted.id };
    let mut was_claimed = false;
    let fence = async {
        let before = state(world, posted.id).await;
        was_claimed =
            matches!(before, ActivityState::Claimed { .. } | ActivityState::Logged { .. });
        disconnect(world).await;
    };
    let (_, was_over) =
        meanwhile(world, n, Box::pin(world.functions.handle(step)), Box::pin(fence)).await;
    world.run().await;
    let written = world.control().writes(&world.org).unwrap().len();
    assert_eq!(written, usize::from(was_claimed), "disconnected at call {n}");
    was_over
}

#[tokio::test]
async fn an_activity_that_was_not_claimed_before_the_fence_is_not_logged() {
    at_each_call(6, async |n| fenced_while_it_logs_at(n).await).await;
}

/// The state of a grant that the connection of now has.
async fn grant(scene: &Scene, grantee: Grantee) -> Option<GrantState> {
    let keys = scene.world.keys().await;
    let slot = match grantee {
        Grantee::Admin => keys.admin_grant(),
        Grantee::Seat(seat) => keys.seat_grant(seat),
    };
    store::get(&*scene.world.ports().table, &slot).await.unwrap()
}

/// The org is disconnected and connected anew before call `n` of a login; true when there was no
/// such call. No token is left but those that the new connection has, and nobody is told that a
/// login counts which counts for no connection.
async fn connected_anew_at(n: usize, is_admin: bool) -> bool {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.memory.clock.advance(SignedDuration::from_mins(1));
    let (grantee, username) =
        if is_admin { (Grantee::Admin, ADMIN) } else { (Grantee::Seat(scene.seat), SELLER) };
    let since = async || grant(&scene, grantee).await.map(|grant| grant.authorized_at);
    let first = since().await;
    let (mut was_before, mut anew_at) = (false, None);
    let anew = async {
        was_before = since().await != first;
        world.memory.clock.advance(SignedDuration::from_mins(1));
        disconnect(world).await;
        world.authorize(Grantee::Admin, ADMIN).await.unwrap();
        anew_at = since().await;
        world.memory.clock.advance(SignedDuration::from_mins(1));
    };
    let (ended, was_over) =
        meanwhile(world, n, Box::pin(world.authorize(grantee, username)), Box::pin(anew)).await;
    let of = format!("{ended:?}, connected anew at call {n}");
    assert_eq!(ended.is_ok(), was_before || since().await != anew_at, "{of}");
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    let connection = world.connection().await;
    assert_eq!(connection.state, ConnectionState::Connected, "{of}");
    assert!(connection.generation > Generation(1), "{of}");
    let of_seat = grant(&scene, Grantee::Seat(scene.seat)).await;
    assert_eq!(live(world), 1 + usize::from(of_seat.is_some()), "{of}");
    was_over
}

#[tokio::test]
async fn a_login_of_a_generation_that_ended_leaves_the_next_one_alone() {
    at_each_call(11, async |n| connected_anew_at(n, false).await).await;
}

#[tokio::test]
async fn an_admins_login_of_a_generation_that_ended_leaves_the_next_one_alone() {
    at_each_call(11, async |n| connected_anew_at(n, true).await).await;
}

/// The message of a connection's next upkeep.
async fn upkeep(world: &World) -> CareMessage {
    loop {
        world.memory.clock.advance(SignedDuration::from_mins(36));
        world.functions.due.tick().await.unwrap();
        for sent in world.memory.receive() {
            match Envelope::<Message>::parse(&sent.body).unwrap().message {
                Message::Care(care @ CareMessage::Upkeep { .. }) => return care,
                _ => world.deliver(&sent.body).await,
            }
        }
    }
}

/// The org is disconnected before call `n` of the step that finds a trouble mended; true when there
/// was no such call. The fence stays.
async fn fenced_while_it_mends_at(n: usize) -> bool {
    let scene = Scene::new().await;
    let (world, control) = (&scene.world, scene.world.control());
    let policy = |ranges| json!({ "refresh_ip_allow_list": ranges });
    control.set_policy("crm-sync-local", None, &policy(json!(["10.0.0.1"]))).unwrap();
    control.end_sessions(&world.org).unwrap();
    import_again(world, "second").await;
    assert_eq!(world.connection().await.state, ConnectionState::ReconnectRequired);
    control.set_policy("crm-sync-local", None, &policy(json!(null))).unwrap();
    let step = upkeep(world).await;
    let (_, was_over) =
        meanwhile(world, n, Box::pin(world.functions.handle(step)), Box::pin(disconnect(world)))
            .await;
    assert_eq!(world.connection().await.state, ConnectionState::Disconnected, "at call {n}");
    was_over
}

#[tokio::test]
async fn a_trouble_that_ends_takes_no_fence_down() {
    at_each_call(8, async |n| fenced_while_it_mends_at(n).await).await;
}

#[tokio::test]
async fn an_activity_behind_the_fence_is_shown_to_nobody() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let new = activity(scene.seat, "1", ActivityKind::Message, scene.person.as_str());
    let posted = world.functions.activities.post(world.at(), new).await.unwrap();
    disconnect(world).await;
    let shown = world.functions.activities.get(world.at(), posted.id).await;
    assert!(matches!(shown, Ok(None)), "{shown:?}");
}

#[tokio::test]
async fn badges_behind_the_fence_are_shown_to_nobody() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let (badges, people) = (product(world).badges(), [scene.person.clone()]);
    let before = badges.of(world.at(), EntityKind::Person, &people).await.unwrap();
    assert!(before.badges[0].link.is_some());
    disconnect(world).await;
    let shown = badges.of(world.at(), EntityKind::Person, &people).await;
    let told = shown.unwrap_err();
    assert!(matches!(told, BadgeError::Lookup(LookupError::NotFound(_))), "{told:?}");
}

#[tokio::test]
async fn a_step_of_what_was_disconnected_asks_the_org_for_nothing() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let scope = world.connection().await.scope();
    let new = activity(scene.seat, "1", ActivityKind::Message, scene.person.as_str());
    let posted = world.functions.activities.post(world.at(), new).await.unwrap();
    let custody = &world.functions.custody;
    assert!(custody.open(scope).await.unwrap().is_some());
    disconnect(world).await;
    assert!(custody.open(scope).await.unwrap().is_none());
    world.control().clear_requests();
    let logging = WritebackMessage::Activity { scope, activity: posted.id };
    let done = world.functions.handle(Message::Writeback(logging)).await.unwrap();
    assert_eq!(done, Done::Finished);
    let asked = world.control().requests();
    let asked: Vec<_> = asked.iter().filter(|r| r.path.starts_with("/services/data")).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

#[tokio::test]
async fn a_connection_that_is_gone_is_not_among_the_live_ones() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let slot = store::keys::live(world.at().tenant, world.at().environment);
    let is_live = async || store::get(&*world.ports().table, &slot).await.unwrap().is_some();
    assert!(is_live().await);
    disconnect(world).await;
    assert!(!is_live().await);
}

/// How many activities the first generation of a world holds.
fn activities(world: &World) -> usize {
    world.memory.items().iter().filter(|item| item.key.sk().starts_with("ACT#")).count()
}

/// The org is disconnected before call `n` of the import of a moved tenant's activity; true when
/// there was no such call.
async fn fenced_while_it_takes_over_at(n: usize) -> bool {
    let scene = Scene::new().await;
    let world = &scene.world;
    let id = ActivityId::derived("moved");
    let lines = [
        json!({ "kind": "tenant_export", "format": 1, "tenant": world.tenant,
            "exported_at": "2026-11-20T15:00:00Z" }),
        json!({ "kind": "connection", "environment": "production",
            "org_id": world.connection().await.org_id, "org_name": "Acme" }),
        json!({ "kind": "activity", "activity": id, "seat": scene.seat, "activity_kind": "note",
            "entity_kind": "person", "entity": scene.person, "digest": "d", "target": null,
            "occurred_at": "2026-11-20T15:00:00Z", "state": { "state": "queued" }, "tries": 0,
            "subject": null, "body": "Call back" }),
    ];
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let before = activities(world);
    let mut at_the_fence = before;
    let fence = async {
        at_the_fence = activities(world);
        disconnect(world).await;
    };
    let import = world.functions.moving.import(world.tenant, &lines);
    let (told, was_over) = meanwhile(world, n, Box::pin(import), Box::pin(fence)).await;
    assert_eq!(activities(world), at_the_fence, "disconnected at call {n}: {told:?}");
    assert!(!was_over || at_the_fence == before + 1, "{told:?}");
    was_over
}

#[tokio::test]
async fn what_is_taken_over_at_the_fence_is_kept_before_it_or_not_at_all() {
    at_each_call(5, async |n| fenced_while_it_takes_over_at(n).await).await;
}
