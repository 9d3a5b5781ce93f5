//! A connection's troubles: what ends it, what mends it, and that nothing is lost meanwhile.

use jiff::SignedDuration;
use salesforce_simulator::{Fault, FaultKind};
use serde_json::json;
use shared::capabilities::activities::{
    Activity, ActivityError, ActivityKind, ActivityState, HoldReason,
};
use shared::capabilities::audit::Actor;
use shared::capabilities::connecting::{
    Check, ConnectError, Connected, Feature, Finding, Inspection,
};
use shared::capabilities::custody::Custody;
use shared::capabilities::importing::RunState;
use shared::capabilities::leaving::PurgePhase;
use shared::kernel::{
    ConnectionState, EntityId, GrantState, Grantee, Occurrence, ReconnectReason, SObject, SeatId,
};
use shared::ports::Disposition;
use shared::salesforce::SalesforceId;
use shared::store;
use tempfile::TempDir;
use tests::world::{Delivery, World};

use super::callbacks::{self, unconnected};
use super::main_job::{ADMIN, activity, import_again, imported, state};
use super::observe::{lists, runs};
use super::org::tiny;

const SELLER: &str = "noor.castellan@acme.example";
pub(super) const TOKEN: &str = "/services/oauth2/token";

/// A connected org with a seller who has authorized.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) seat: SeatId,
    pub(super) person: EntityId,
    _folder: TempDir,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let folder = tiny();
        let world = imported(folder.path(), Delivery::Plain).await;
        let seat = SeatId::derived(SELLER);
        world.authorize(Grantee::Seat(seat), SELLER).await.unwrap();
        world.run().await;
        let contacts = lists(&world, SObject::Contact).await;
        let person = contacts.into_iter().find_map(|list| list.matched).unwrap();
        world.control().set_policy("crm-sync-local", None, &json!({ "rotation": true })).unwrap();
        Self { world, seat, person, _folder: folder }
    }

    pub(super) async fn post(&self, key: &str) -> Result<Activity, ActivityError> {
        let new = activity(self.seat, key, ActivityKind::Message, self.person.as_str());
        self.world.functions.activities.post(self.world.at(), new).await
    }

    /// Posts, and says where that ended.
    async fn posted(&self, key: &str) -> ActivityState {
        let posted = self.post(key).await.unwrap();
        self.world.run().await;
        state(&self.world, posted.id).await
    }

    /// Lets hours pass; a world at rest waits 24 minutes by itself.
    pub(super) async fn pass(&self, hours: i64) {
        let end = self.world.ports().clock.now() + SignedDuration::from_hours(hours);
        while self.world.ports().clock.now() < end {
            self.world.memory.clock.advance(SignedDuration::from_mins(36));
            self.world.run().await;
        }
    }

    async fn trouble(&self) -> Option<ReconnectReason> {
        self.world.connection().await.trouble.map(|trouble| trouble.reason)
    }

    async fn state(&self) -> ConnectionState {
        self.world.connection().await.state
    }

    /// How many grants of a user Salesforce still honours.
    fn grants_of(&self, user: SalesforceId) -> usize {
        let grants = self.world.control().grants(&self.world.org).unwrap();
        grants
            .iter()
            .filter(|grant| grant.user_id == user.as_str() && grant.state == "active")
            .count()
    }

    /// How often the token endpoint was asked.
    pub(super) fn token_calls(&self) -> usize {
        let requests = self.world.control().requests();
        requests.iter().filter(|request| request.path == TOKEN).count()
    }

    async fn grant(&self) -> GrantState {
        let key = self.world.keys().await.admin_grant();
        store::get(&*self.world.ports().table, &key).await.unwrap().unwrap()
    }

    async fn inspection(&self) -> Option<Inspection> {
        let key = self.world.keys().await.inspection();
        store::get(&*self.world.ports().table, &key).await.unwrap()
    }

    /// The admin authorizes again; then everything that waited is done.
    async fn reconnect_and_see(&self, waited: Activity) {
        let before = runs(&self.world).await.len();
        let connected = self.world.authorize(Grantee::Admin, ADMIN).await.unwrap();
        assert_eq!(connected, Connected::Regranted, "nothing is imported anew");
        self.world.run().await;
        assert_eq!((self.state().await, self.trouble().await), (ConnectionState::Connected, None));
        let logged = state(&self.world, waited.id).await;
        assert!(matches!(logged, ActivityState::Logged { .. }), "{logged:?}");
        let runs = runs(&self.world).await;
        assert_eq!(runs.len(), before + 1, "what was missed is imported");
        assert!(runs.iter().any(|run| run.state == RunState::Complete));
        assert_eq!(self.world.control().writes(&self.world.org).unwrap().len(), 1);
    }
}

