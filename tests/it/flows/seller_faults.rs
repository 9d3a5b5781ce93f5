//! What a seller wants in the CRM under the faults of the catalogue: a lead to be created, a
//! contact to be updated, two messages to be logged. Each ends as one row, the messages in their
//! order.

use salesforce_simulator::{Fault, FaultKind};
use serde_json::{Value, json};
use shared::capabilities::activities::{Activity, ActivityKind, ActivityState};
use shared::capabilities::changing::{Change, ChangeKind, ChangeState, NewChange};
use shared::kernel::{Grantee, RecordRef, SObject, WritebackMessage};
use tests::world::Delivery;

use super::changes::{editable, new, row, turn_on, update, values};
use super::connection::{Scene, TOKEN};
use super::main_job::{ADMIN, activity, state};
use super::meanwhile::{at_each_call, meanwhile};
use super::sellers::{log_in, post};

/// What a seller wants, all at once.
struct Wanted {
    name: &'static str,
    lead: Change,
    update: Change,
    record: RecordRef,
    messages: [Activity; 2],
}

impl Wanted {
    async fn by(scene: &Scene, name: &'static str) -> Self {
        let world = &scene.world;
        let changes = &world.functions.changes;
        let fields = json!({ "FirstName": "Ida", "LastName": name, "Company": "Aurelian Ltd" });
        let what = ChangeKind::Create { object: SObject::Lead };
        let lead = NewChange { to: values(&fields), entity: None, ..new(scene, name, what) };
        let lead = changes.post(world.at(), lead).await.unwrap();
        let (record, title) = editable(world).await;
        let key = format!("{name} title");
        let wanted = update(scene, &key, record, (&title, name));
        let update = changes.post(world.at(), wanted).await.unwrap();
        let first = post(scene, &format!("{name} 1"), ActivityKind::Message).await;
        let second = post(scene, &format!("{name} 2"), ActivityKind::Message).await;
        Self { name, lead, update, record, messages: [first, second] }
    }

    /// True if nothing of it is under way: somebody must log in first.
    async fn is_held(&self, scene: &Scene) -> bool {
        let mut held = Vec::new();
        for change in [&self.lead, &self.update] {
            held.push(matches!(seen(scene, change).await.state, ChangeState::Held { .. }));
        }
        for message in &self.messages {
            let state = state(&scene.world, message.id).await;
            held.push(matches!(state, ActivityState::Held { .. }));
        }
        held.iter().all(|held| *held)
    }

    /// Each came to its end, as one row, and the messages in their order.
    async fn assert_once(&self, scene: &Scene, told: &str) {
        let world = &scene.world;
        for change in [&self.lead, &self.update] {
            assert_eq!(seen(scene, change).await.state, ChangeState::Made, "{told}");
        }
        let mut leads = world.control().records(&world.org, "Lead", 0, usize::MAX).unwrap();
        leads.retain(|lead| lead["LastName"] == self.name);
        assert_eq!(leads.len(), 1, "{told}: one lead");
        assert_eq!(row(world, self.record.id)["Title"], self.name, "{told}");
        let writes = world.control().writes(&world.org).unwrap();
        let is_update = |fields: &Value| fields["Title"] == self.name;
        let updates = writes.iter().filter(|write| is_update(&write.fields)).count();
        assert_eq!(updates, 1, "{told}: one update");
        let mut places = Vec::new();
        for message in &self.messages {
            let state = state(world, message.id).await;
            let ActivityState::Logged { salesforce_id } = state else {
                panic!("{told}: {state:?}")
            };
            let marker = message.marker();
            let is_its = |fields: &Value| {
                fields["Description"].as_str().is_some_and(|text| text.contains(&marker))
            };
            let rows: Vec<_> = writes.iter().filter(|write| is_its(&write.fields)).collect();
            assert_eq!(rows.len(), 1, "{told}: one task");
            assert_eq!(rows[0].id, salesforce_id.as_str(), "{told}");
            places.push(writes.iter().position(|write| write.id == salesforce_id.as_str()));
        }
        assert!(places.is_sorted(), "{told}: in their order");
    }
}

async fn seen(scene: &Scene, change: &Change) -> Change {
    let world = &scene.world;
    world.functions.changes.get(world.at(), change.seat, change.id).await.unwrap().1
}

async fn scene() -> Scene {
    let scene = Scene::new().await;
    turn_on(&scene.world).await;
    scene
}

#[tokio::test]
async fn f01_f02_delivered_twice_in_turn_or_at_once_what_a_seller_wants_is_done_once() {
    for delivery in [Delivery::TwiceAndBackwards, Delivery::TwiceAtOnce, Delivery::Lossy] {
        let mut scene = scene().await;
        scene.world.delivery = delivery;
        let wanted = Wanted::by(&scene, "Aurelian").await;
        scene.world.run().await;
        wanted.assert_once(&scene, &format!("{delivery:?}")).await;
    }
}

