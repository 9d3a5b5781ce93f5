//! Whoever leaves: one authorization ends, a seat is removed, a contract is over. Killed at any
//! call, each ends when it is asked for again.

use jiff::SignedDuration;
use serde_json::Value;
use shared::capabilities::activities::{ActivityKind, ActivityState, HoldReason};
use shared::capabilities::audit::Actor;
use shared::capabilities::connecting::{ConnectError, Connected};
use shared::capabilities::leaving::OffboardingError;
use shared::capabilities::seats::{NewSeat, Role, TenantError};
use shared::kernel::{Author, Environment, Grantee, WritebackMessage};
use shared::salesforce::SalesforceId;
use shared::store;
use tests::world::World;

use super::connection::Scene;
use super::main_job::{ADMIN, activity, import_again, state};
use super::meanwhile::{at_each_call, meanwhile};
use super::observe::saved;
use super::org::tiny;
use super::saving::{deal, nobodys, user as owner};

const SELLER: &str = "noor.castellan@acme.example";

/// How many grants the org still honours.
fn live(world: &World) -> usize {
    let grants = world.control().grants(&world.org).unwrap();
    grants.iter().filter(|grant| grant.state == "active").count()
}

async fn log_in(scene: &Scene, username: &str) -> Result<Connected, ConnectError> {
    scene.world.authorize(Grantee::Seat(scene.seat), username).await
}

/// The CRM user of a login name.
fn user(world: &World, username: &str) -> SalesforceId {
    let users = world.control().records(&world.org, "User", 0, 1_000).unwrap();
    let user = users.into_iter().find(|user| user["Username"] == username).unwrap();
    user["Id"].as_str().unwrap().parse().unwrap()
}

/// The login name of an active CRM user who is neither the seller nor the admin.
fn somebody_else(world: &World) -> String {
    let users = world.control().records(&world.org, "User", 0, 1_000).unwrap();
    let username = |user: &Value| user["Username"].as_str().unwrap().to_owned();
    let active = users.iter().filter(|user| user["IsActive"] == true).map(username);
    active.into_iter().find(|name| ![SELLER, ADMIN].contains(&name.as_str())).unwrap()
}

#[tokio::test]
async fn a_seat_authorizes_as_the_crm_user_whom_an_admin_chose_and_as_nobody_else() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let username = somebody_else(world);
    let told = log_in(&scene, &username).await.unwrap_err();
    assert!(matches!(told, ConnectError::OtherUser { .. }), "{told:?}");

    let chosen = user(world, &username);
    let crm_users = &world.functions.crm_users;
    crm_users.choose(at, scene.seat, chosen, Author::Service).await.unwrap();
    world.run().await;
    assert_eq!(live(world), 1, "the authorization as another user ended with the choice");
    assert_eq!(log_in(&scene, &username).await.unwrap(), Connected::Seat);

    let told = log_in(&scene, SELLER).await.unwrap_err();
    assert!(matches!(told, ConnectError::NotChosenUser { .. }), "{told:?}");
    let row = world.control().record(&world.org, chosen.as_str()).unwrap();
    let remedy = told.to_string();
    assert!(remedy.contains(row["Name"].as_str().unwrap()), "{remedy}");
    assert!(remedy.contains("log in as") && remedy.contains("have an admin choose"), "{remedy}");

    let other = world.seat(&username).await;
    let told = world.authorize(Grantee::Seat(other), &username).await.unwrap_err();
    assert!(matches!(told, ConnectError::UserOfAnotherSeat), "{told:?}");
    world.run().await;
    assert_eq!(live(world), 2, "refused logins are given back");

    // The user of the address again: the chosen one's authorization ends.
    crm_users.forget(at, scene.seat, &Author::Service).await.unwrap();
    world.run().await;
    assert_eq!(live(world), 1);
    assert_eq!(log_in(&scene, SELLER).await.unwrap(), Connected::Seat);
}

/// Nothing dies any more.
fn disarm(world: &World) {
    world.fuse.light(u64::from(u32::MAX), false);
}