fn held() -> ActivityState {
    ActivityState::Held { reason: HoldReason::ReconnectRequired }
}

#[tokio::test]
async fn f20_while_the_key_service_is_down_a_connection_is_degraded_and_not_paused() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let told = world.memory.events().len();
    // What was unwrapped for the first may be used for its five minutes.
    let first = scene.post("0").await.unwrap();
    for message in world.memory.receive() {
        world.deliver(&message.body).await;
    }
    assert!(matches!(state(world, first.id).await, ActivityState::Logged { .. }));
    let posted = scene.post("1").await.unwrap();
    world.memory.lose_key_service(true);
    for message in world.memory.receive() {
        world.deliver(&message.body).await;
    }
    assert!(matches!(state(world, posted.id).await, ActivityState::Logged { .. }));
    assert_eq!(world.connection().await.degraded_since, None);
    let waiting = scene.post("2").await.unwrap();
    world.memory.clock.advance(SignedDuration::from_mins(6));
    let items = world.item_keys().await.len();
    for _ in 0..5 {
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
        world.memory.clock.advance(SignedDuration::from_mins(1));
    }
    let connection = world.connection().await;
    assert_eq!((connection.state, connection.paused_since), (ConnectionState::Connected, None));
    assert!(connection.degraded_since.is_some(), "it says so");
    let doctor = shared::capabilities::connecting::diagnose(&connection, None);
    assert!(doctor.iter().any(|d| d.check == Check::DataKey && d.finding == Finding::Warning));
    assert!(world.item_keys().await.len() >= items, "nothing is deleted");
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 2);
    world.memory.lose_key_service(false);
    world.run().await;
    assert!(matches!(state(world, waiting.id).await, ActivityState::Logged { .. }));
    assert_eq!(world.connection().await.degraded_since, None);
    let told: Vec<_> = world.memory.events().into_iter().skip(told).map(|e| e.occurrence).collect();
    let pauses =
        |o: &Occurrence| matches!(o, Occurrence::Paused { .. } | Occurrence::Resumed { .. });
    assert!(!told.iter().any(pauses), "{told:?}");
}

/// A secret store shows late what was written. An org that was just connected has its first import
/// all the same.
#[tokio::test]
async fn a_connections_secret_that_is_not_readable_yet_is_waited_for_and_ends_nothing() {
    let folder = tiny();
    let world = World::new(folder.path()).await;
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    world.memory.hide_secrets(true);
    for _ in 0..3 {
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
        world.memory.clock.advance(SignedDuration::from_secs(31));
    }
    world.memory.hide_secrets(false);
    world.run().await;
    let runs = runs(&world).await;
    assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::Complete]);
    assert_eq!(world.connection().await.state, ConnectionState::Connected);
}

