//! Logins: whoever logs in is who was meant, and every token that is not used is given back.

use jiff::SignedDuration;
use serde_json::json;
use shared::capabilities::audit::Actor;
use shared::capabilities::connecting::{ConnectError, Connected, login_host};
use shared::kernel::{Author, Environment, GrantState, Grantee};
use shared::store;
use tests::world::World;

use super::connection::Scene;
use super::main_job::ADMIN;
use super::meanwhile::{at_each_call, meanwhile};

const SELLER: &str = "noor.castellan@acme.example";

/// How many grants an org still honours.
fn live(world: &World, org: &str) -> usize {
    let grants = world.control().grants(org).unwrap();
    grants.iter().filter(|grant| grant.state == "active").count()
}

#[tokio::test]
async fn a_seat_is_authorized_by_its_own_crm_user_alone() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let told = world.authorize(Grantee::Seat(scene.seat), ADMIN).await.unwrap_err();
    assert!(matches!(told, ConnectError::OtherUser { .. }), "{told:?}");
    assert!(told.to_string().contains(SELLER), "{told}");
    let slot = world.keys().await.seat_grant(scene.seat);
    let grant: GrantState = store::get(&*world.memory.ports().table, &slot).await.unwrap().unwrap();
    assert_ne!(grant.user_id, world.connection().await.integration_user);
    world.run().await;
    assert_eq!(live(world, &world.org), 2, "the refused login is given back");
}

/// No time passes here: nothing that waits for its turn comes to the help.
#[tokio::test]
async fn a_refused_login_is_given_back_at_once() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.authorize(Grantee::Seat(scene.seat), ADMIN).await.unwrap_err();
    assert_eq!(live(world, &world.org), 3);
    for message in world.memory.receive() {
        world.deliver(&message.body).await;
    }
    assert_eq!(live(world, &world.org), 2);
}

/// A login that is a grant now is not given back when its time comes.
#[tokio::test]
async fn a_login_that_became_a_grant_stays_one() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    assert_eq!(live(world, &world.org), 2);
    let kept = world.item_keys().await.into_iter().filter(|key| key.contains(" LOGIN#"));
    assert_eq!(kept.collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn an_address_in_other_letters_is_the_same() {
    let scene = Scene::new().await;
    let shouting = scene.world.seat(&SELLER.to_uppercase()).await;
    let connected = scene.world.authorize(Grantee::Seat(shouting), SELLER).await.unwrap();
    assert_eq!(connected, Connected::Seat);
}

#[tokio::test]
async fn a_login_page_asks_anew_who_it_is() {
    let scene = Scene::new().await;
    for grantee in [Grantee::Admin, Grantee::Seat(scene.seat)] {
        let begun = scene
            .world
            .functions
            .begin
            .begin(scene.world.at(), grantee, None, &Author::Service)
            .await;
        let url = begun.unwrap().url;
        assert!(url.query_pairs().any(|pair| pair == ("prompt".into(), "login".into())), "{url}");
    }
}

#[tokio::test]
async fn a_grant_that_the_same_user_gives_again_is_the_only_one() {
    let scene = Scene::new().await;
    let world = &scene.world;
    for _ in 0..3 {
        world.authorize(Grantee::Seat(scene.seat), SELLER).await.unwrap();
        world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    }
    world.run().await;
    assert_eq!(live(world, &world.org), 2);
    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    world.run().await;
    assert_eq!(live(world, &world.org), 0);
}

#[tokio::test]
async fn a_login_in_another_org_or_environment_is_given_back() {
    let scene = Scene::new().await;
    let (world, control) = (&scene.world, scene.world.control());
    for (my_domain, is_sandbox) in [("umbrella", false), ("initech", true)] {
        let organization = json!([{ "IsSandbox": is_sandbox }]);
        let org = json!({ "my_domain": my_domain, "records": { "Organization": organization } });
        if control.load_org(org).is_err() {
            control.load_org(json!({ "my_domain": my_domain })).unwrap();
        }
        let admin = format!("admin@{my_domain}.example");
        for grantee in [Grantee::Admin, Grantee::Seat(scene.seat)] {
            world.authorize(grantee, &admin).await.unwrap_err();
        }
        let org = control.orgs().into_iter().find(|org| org.contains(my_domain)).unwrap();
        assert_eq!(live(world, &org), 2, "{my_domain}");
        world.run().await;
        assert_eq!(live(world, &org), 0, "{my_domain}");
    }
}

/// The callback dies at each of its calls in turn, and nobody logs in again.
#[tokio::test]
async fn a_callback_that_dies_leaves_no_token_without_a_grant() {
    for n in 1..40 {
        let scene = Scene::new().await;
        let world = &scene.world;
        world.fuse.light(n, n % 2 == 0);
        let _ = world.authorize(Grantee::Seat(scene.seat), SELLER).await;
        let died = world.fuse.is_dead();
        world.fuse.restart();
        world.memory.clock.advance(SignedDuration::from_mins(20));
        world.run().await;
        assert_eq!(live(world, &world.org), 2, "died at {n}");
        world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
        world.run().await;
        assert_eq!(live(world, &world.org), 0, "died at {n}");
        if !died {
            assert!(n > 10, "the callback makes {n} calls");
            return;
        }
    }
    panic!("the callback makes more calls");
}

/// A login in which the org is disconnected before call `n` of its callback, or after the last one.
/// True when there was no such call. No token may be left but of a connection that came after.
async fn disconnected_at(n: usize, is_admin: bool) -> bool {
    let scene = Scene::new().await;
    let world = &scene.world;
    let (grantee, username) =
        if is_admin { (Grantee::Admin, ADMIN) } else { (Grantee::Seat(scene.seat), SELLER) };
    let disconnect = async {
        world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    };
    let (ended, was_over) =
        meanwhile(world, n, Box::pin(world.authorize(grantee, username)), Box::pin(disconnect))
            .await;
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    // A login of the admin that ends after the disconnect connects the org anew.
    let is_anew = !was_over && matches!(ended, Ok(Connected::Org { .. }));
    assert_eq!(live(world, &world.org), usize::from(is_anew), "disconnected at call {n}");
    was_over
}

/// The org is disconnected between any two calls of a seller's callback.
#[tokio::test]
async fn a_disconnect_at_any_call_of_a_callback_leaves_no_token() {
    disconnected_at_any_call(false).await;
}

/// The org is disconnected between any two calls of an admin's callback.
#[tokio::test]
async fn a_disconnect_at_any_call_of_an_admins_callback_leaves_no_token() {
    disconnected_at_any_call(true).await;
}

async fn disconnected_at_any_call(is_admin: bool) {
    at_each_call(11, async |n| disconnected_at(n, is_admin).await).await;
}

/// Else a login for production could be sent to where sandboxes log in.
#[test]
fn a_page_where_all_orgs_log_in_is_chosen_by_the_environment_alone() {
    let (production, sandbox) = (Environment::Production, Environment::Sandbox);
    for page in ["login.salesforce.com", "https://test.salesforce.com/", "welcome.example"] {
        for environment in [production, sandbox] {
            let told = login_host(environment, Some(page)).unwrap_err();
            assert!(matches!(told, ConnectError::LoginHost), "{page}: {told:?}");
        }
    }
    let own = login_host(production, Some(" https://acme.my.salesforce.com ")).unwrap();
    assert_eq!(own.as_str(), "acme.my.salesforce.com");
    assert_eq!(login_host(production, None).unwrap().as_str(), "login.salesforce.com");
    assert_eq!(login_host(sandbox, Some("")).unwrap().as_str(), "test.salesforce.com");
}