/// Ends the seller's authorization, killed at call `n`, and once more; false when there was no such
/// call.
async fn ended_at(scene: &Scene, n: u64) -> bool {
    let (world, at) = (&scene.world, scene.world.at());
    world.fuse.light(n, n.is_multiple_of(2));
    let _ = world.functions.offboarding.end_authorization(at, scene.seat, &Actor::Service).await;
    let died = world.fuse.is_dead();
    disarm(world);
    world.functions.offboarding.end_authorization(at, scene.seat, &Actor::Service).await.unwrap();
    let new = activity(scene.seat, &n.to_string(), ActivityKind::Message, scene.person.as_str());
    let posted = world.functions.activities.post(at, new).await.unwrap();
    world.run().await;
    assert_eq!(live(world), 1, "killed at {n}");
    let login = ActivityState::Held { reason: HoldReason::CrmLoginRequired };
    assert_eq!(state(world, posted.id).await, login, "killed at {n}");
    log_in(scene, SELLER).await.unwrap();
    world.run().await;
    assert_eq!(live(world), 2, "killed at {n}");
    assert!(matches!(state(world, posted.id).await, ActivityState::Logged { .. }));
    died
}

#[tokio::test]
async fn an_authorization_ends_at_salesforce_whatever_call_is_the_last() {
    let scene = Scene::new().await;
    let mut n = 1;
    while ended_at(&scene, n).await {
        n += 1;
    }
    assert!(n > 3, "ending makes {n} calls");
}

#[tokio::test]
async fn a_login_after_an_end_is_not_ended_with_it() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world
        .functions
        .offboarding
        .end_authorization(world.at(), scene.seat, &Actor::Service)
        .await
        .unwrap();
    log_in(&scene, SELLER).await.unwrap();
    world.run().await;
    assert_eq!(live(world), 2, "the first is revoked, the second is not");
    let new = activity(scene.seat, "1", ActivityKind::Message, scene.person.as_str());
    let posted = world.functions.activities.post(world.at(), new).await.unwrap();
    world.run().await;
    assert!(matches!(state(world, posted.id).await, ActivityState::Logged { .. }));
}

/// A scene whose seller was added as the product's back end adds them.
async fn added(mut scene: Scene) -> Scene {
    let (world, new) = (&scene.world, seller());
    world
        .functions
        .offboarding
        .remove_seat(world.tenant, scene.seat, &Actor::Service)
        .await
        .unwrap();
    world.run().await;
    let seat =
        world.functions.tenants.add_seat(world.tenant, new, &Actor::Service).await.unwrap().id;
    world.authorize(Grantee::Seat(seat), SELLER).await.unwrap();
    world.run().await;
    scene.seat = seat;
    scene
}

fn seller() -> NewSeat {
    NewSeat {
        email: SELLER.to_owned(),
        name: "Noor".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        roles: [Role::Seat].into(),
    }
}

/// Removes the seller's seat, killed at call `n`, and once more; false when there was no such call.
async fn removed_at(scene: &Scene, n: u64) -> bool {
    let (world, at) = (&scene.world, scene.world.at());
    assert!(!saved(world, scene.seat, "leads").await.is_empty(), "something is saved");
    let post = async |key: &str| {
        let new = activity(scene.seat, key, ActivityKind::Message, scene.person.as_str());
        world.functions.activities.post(at, new).await
    };
    let done = post("done").await.unwrap();
    world.run().await;
    let queued = post("queued").await.unwrap();
    world.fuse.light(n, n.is_multiple_of(2));
    let _ =
        world.functions.offboarding.remove_seat(world.tenant, scene.seat, &Actor::Service).await;
    let died = world.fuse.is_dead();
    disarm(world);
    world
        .functions
        .offboarding
        .remove_seat(world.tenant, scene.seat, &Actor::Service)
        .await
        .unwrap();
    world.run().await;

    assert_eq!(live(world), 1, "killed at {n}");
    assert!(matches!(state(world, done.id).await, ActivityState::Logged { .. }));
    let told = state(world, queued.id).await;
    let ActivityState::Failed { code, message } = told else { panic!("killed at {n}: {told:?}") };
    assert_eq!((code.as_str(), message.contains("seat was removed")), ("SEAT_REMOVED", true));
    assert!(post("late").await.is_err(), "killed at {n}");
    for list in ["leads", "accounts"] {
        assert!(saved(world, scene.seat, list).await.is_empty(), "killed at {n}");
    }
    let id = scene.seat.to_string();
    let left = world.item_keys().await.into_iter().filter(|key| key.contains(&id));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0], "killed at {n}");
    died
}

#[tokio::test]
async fn a_seat_is_removed_with_all_that_is_its_own_whatever_call_is_the_last() {
    // Adding the seat each time anew shows that its address is free.
    let scene = Scene::new().await;
    let (contact, _) = nobodys(&scene.world).await;
    deal(&scene.world, &owner(&scene.world, SELLER), &Value::Null, contact.id);
    import_again(&scene.world, "second").await;
    let mut scene = added(scene).await;
    let mut n = 1;
    while removed_at(&scene, n).await {
        scene = added(scene).await;
        n += 1;
    }
    assert!(n > 5, "removing makes {n} calls");
}