#[tokio::test]
async fn f21_without_the_operators_key_a_connection_is_paused_and_goes_on_when_it_is_back() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let waiting = scene.post("1").await.unwrap();
    let (items, seen) = (world.item_keys().await.len(), world.memory.events().len());
    world.memory.disable_key(true);
    // Data keys that were unwrapped are forgotten after five minutes.
    world.memory.clock.advance(SignedDuration::from_mins(6));
    for _ in 0..20 {
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
        world.memory.clock.advance(SignedDuration::from_mins(5));
    }
    let connection = world.connection().await;
    assert_eq!((connection.state, connection.trouble), (ConnectionState::Connected, None));
    let since = connection.paused_since.expect("it says so");
    let doctor = shared::capabilities::connecting::diagnose(&connection, None);
    assert!(doctor.iter().any(|d| d.check == Check::DataKey && d.finding == Finding::Problem));
    assert!(world.item_keys().await.len() >= items, "nothing is deleted");
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 0);
    world.memory.disable_key(false);
    world.memory.clock.advance(SignedDuration::from_mins(15));
    world.run().await;
    assert!(matches!(state(world, waiting.id).await, ActivityState::Logged { .. }));
    assert_eq!(world.connection().await.paused_since, None);
    let told = world.memory.events().into_iter().skip(seen).map(|event| event.occurrence);
    let expected = [Occurrence::Paused { since }, Occurrence::Resumed { since }];
    assert_eq!(told.collect::<Vec<_>>(), expected, "each once");
}

#[tokio::test]
async fn f29_a_session_that_ended_is_renewed_once_for_a_whole_run() {
    let scene = Scene::new().await;
    let control = scene.world.control();
    control.end_sessions(&scene.world.org).unwrap();
    control.clear_requests();
    import_again(&scene.world, "second").await;
    assert_eq!(scene.token_calls(), 1);
    assert_eq!(scene.grant().await.number, 2);
    assert_eq!(scene.state().await, ConnectionState::Connected);
}

#[tokio::test]
async fn f32_a_rotation_whose_answer_was_lost_asks_for_a_reconnect_and_keeps_the_work() {
    let scene = Scene::new().await;
    let control = scene.world.control();
    control.end_sessions(&scene.world.org).unwrap();
    control.add_fault(Fault::at(TOKEN, FaultKind::DropAfter));
    let lost_at = scene.world.ports().clock.now();
    import_again(&scene.world, "second").await;
    assert_eq!(scene.state().await, ConnectionState::ReconnectRequired);
    let trouble = scene.world.connection().await.trouble.unwrap();
    assert_eq!(trouble.reason, ReconnectReason::GrantDead);
    let told_after = trouble.since.duration_since(lost_at);
    assert!(told_after < SignedDuration::from_mins(5), "{told_after:?}");
    let waiting = scene.post("1").await.unwrap();
    scene.world.run().await;
    assert_eq!(state(&scene.world, waiting.id).await, held());
    scene.reconnect_and_see(waiting).await;
}

#[tokio::test]
async fn f34_a_revoked_grant_is_asked_for_once_lapses_after_three_days_and_loses_nothing() {
    let scene = Scene::new().await;
    let control = scene.world.control();
    let waiting = {
        control.revoke_grants(&scene.world.org).unwrap();
        control.clear_requests();
        import_again(&scene.world, "second").await;
        scene.post("1").await.unwrap()
    };
    scene.pass(66).await;
    assert_eq!(scene.state().await, ConnectionState::ReconnectRequired);
    assert_eq!(scene.token_calls(), 1, "no storm");
    assert_eq!(state(&scene.world, waiting.id).await, held());
    scene.pass(8).await;
    assert_eq!(scene.state().await, ConnectionState::Lapsed);
    assert!(matches!(scene.post("2").await, Err(ActivityError::NotConnected)));
    // The seller's own grant was revoked too.
    scene.world.authorize(Grantee::Seat(scene.seat), SELLER).await.unwrap();
    scene.reconnect_and_see(waiting).await;
}

#[tokio::test]
async fn a_connection_that_nobody_mends_is_purged_thirty_days_later() {
    let scene = Scene::new().await;
    scene.world.control().revoke_grants(&scene.world.org).unwrap();
    import_again(&scene.world, "second").await;
    let scope = scene.world.connection().await.scope();
    scene.pass(29 * 24).await;
    assert_eq!(scene.state().await, ConnectionState::Lapsed);
    scene.pass(27).await;
    let found = scene.world.functions.custody.find(scene.world.at()).await;
    assert!(found.is_err(), "no connection is left behind its purge");
    let purge = scene.world.functions.disconnect.get(scope).await.unwrap().unwrap();
    assert_eq!(purge.phase, PurgePhase::Complete);
    assert!(purge.remaining.values().all(|left| *left == 0), "{:?}", purge.remaining);
}