#[tokio::test]
async fn f31_two_workers_whose_session_ended_renew_it_once_and_do_all_once() {
    let mut scene = scene().await;
    scene.world.delivery = Delivery::TwiceAtOnce;
    let control = scene.world.control();
    control.end_sessions(&scene.world.org).unwrap();
    control.clear_requests();
    let wanted = Wanted::by(&scene, "Aurelian").await;
    scene.world.run().await;
    assert_eq!(scene.token_calls(), 1, "one renewal");
    wanted.assert_once(&scene, "two workers").await;
}

/// Another worker renews the seller's session before call `n` of the one that logs, or after it;
/// true when there was no such call. A token that was renewed is not renewed with the old one.
async fn renewed_beside_at(n: usize) -> bool {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let new = activity(scene.seat, "1", ActivityKind::Message, scene.person.as_str());
    let posted = world.functions.activities.post(at, new).await.unwrap();
    let _ = world.memory.receive();
    world.control().end_sessions(&world.org).unwrap();
    world.control().clear_requests();
    let scope = world.connection().await.scope();
    let step = WritebackMessage::Activity { scope, activity: posted.id };
    let another = async {
        // While the first one holds the lease, this one is told to come again.
        let _ = world.functions.asking.accounts(at, scene.seat, "Ac").await;
    };
    let (_, was_over) =
        meanwhile(world, n, Box::pin(world.functions.handle(step)), Box::pin(another)).await;
    assert_eq!(scene.token_calls(), 1, "renewed beside call {n}");
    world.run().await;
    let told = state(world, posted.id).await;
    assert!(matches!(told, ActivityState::Logged { .. }), "renewed beside call {n}: {told:?}");
    was_over
}

#[tokio::test]
async fn a_session_that_another_worker_renews_at_any_moment_is_renewed_once() {
    at_each_call(8, async |n| renewed_beside_at(n).await).await;
}

#[tokio::test]
async fn f32_what_waits_for_a_seller_whose_renewal_was_lost_is_done_once_after_the_login() {
    let scene = scene().await;
    let control = scene.world.control();
    control.end_sessions(&scene.world.org).unwrap();
    control.add_fault(Fault::at(TOKEN, FaultKind::DropAfter));
    let wanted = Wanted::by(&scene, "Aurelian").await;
    scene.world.run().await;
    assert!(wanted.is_held(&scene).await);
    log_in(&scene).await;
    wanted.assert_once(&scene, "after the login").await;
}

/// F33: a process that dies at any call of its renewal.
#[tokio::test]
async fn f33_a_worker_that_dies_while_it_renews_leaves_nothing_undone() {
    let mut held = 0;
    let scene = scene().await;
    let names = ["Aa", "Bb", "Cc", "Dd", "Ee", "Ff", "Gg", "Hh", "Ii", "Jj", "Kk", "Ll"];
    for (n, name) in (1..).zip(names) {
        scene.world.control().end_sessions(&scene.world.org).unwrap();
        let wanted = Wanted::by(&scene, name).await;
        scene.world.fuse.resume();
        scene.world.fuse.light(n, n % 2 == 0);
        scene.world.run().await;
        scene.world.fuse.pause();
        if wanted.is_held(&scene).await {
            held += 1;
            log_in(&scene).await;
        }
        wanted.assert_once(&scene, &format!("killed at {n}")).await;
    }
    assert!(held < names.len() / 2, "most deaths cost no login: {held}");
}

#[tokio::test]
async fn f34_what_waits_behind_revoked_grants_is_done_once_after_the_logins() {
    let scene = scene().await;
    let control = scene.world.control();
    control.revoke_grants(&scene.world.org).unwrap();
    control.clear_requests();
    let wanted = Wanted::by(&scene, "Aurelian").await;
    scene.world.run().await;
    assert!(wanted.is_held(&scene).await);
    assert!(scene.token_calls() <= 2, "no storm: {}", scene.token_calls());
    scene.world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    log_in(&scene).await;
    wanted.assert_once(&scene, "after the logins").await;
}

/// An answer of Salesforce's own.
fn respond(status: u16, code: &str, message: &str, retry_after: Option<u64>) -> FaultKind {
    let body = json!([{ "errorCode": code, "message": message }]).to_string();
    FaultKind::Respond { status, body, content_type: None, retry_after }
}

#[tokio::test]
async fn f35_f36_f37_storms_and_limits_delay_what_a_seller_wants_and_lose_nothing() {
    let limit = "REQUEST_LIMIT_EXCEEDED";
    for (told, kind, times) in [
        ("F35 503", respond(503, "SERVER_UNAVAILABLE", "busy", None), 7),
        ("F35 429", respond(429, "TOO_MANY_REQUESTS", "slower", Some(40)), 4),
        ("F36", respond(403, limit, "TotalRequests Limit exceeded.", None), 3),
        ("F37", respond(403, limit, "ConcurrentPerOrgLongTxn Limit exceeded.", None), 4),
    ] {
        let scene = scene().await;
        let control = scene.world.control();
        let wanted = Wanted::by(&scene, "Aurelian").await;
        control.add_fault(Fault::at("/services/data/", kind).times(times));
        scene.world.run().await;
        let hits: u64 = control.faults().iter().map(|fault| fault.hits).sum();
        assert_eq!(hits, times, "{told}: every one was met");
        wanted.assert_once(&scene, told).await;
    }
}