#[tokio::test]
async fn what_waited_for_a_record_or_a_login_fails_with_its_seat() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let unknown = activity(scene.seat, "1", ActivityKind::Message, "pr_of_nobody");
    let unknown = world.functions.activities.post(at, unknown).await.unwrap();
    world.functions.offboarding.end_authorization(at, scene.seat, &Actor::Service).await.unwrap();
    let login = activity(scene.seat, "2", ActivityKind::Message, scene.person.as_str());
    let login = world.functions.activities.post(at, login).await.unwrap();
    world.run().await;
    world
        .functions
        .offboarding
        .remove_seat(world.tenant, scene.seat, &Actor::Service)
        .await
        .unwrap();
    world.run().await;
    for posted in [unknown, login] {
        let told = state(world, posted.id).await;
        assert!(matches!(&told, ActivityState::Failed { code, .. } if code == "SEAT_REMOVED"));
    }
    let left = world.item_keys().await.into_iter().filter(|key| key.contains(" WAITING#"));
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn the_chosen_crm_user_of_a_removed_seat_is_free_again() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let username = somebody_else(world);
    let (chosen, other) = (user(world, &username), world.seat("b@acme.example").await);
    let crm_users = &world.functions.crm_users;
    crm_users.choose(at, scene.seat, chosen, Author::Service).await.unwrap();
    assert!(crm_users.choose(at, other, chosen, Author::Service).await.is_err(), "taken");
    world
        .functions
        .offboarding
        .remove_seat(world.tenant, scene.seat, &Actor::Service)
        .await
        .unwrap();
    world.run().await;
    assert!(crm_users.choose(at, other, chosen, Author::Service).await.is_ok());
}

/// An admin chooses another CRM user for the seat before call `n` of the seller's login, or after
/// it; true when there was no such call. Nobody acts as the user who was not chosen.
async fn chosen_at(scene: &Scene, n: usize) -> bool {
    let (world, at) = (&scene.world, scene.world.at());
    let crm_users = &world.functions.crm_users;
    let chosen = user(world, &somebody_else(world));
    let choice = async {
        crm_users.choose(at, scene.seat, chosen, Author::Service).await.unwrap();
    };
    let (told, was_over) =
        meanwhile(world, n, Box::pin(log_in(scene, SELLER)), Box::pin(choice)).await;
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    assert_eq!(live(world), 1, "chosen at call {n}: {told:?}");
    let slot = world.keys().await.seat_grant(scene.seat);
    let grant = store::get(&*world.ports().table, &slot).await.unwrap();
    assert!(grant.is_none_or(|grant| !grant.alive), "chosen at call {n}: {told:?}");
    crm_users.forget(at, scene.seat, &Author::Service).await.unwrap();
    world.run().await;
    was_over
}

#[tokio::test]
async fn a_choice_at_any_call_of_a_login_lets_nobody_else_act_for_the_seat() {
    let scene = Scene::new().await;
    at_each_call(11, async |n| chosen_at(&scene, n).await).await;
}

/// The seat is removed before call `n` of its login, or after it; true when there was no such call.
async fn removed_while_it_logs_in_at(scene: &Scene, n: usize) -> bool {
    let world = &scene.world;
    let removal = async {
        world
            .functions
            .offboarding
            .remove_seat(world.tenant, scene.seat, &Actor::Service)
            .await
            .unwrap();
    };
    let (told, was_over) =
        meanwhile(world, n, Box::pin(log_in(scene, SELLER)), Box::pin(removal)).await;
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    assert_eq!(live(world), 1, "removed at call {n}: {told:?}");
    let id = scene.seat.to_string();
    let left = world.item_keys().await.into_iter().filter(|key| key.contains(&id));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0], "removed at call {n}: {told:?}");
    was_over
}

#[tokio::test]
async fn a_seat_that_is_removed_at_any_call_of_its_login_has_no_grant() {
    let mut scene = added(Scene::new().await).await;
    for n in 0..60 {
        if removed_while_it_logs_in_at(&scene, n).await {
            assert!(n > 10, "a login makes {n} calls");
            return;
        }
        scene = added(scene).await;
    }
    panic!("a login makes more calls");
}