#[tokio::test]
async fn what_an_admin_mends_in_setup_works_again_without_a_login() {
    let scene = Scene::new().await;
    let control = scene.world.control();
    let policy = |ranges| json!({ "refresh_ip_allow_list": ranges });
    control.set_policy("crm-sync-local", None, &policy(json!(["10.0.0.1"]))).unwrap();
    control.end_sessions(&scene.world.org).unwrap();
    import_again(&scene.world, "second").await;
    assert_eq!(scene.trouble().await, Some(ReconnectReason::AccessRestricted));
    assert_eq!(scene.posted("1").await, held());
    control.set_policy("crm-sync-local", None, &policy(json!(null))).unwrap();
    scene.pass(2).await;
    assert_eq!((scene.state().await, scene.trouble().await), (ConnectionState::Connected, None));
    let runs = runs(&scene.world).await;
    assert!(runs.iter().filter(|run| run.state == RunState::Complete).count() >= 2);
    assert_eq!(control.writes(&scene.world.org).unwrap().len(), 1, "what was held is logged");
}

#[tokio::test]
async fn a_grant_that_nothing_needs_is_kept_alive() {
    let scene = Scene::new().await;
    let before = scene.grant().await;
    scene.pass(6 * 24).await;
    assert_eq!(scene.grant().await.number, before.number);
    scene.pass(26).await;
    let after = scene.grant().await;
    assert_eq!(after.number, before.number + 1);
    assert!(after.renewed_at > before.renewed_at);
    assert_eq!(after.authorized_at, before.authorized_at);
    let key = scene.world.keys().await.seat_grant(scene.seat);
    let seat: GrantState = store::get(&*scene.world.ports().table, &key).await.unwrap().unwrap();
    assert_eq!(seat.number, 2, "the seat's too");
}

#[tokio::test]
async fn a_seller_authorizes_again_after_ninety_days() {
    let scene = Scene::new().await;
    scene.world.memory.clock.advance(SignedDuration::from_hours(90 * 24));
    let new = activity(scene.seat, "1", ActivityKind::Message, scene.person.as_str());
    let now = scene.world.ports().clock.now();
    let new = shared::capabilities::activities::NewActivity { occurred_at: now, ..new };
    let posted = scene.world.functions.activities.post(scene.world.at(), new).await.unwrap();
    scene.world.run().await;
    let login = ActivityState::Held { reason: HoldReason::CrmLoginRequired };
    assert_eq!(state(&scene.world, posted.id).await, login);
    scene.world.authorize(Grantee::Seat(scene.seat), SELLER).await.unwrap();
    scene.world.run().await;
    assert!(matches!(state(&scene.world, posted.id).await, ActivityState::Logged { .. }));
}

/// It was taken in while the login held; nothing is logged with it once it is over.
#[tokio::test]
async fn what_waits_when_a_sellers_ninety_days_end_waits_for_the_next_login() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let key = world.keys().await.seat_grant(scene.seat);
    let seat: GrantState = store::get(&*world.ports().table, &key).await.unwrap().unwrap();
    let ends = seat.ends_at(Grantee::Seat(scene.seat)).unwrap();
    let left = ends.duration_since(world.ports().clock.now());
    world.memory.clock.advance(left - SignedDuration::from_mins(1));
    let posted = scene.post("1").await.unwrap();
    assert_eq!(posted.state, ActivityState::Queued);
    world.memory.clock.advance(SignedDuration::from_mins(1));
    world.run().await;
    let login = ActivityState::Held { reason: HoldReason::CrmLoginRequired };
    assert_eq!(state(world, posted.id).await, login);
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 0);
    world.authorize(Grantee::Seat(scene.seat), SELLER).await.unwrap();
    world.run().await;
    assert!(matches!(state(world, posted.id).await, ActivityState::Logged { .. }));
}

