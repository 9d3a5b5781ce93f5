//! What a callback must refuse, by the numbers of the catalogue of inputs: states, answers of
//! Salesforce's token endpoint, and orgs that were not meant.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use salesforce_simulator::{Fault, FaultKind};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::capabilities::audit::Actor;
use shared::capabilities::connecting::{Begun, ConnectError, Connected};
use shared::kernel::{Author, ConnectionState, Environment, Grantee, TenantEnvironment};
use shared::store::{self, keys};
use tempfile::TempDir;
use tests::world::{Callback, World};

use super::meanwhile::{at_each_call, meanwhile};

const TOKEN: &str = "/services/oauth2/token";
pub(super) const ADMIN: &str = "admin@callbacks.example";

/// An org that is not connected.
pub(super) async fn unconnected() -> (World, TempDir) {
    let folder = TempDir::new().unwrap();
    let org = json!({ "my_domain": "callbacks" });
    std::fs::write(folder.path().join("org.json"), org.to_string()).unwrap();
    (World::new(folder.path()).await, folder)
}

async fn begin(world: &World) -> Begun {
    world.functions.begin.begin(world.at(), Grantee::Admin, None, &Author::Service).await.unwrap()
}

async fn finish(
    world: &World,
    environment: Environment,
    back: &Callback,
    browser: Option<&str>,
) -> Result<Connected, ConnectError> {
    let code = back.code.clone();
    world.functions.connect.finish(environment, &back.state, browser, code).await
}

/// How many grants the org still honours.
fn live(world: &World) -> usize {
    let grants = world.control().grants(&world.org).unwrap();
    grants.iter().filter(|grant| grant.state == "active").count()
}

async fn is_connected(world: &World, at: TenantEnvironment) -> bool {
    let slot = keys::connection(at);
    let found = store::get(&*world.ports().table, &slot).await.unwrap();
    found.is_some_and(|connection| connection.state == ConnectionState::Connected)
}

/// The API asks for the contract before any work. Whatever else begins an authorization is asked
/// too.
#[tokio::test]
async fn a_tenant_without_the_contract_begins_no_authorization() {
    let (world, _folder) = unconnected().await;
    let tenant = world.functions.tenants.create("Without".into(), false, None).await.unwrap().id;
    let at = TenantEnvironment { tenant, environment: Environment::Production };
    let told = world.functions.begin.begin(at, Grantee::Admin, None, &Author::Service).await;
    assert!(matches!(told, Err(ConnectError::NotEntitled)), "{:?}", told.err());
}

/// I71: a state is good once, in its browser, for ten minutes, and in its environment.
#[tokio::test]
async fn i71_a_state_is_good_once_in_its_browser_for_ten_minutes_in_its_environment() {
    let (world, _folder) = unconnected().await;
    let production = Environment::Production;
    let refused_state = |told: Result<Connected, ConnectError>| {
        assert!(matches!(told, Err(ConnectError::State)), "{told:?}");
    };
    // One that nobody began.
    let back = world.log_in(&begin(&world).await, ADMIN);
    let made_up =
        Callback { state: "made up".into(), code: back.code.clone(), browser: String::new() };
    refused_state(finish(&world, production, &made_up, Some(&back.browser)).await);

    // Another browser's, which does not use it up.
    for browser in [None, Some("another"), Some("")] {
        let told = finish(&world, production, &back, browser).await;
        assert!(matches!(told, Err(ConnectError::Browser)), "{told:?}");
    }
    let connected = finish(&world, production, &back, Some(&back.browser)).await;
    assert!(matches!(connected, Ok(Connected::Org { .. })), "{connected:?}");
    // Used before.
    refused_state(finish(&world, production, &back, Some(&back.browser)).await);

    // Of the other environment, which uses it up.
    let back = world.log_in(&begin(&world).await, ADMIN);
    refused_state(finish(&world, Environment::Sandbox, &back, Some(&back.browser)).await);
    refused_state(finish(&world, production, &back, Some(&back.browser)).await);

    // Just in time, and a moment too late.
    let (just, late) = (begin(&world).await, begin(&world).await);
    world.memory.clock.advance(SignedDuration::from_mins(10) - SignedDuration::from_secs(1));
    let back = world.log_in(&just, ADMIN);
    assert_eq!(
        finish(&world, production, &back, Some(&back.browser)).await.unwrap(),
        Connected::Regranted
    );
    world.memory.clock.advance(SignedDuration::from_secs(1));
    let back = world.log_in(&late, ADMIN);
    refused_state(finish(&world, production, &back, Some(&back.browser)).await);
    // Salesforce's own refusal uses the state up, too.
    let back = world.log_in(&begin(&world).await, ADMIN);
    let declined = Callback { code: Err("access_denied".into()), ..back };
    let told = finish(&world, production, &declined, Some(&declined.browser)).await;
    assert!(matches!(told, Err(ConnectError::Declined(_))), "{told:?}");
    refused_state(finish(&world, production, &declined, Some(&declined.browser)).await);
}