/// The seller's authorization is ended, and told to Salesforce, before call `n` of a step that
/// renews its token; true when there was no such call. The token that the renewal brings ends too.
async fn ended_while_it_is_renewed_at(n: usize) -> bool {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let new = activity(scene.seat, "1", ActivityKind::Message, scene.person.as_str());
    let posted = world.functions.activities.post(at, new).await.unwrap();
    let _ = world.memory.receive();
    world.control().end_sessions(&world.org).unwrap();
    let scope = world.connection().await.scope();
    let step = WritebackMessage::Activity { scope, activity: posted.id };
    let end = async {
        let by = Actor::Service;
        world.functions.offboarding.end_authorization(at, scene.seat, &by).await.unwrap();
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
    };
    let (_, was_over) =
        meanwhile(world, n, Box::pin(world.functions.handle(step)), Box::pin(end)).await;
    world.run().await;
    assert_eq!(live(world), 1, "ended at call {n}");
    was_over
}

#[tokio::test]
async fn an_authorization_that_ends_while_it_is_renewed_ends_with_what_the_renewal_brings() {
    at_each_call(8, async |n| ended_while_it_is_renewed_at(n).await).await;
}

/// An admin who began before connects the org before call `n` of the tenant's removal, or after it;
/// true when there was no such call. A tenant that is gone has no connection.
async fn connected_while_it_is_removed_at(n: usize) -> bool {
    let folder = tiny();
    let world = World::new(folder.path()).await;
    let begun =
        world.functions.begin.begin(world.at(), Grantee::Admin, None, &Author::Service).await;
    let begun = begun.unwrap();
    let back = world.control().approve(begun.url.as_str(), ADMIN).unwrap();
    let login = async {
        let _ = world.finish(&back, begun.cookie.1.clone()).await;
    };
    let removal = world.functions.offboarding.remove_tenant(world.tenant);
    let (removed, was_over) = meanwhile(&world, n, Box::pin(removal), Box::pin(login)).await;
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    let of = format!("{removed:?}, connected at call {n}");
    let is_there = world.functions.custody.find(world.at()).await.is_ok();
    assert_eq!((removed.is_err(), live(&world)), (is_there, usize::from(is_there)), "{of}");
    was_over
}

#[tokio::test]
async fn a_tenant_that_connects_at_any_call_of_its_removal_is_gone_or_stays() {
    at_each_call(4, async |n| connected_while_it_is_removed_at(n).await).await;
}

/// Removes the tenant, killed at call `n` of it, and once more; false when there was no such call.
async fn tenant_removed_at(n: u64) -> bool {
    let scene = added(Scene::new().await).await;
    let world = &scene.world;
    let offboarding = &world.functions.offboarding;
    let refused = offboarding.remove_tenant(world.tenant).await.unwrap_err();
    assert!(matches!(refused, OffboardingError::Connected(Environment::Production)));
    assert!(refused.to_string().contains("disconnect it"), "{refused}");
    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    let refused = offboarding.remove_tenant(world.tenant).await.unwrap_err();
    assert!(matches!(&refused, OffboardingError::Purging(purge) if purge == "production-1"));
    world.run().await;

    let begun = world
        .functions
        .begin
        .begin(world.at(), Grantee::Admin, None, &Author::Service)
        .await
        .unwrap();
    world.fuse.light(n, n.is_multiple_of(2));
    let _ = offboarding.remove_tenant(world.tenant).await;
    let died = world.fuse.is_dead();
    disarm(world);
    offboarding.remove_tenant(world.tenant).await.unwrap();
    world.run().await;

    let tenant = world.tenant.to_string();
    let mut left = world.item_keys().await;
    // What was done is told for as long as audit logs are kept.
    left.retain(|key| key.contains(&tenant) && !key.starts_with("AUDIT#"));
    assert_eq!(left, [format!("TEN#{tenant} PURGE#production#00000001")], "killed at {n}");
    let late = world.functions.tenants.add_seat(world.tenant, seller(), &Actor::Service).await;
    assert!(matches!(late, Err(TenantError::NotFound)), "killed at {n}");
    // Who began to connect before cannot end it.
    let back = world.control().approve(begun.url.as_str(), ADMIN).unwrap();
    assert!(world.finish(&back, begun.cookie.1).await.is_err(), "killed at {n}");
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    assert_eq!(live(world), 0, "killed at {n}");
    died
}

#[tokio::test]
async fn a_tenant_is_removed_once_its_connections_are_purged_whatever_call_is_the_last() {
    let mut n = 1;
    while tenant_removed_at(n).await {
        n += 1;
    }
    assert!(n > 4, "removing makes {n} calls");
}