/// One process finds the operator's key gone; another has the data key in memory still, and stops
/// at its next step.
#[tokio::test]
async fn a_pause_that_one_process_found_is_every_processs() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let scope = world.connection().await.scope();
    let process = || Custody::new(world.ports(), "crm-sync/".to_owned());
    let (first, second) = (process(), process());
    assert!(first.open(scope).await.unwrap().is_some());
    world.memory.disable_key(true);
    let found = second.open(scope).await.err().expect("the key is gone");
    assert_eq!(found.disposition, Disposition::Pause);
    assert!(world.connection().await.paused_since.is_some());
    let stopped = first.open(scope).await.err().expect("it has the data key in memory");
    assert_eq!(stopped.disposition, Disposition::Pause);
    world.memory.disable_key(false);
    assert!(first.open(scope).await.unwrap().is_some());
    assert_eq!(world.connection().await.paused_since, None);
}

#[tokio::test]
async fn what_the_customer_revoked_is_counted_as_dead_and_not_as_revoked() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.control().revoke_grants(&world.org).unwrap();
    let by = Actor::Service;
    let purge = world.functions.disconnect.disconnect(world.at(), &by).await.unwrap();
    world.run().await;
    let purge = world.functions.disconnect.get(purge.scope).await.unwrap().unwrap();
    assert_eq!(purge.phase, PurgePhase::Complete);
    let grants = purge.grants;
    assert_eq!((grants.revoked, grants.already_dead, grants.unconfirmed), (0, 2, 0));
}

#[tokio::test]
async fn a_disconnect_revokes_even_when_salesforce_is_down_for_hours() {
    let scene = Scene::new().await;
    let control = scene.world.control();
    let down = Fault { times: 20, ..Fault::at("/services/oauth2/revoke", FaultKind::DropBefore) };
    control.add_fault(down);
    let purge = scene
        .world
        .functions
        .disconnect
        .disconnect(scene.world.at(), &Actor::Service)
        .await
        .unwrap();
    scene.world.run().await;
    let now = scene.world.functions.disconnect.get(purge.scope).await.unwrap().unwrap();
    assert_eq!(now.phase, PurgePhase::Revoke, "it waits for Salesforce");
    assert!(now.data_key_destroyed && now.grants.open == 2, "{now:?}");
    scene.pass(20).await;
    let purge = scene.world.functions.disconnect.get(purge.scope).await.unwrap().unwrap();
    assert_eq!(purge.phase, PurgePhase::Complete);
    assert_eq!(purge.grants.revoked, 2, "{:?}", purge.grants);
    assert!(control.grants(&scene.world.org).unwrap().iter().all(|grant| grant.state == "revoked"));
}

#[tokio::test]
async fn the_admin_grant_is_replaced_by_another_user_without_a_purge_or_an_import() {
    let scene = Scene::new().await;
    let before = scene.world.connection().await;
    let runs_before = runs(&scene.world).await.len();
    let connected = scene.world.authorize(Grantee::Admin, SELLER).await.unwrap();
    assert_eq!(connected, Connected::Regranted);
    scene.world.run().await;
    let after = scene.world.connection().await;
    assert_eq!((after.generation, after.state), (before.generation, ConnectionState::Connected));
    assert_ne!(after.integration_user, before.integration_user);
    assert_eq!(runs(&scene.world).await.len(), runs_before);
    let inspection = scene.inspection().await.unwrap();
    assert_eq!(inspection.personal_user, Some(true), "a person with a seat is warned about");
    assert_eq!(scene.grants_of(before.integration_user), 0, "the one before is revoked");
    assert_eq!(scene.grants_of(after.integration_user), 2, "the seat's own, and the connection's");
    import_again(&scene.world, "by another user").await;
    assert_eq!(scene.state().await, ConnectionState::Connected);
}