/// One callback comes twice, the second time before call `n` of the first; true when there was no
/// such call. Whoever takes the state asks Salesforce, and nobody else does.
async fn called_twice_at(n: usize) -> bool {
    let (world, _folder) = unconnected().await;
    let back = world.log_in(&begin(&world).await, ADMIN);
    let once = || Box::pin(finish(&world, Environment::Production, &back, Some(&back.browser)));
    let mut second = None;
    let again = async { second = Some(once().await) };
    let (first, was_over) = meanwhile(&world, n, Box::pin(once()), Box::pin(again)).await;
    let ends = [first, second.unwrap()];
    let connected = ends.iter().filter(|end| matches!(end, Ok(Connected::Org { .. }))).count();
    let refused = ends.iter().filter(|end| matches!(end, Err(ConnectError::State))).count();
    assert_eq!((connected, refused), (1, 1), "again at call {n}: {ends:?}");
    was_over
}

#[tokio::test]
async fn a_callback_that_comes_twice_at_once_is_one() {
    at_each_call(11, async |n| called_twice_at(n).await).await;
}

/// Two admins connect at once, the second before call `n` of the first; true when there was no such
/// call. One connection is left, with one secret and one grant.
async fn two_connect_at(n: usize) -> bool {
    let (world, _folder) = unconnected().await;
    let by_another = async {
        let _ = world.authorize(Grantee::Admin, ADMIN).await;
    };
    let first = world.authorize(Grantee::Admin, ADMIN);
    let (first, was_over) = meanwhile(&world, n, Box::pin(first), Box::pin(by_another)).await;
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    assert!(is_connected(&world, world.at()).await, "the second at call {n}: {first:?}");
    assert_eq!(live(&world), 1, "the second at call {n}: {first:?}");
    let secrets = world.secret_names().await;
    let of_tenant = secrets.iter().filter(|name| name.contains("ten_"));
    assert_eq!(of_tenant.count(), 1, "the second at call {n}: {secrets:?}");
    was_over
}

#[tokio::test]
async fn two_admins_who_connect_at_once_make_one_connection() {
    at_each_call(11, async |n| two_connect_at(n).await).await;
}

/// A callback dies at call `n` of the first connection, and the admin comes again; false when there
/// was no such call. One secret and one grant are left.
async fn comes_again_after_a_death_at(n: u64) -> bool {
    let (world, _folder) = unconnected().await;
    world.fuse.light(n, true);
    let _ = world.authorize(Grantee::Admin, ADMIN).await;
    if !world.fuse.is_dead() {
        return false;
    }
    world.fuse.restart();
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    world.memory.clock.advance(SignedDuration::from_mins(20));
    world.run().await;
    assert!(is_connected(&world, world.at()).await, "died at {n}");
    assert_eq!(live(&world), 1, "died at {n}");
    let secrets = world.secret_names().await;
    let of_tenant = secrets.iter().filter(|name| name.contains("ten_"));
    assert_eq!(of_tenant.count(), 1, "died at {n}: {secrets:?}");
    true
}

#[tokio::test]
async fn who_comes_again_after_a_callback_died_has_one_secret() {
    for n in 1..60 {
        if !comes_again_after_a_death_at(n).await {
            assert!(n > 10, "the callback makes {n} calls");
            return;
        }
    }
    panic!("the callback makes more calls");
}

/// What a login page's address says under a name.
fn said(begun: &Begun, name: &str) -> String {
    let mut pairs = begun.url.query_pairs();
    pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
}

#[tokio::test]
async fn nobody_ends_an_authorization_by_what_the_table_holds_of_it() {
    let (world, _folder) = unconnected().await;
    let begun = begin(&world).await;
    let items = format!("{:?}", world.memory.items());
    assert!(items.contains("STATE#"), "it lies there");
    let cookie = begun.cookie.1.expose_secret().to_owned();
    for secret in [said(&begun, "state"), cookie] {
        assert!(secret.len() > 40 && !items.contains(&secret), "{secret}");
    }
}

#[tokio::test]
async fn no_two_authorizations_share_a_secret() {
    let (world, _folder) = unconnected().await;
    let all = [begin(&world).await, begin(&world).await, begin(&world).await];
    assert!(all.iter().all(|begun| said(begun, "code_challenge_method") == "S256"));
    let secrets = all.iter().flat_map(|begun| {
        let cookie = begun.cookie.1.expose_secret().to_owned();
        [said(begun, "state"), said(begun, "code_challenge"), begun.cookie.0.clone(), cookie]
    });
    let secrets: BTreeSet<String> = secrets.collect();
    assert_eq!(secrets.len(), 12, "{secrets:?}");
}