#[tokio::test]
async fn f50_a_disconnect_stops_writebacks_and_nothing_is_written_behind_the_fence() {
    let scene = Scene::new().await;
    let (world, control) = (&scene.world, scene.world.control());
    let lost = Fault::at("/sobjects/Task", FaultKind::DropAfter).method("POST");
    control.add_fault(lost);
    scene.post("claimed, its outcome unknown").await.unwrap();
    for message in world.memory.receive() {
        world.deliver(&message.body).await;
    }
    scene.post("waiting").await.unwrap();
    let purge = world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    let written = control.writes(&world.org).unwrap().len();
    assert_eq!(written, 1, "before the fence");
    world.run().await;
    scene.pass(1).await;
    assert_eq!(control.writes(&world.org).unwrap().len(), written);
    let purge = world.functions.disconnect.get(purge.scope).await.unwrap().unwrap();
    assert_eq!(purge.phase, PurgePhase::Complete);
    assert!(control.grants(&world.org).unwrap().iter().all(|grant| grant.state == "revoked"));
}

#[tokio::test]
async fn a_login_that_lands_in_another_org_is_refused_and_nothing_of_it_is_kept() {
    let scene = Scene::new().await;
    let (world, control) = (&scene.world, scene.world.control());
    let people = json!([{ "Name": "Umbrella" }]);
    let other = json!({ "my_domain": "umbrella", "records": { "Account": people } });
    control.load_org(other).unwrap();
    let before = (world.connection().await, scene.grant().await);
    let grantees = [Grantee::Admin, Grantee::Seat(scene.seat)];
    for grantee in grantees {
        let told = world.authorize(grantee, "admin@umbrella.example").await.unwrap_err();
        assert!(matches!(told, ConnectError::OtherOrg), "{told:?}");
        assert!(told.to_string().contains("log in to that one, or disconnect it first"), "{told}");
    }
    // It works as before, and what it brings in is of the org that was connected.
    control.clear_requests();
    import_again(world, "second").await;
    assert_eq!((world.connection().await, scene.grant().await), before);
    assert!(matches!(scene.posted("1").await, ActivityState::Logged { .. }));
    let hosts: Vec<String> = control.requests().into_iter().map(|call| call.host).collect();
    assert!(hosts.iter().all(|host| !host.contains("umbrella")), "{hosts:?}");
    // In trouble, too, only the same org mends it.
    control.revoke_grants(&world.org).unwrap();
    control.end_sessions(&world.org).unwrap();
    import_again(world, "third").await;
    let told = world.authorize(Grantee::Admin, "admin@umbrella.example").await.unwrap_err();
    assert!(matches!(told, ConnectError::OtherOrg), "{told:?}");
    assert_eq!(scene.state().await, ConnectionState::ReconnectRequired);
}

#[tokio::test]
async fn a_replaced_grant_is_revoked_when_salesforce_is_back_or_by_the_purge() {
    let scene = Scene::new().await;
    let (control, admin) = (scene.world.control(), scene.world.connection().await.integration_user);
    let down = Fault { times: 0, ..Fault::at("/services/oauth2/revoke", FaultKind::DropBefore) };
    let fault = control.add_fault(down.clone());
    scene.world.authorize(Grantee::Admin, SELLER).await.unwrap();
    scene.pass(9).await;
    assert_eq!(scene.grants_of(admin), 1, "Salesforce could not be asked");
    let asked: u64 = control.faults().iter().map(|fault| fault.hits).sum();
    assert!((5..15).contains(&asked), "asked {asked} times in nine hours");
    control.remove_faults(Some(fault));
    scene.pass(7).await;
    assert_eq!(scene.grants_of(admin), 0);
    // Another change of users, and the org is disconnected before Salesforce is back.
    control.add_fault(Fault { times: 3, ..down });
    scene.world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    scene.world.functions.disconnect.disconnect(scene.world.at(), &Actor::Service).await.unwrap();
    scene.pass(2).await;
    assert!(control.grants(&scene.world.org).unwrap().iter().all(|grant| grant.state == "revoked"));
}