/// I73: a token answer with anything wrong connects nothing, and nothing of it is kept.
#[tokio::test]
async fn i73_a_token_answer_with_anything_wrong_connects_nothing() {
    let lie =
        |pointer: &str, value: Value| FaultKind::SetJson { pointer: pointer.to_owned(), value };
    for (what, kind) in [
        ("no refresh token", lie("/refresh_token", Value::Null)),
        ("fewer scopes", lie("/scope", json!("api"))),
        ("no scope", lie("/scope", json!(""))),
        ("more scopes", lie("/scope", json!("api refresh_token full"))),
        (
            "another host of the identity",
            lie("/id", json!("https://evil.example/id/00D000000000001EAA/005000000000001AAA")),
        ),
        ("another host of the API", lie("/instance_url", json!("https://evil.example"))),
        ("a wrong signature", lie("/signature", json!("AAAA"))),
        ("another time than was signed", lie("/issued_at", json!("1"))),
        ("a page", FaultKind::Html { status: 200 }),
        ("half an answer", FaultKind::Truncate { bytes: 40 }),
    ] {
        let (world, _folder) = unconnected().await;
        world.control().add_fault(Fault::at(TOKEN, kind).method("POST"));
        let told = world.authorize(Grantee::Admin, ADMIN).await;
        let error = told.expect_err(what);
        assert!(!is_connected(&world, world.at()).await, "{what}: {error}");
        if matches!(what, "no refresh token" | "fewer scopes") {
            // A person reads what to do.
            assert!(matches!(error, ConnectError::Scopes), "{what}: {error:?}");
            assert!(error.to_string().contains("allow the app the scopes api"), "{what}: {error}");
        }
        world.run().await;
        let secrets = world.secret_names().await;
        let tenant = world.tenant.to_string();
        let kept: Vec<_> = secrets.iter().filter(|name| name.contains(&tenant)).collect();
        assert!(kept.is_empty(), "{what}: {kept:?}");
        // The same login without a fault connects.
        world.authorize(Grantee::Admin, ADMIN).await.unwrap();
        assert!(is_connected(&world, world.at()).await, "{what}");
    }
}

/// I74: a second tenant may connect the same org, and is apart from the first; the org of the other
/// environment, and another org than the connected one, are refused in words.
#[tokio::test]
async fn i74_two_tenants_of_one_org_are_apart_and_an_org_that_was_not_meant_is_refused() {
    let (world, _folder) = unconnected().await;
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    let other = world.tenant("globex").await;
    let theirs = TenantEnvironment { tenant: other, environment: Environment::Production };
    world.authorize_at(theirs, Grantee::Admin, ADMIN).await.unwrap();
    world.run().await;
    assert!(is_connected(&world, world.at()).await && is_connected(&world, theirs).await);
    assert_eq!(live(&world), 2, "a grant for each");
    assert_eq!(world.secret_names().await.iter().filter(|name| name.contains("ten_")).count(), 2);
    // The end of one is not the other's.
    world.functions.disconnect.disconnect(theirs, &Actor::Service).await.unwrap();
    world.run().await;
    assert!(is_connected(&world, world.at()).await && !is_connected(&world, theirs).await);
    assert_eq!(live(&world), 1);

    // A sandbox where production was asked for.
    let is_sandbox = json!(true);
    let kind = FaultKind::SetJson { pointer: "/records/0/IsSandbox".into(), value: is_sandbox };
    world.control().add_fault(Fault::at("/query", kind));
    let told = world.authorize_at(theirs, Grantee::Admin, ADMIN).await;
    let told = told.expect_err("a sandbox");
    assert!(matches!(told, ConnectError::Environment { .. }), "{told:?}");
    assert!(told.to_string().contains("a sandbox org, but the production connection"), "{told}");
    assert!(!is_connected(&world, theirs).await);
    world.run().await;
    assert_eq!(live(&world), 1, "what was refused is given back");
}

/// All our clocks are wrong by a quarter of an hour; then only that of one process is.
#[tokio::test]
async fn f28_an_org_is_connected_under_a_wrong_clock_and_a_login_between_two_clocks_is_begun_anew()
{
    for wrong in [-15, 15].map(SignedDuration::from_mins) {
        let (world, _folder) = unconnected().await;
        world.memory.clock.advance(wrong);
        world.authorize(Grantee::Admin, ADMIN).await.unwrap();
        world.run().await;
        assert!(is_connected(&world, world.at()).await, "{wrong} away");
        assert_eq!(live(&world), 1, "{wrong} away");
    }
    // The page was asked of one process, and another one, whose clock is ahead, gets the callback.
    let (world, _folder) = unconnected().await;
    let back = world.log_in(&begin(&world).await, ADMIN);
    world.memory.clock.advance(SignedDuration::from_mins(15));
    let told = finish(&world, Environment::Production, &back, Some(&back.browser)).await;
    assert!(matches!(told, Err(ConnectError::State)), "{told:?}");
    assert_eq!(live(&world), 0, "nothing was asked for with it");
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    assert_eq!(live(&world), 1);
    // Behind it is no more than a login that took no time.
    let (world, _folder) = unconnected().await;
    let back = world.log_in(&begin(&world).await, ADMIN);
    world.memory.clock.advance(SignedDuration::from_mins(-15));
    let told = finish(&world, Environment::Production, &back, Some(&back.browser)).await;
    assert!(matches!(told, Ok(Connected::Org { .. })), "{told:?}");
}