/// The process dies at call `n` of an admin's callback, before its effect or after it, and nobody
/// logs in again; false when there was no such call. The connection goes on by the newest token
/// that is kept.
async fn survives_a_callback_that_dies_at(n: u64, after: bool) -> bool {
    let (world, _folder) = unconnected().await;
    world.authorize(Grantee::Admin, callbacks::ADMIN).await.unwrap();
    world.run().await;
    world.fuse.light(n, after);
    let _ = world.authorize(Grantee::Admin, callbacks::ADMIN).await;
    let died = world.fuse.is_dead();
    world.fuse.restart();
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    world.control().end_sessions(&world.org).unwrap();
    import_again(&world, "after").await;
    let state = world.connection().await.state;
    assert_eq!(state, ConnectionState::Connected, "died at {n}, {after}");
    died
}

#[tokio::test]
async fn a_connection_outlives_a_callback_that_dies_over_its_new_grant() {
    for n in 1..60 {
        let died = survives_a_callback_that_dies_at(n, false).await;
        if !died {
            assert!(n > 10, "the callback makes {n} calls");
            return;
        }
        survives_a_callback_that_dies_at(n, true).await;
    }
    panic!("the callback makes more calls");
}

/// The process dies at each call of the callback in turn; then the person logs in again.
#[tokio::test]
async fn a_callback_that_dies_while_it_replaces_a_grant_leaves_one_that_works() {
    for n in (1..40).step_by(3) {
        let scene = Scene::new().await;
        let admin = scene.world.connection().await.integration_user;
        scene.world.fuse.light(n, n % 2 == 0);
        let first = scene.world.authorize(Grantee::Admin, SELLER).await;
        let died = scene.world.fuse.is_dead();
        scene.world.fuse.restart();
        if first.is_err() {
            scene.world.authorize(Grantee::Admin, SELLER).await.unwrap();
        }
        scene.world.run().await;
        import_again(&scene.world, "after").await;
        assert_eq!(scene.state().await, ConnectionState::Connected, "died at {n}");
        assert_eq!(scene.grants_of(admin), 0, "died at {n}");
        if !died {
            assert!(n > 10, "the callback makes {n} calls");
            return;
        }
    }
    panic!("the callback makes more calls");
}

#[tokio::test]
async fn what_the_org_hides_is_named_with_what_it_blocks_and_seen_again_when_it_is_mended() {
    let scene = Scene::new().await;
    let complete = scene.inspection().await.unwrap();
    assert!(complete.objects.iter().all(|object| !object.is_blocked()), "{complete:?}");
    assert_eq!(complete.personal_user, Some(false));
    let profile = json!({
        "name": "Narrow",
        "objects": { "Opportunity": { "read": false }, "Task": { "create": false } },
        "fields": { "Contact.Email": { "read": false } },
    });
    let control = scene.world.control();
    control.put_profile(&scene.world.org, serde_json::from_value(profile).unwrap()).unwrap();
    control.assign_profile(&scene.world.org, ADMIN, "Narrow").unwrap();
    let connection = scene.world.connection().await;
    let next = store::Next::now(shared::kernel::CareMessage::Inspect { scope: connection.scope() });
    let commit = scene.world.functions.outbox.commit(vec![], vec![next]);
    assert!(commit.await.unwrap().is_done());
    scene.world.run().await;
    let found = scene.inspection().await.unwrap();
    let of = |object| found.objects.iter().find(|o| o.object == object).unwrap();
    assert!(!of(SObject::Opportunity).readable);
    assert!(of(SObject::Opportunity).blocks.contains(&Feature::AutoSave));
    let hidden = &of(SObject::Contact).hidden;
    assert!(hidden.iter().any(|h| h.field == "Email" && h.blocks == Feature::ContactInformation));
    assert!(!of(SObject::Task).is_blocked() && !of(SObject::Task).not_editable.is_empty());
    let checks = shared::capabilities::connecting::diagnose(&connection, Some(&found));
    let evidence: Vec<&str> = checks.iter().map(|check| check.evidence.as_str()).collect();
    assert!(evidence.contains(&"hidden: Contact.Email, Opportunity"), "{evidence:?}");
}
