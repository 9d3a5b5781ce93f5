//! Nobody triggers more than the limits let in, and nobody is refused for another's calls.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use shared::capabilities::limits::{self, Payer, Trigger, Used};
use shared::capabilities::linking::MatchRun;
use shared::capabilities::seats::{self, Tenant};
use shared::kernel::{Grantee, MatchTrigger, TenantId};
use shared::ports::{Condition, Ports};
use shared::store;
use shared::testing::Memory;
use tempfile::TempDir;
use tests::world::World;

use super::guards::path_of;
use super::openapi::{CALLBACK, Operation};
use super::{Answer, Served};

/// A connected org without a row.
pub(super) async fn connected() -> (World, TempDir) {
    let folder = TempDir::new().unwrap();
    let org = json!({ "my_domain": "limited" });
    std::fs::write(folder.path().join("org.json"), org.to_string()).unwrap();
    let world = World::new(folder.path()).await;
    world.authorize(Grantee::Admin, "admin@limited.example").await.unwrap();
    world.run().await;
    (world, folder)
}

/// The first role that an operation is for and that is not the back end's.
fn role_of(operation: &Operation) -> Option<&str> {
    let roles = operation.roles();
    ["admin", "seat"].into_iter().find(|role| roles.contains(role))
}

fn is_of_a_tenant(operation: &Operation) -> bool {
    operation.path.contains("{tenant}") && operation.path != CALLBACK
}

async fn call(served: &Served, operation: &Operation, role: &str) -> Answer {
    let method = operation.method.to_uppercase();
    let (path, token) = (path_of(served, operation), served.token(role));
    served.call(&method, &path, Some(&token), operation.example()).await
}

#[tokio::test]
async fn a_thousand_asks_for_a_match_run_are_one_run_and_another_tenant_is_served_meanwhile() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let (admin, path) = (served.token("admin"), served.connection("/match-runs"));
    let other = world.tenant("globex").await;
    let (mut runs, mut refused) = (BTreeSet::new(), 0);
    for n in 0..1_000 {
        let answer = served.post(&admin, &path, &json!({})).await;
        if answer.status == StatusCode::ACCEPTED {
            runs.insert(answer.body["match_run_id"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{}", answer.body);
            assert_eq!(answer.body["type"], "too_many");
            assert!((1..=3600).contains(&answer.retry_after.unwrap()), "{:?}", answer.retry_after);
            refused += 1;
        }
        if n % 250 == 249 {
            let votes = format!("/v1/tenants/{other}/crm-votes");
            let theirs = served.token_of(other, "admin");
            let vote = served.post(&theirs, &votes, &json!({ "crm": format!("crm{n}") })).await;
            assert_eq!(vote.status, StatusCode::CREATED, "{}", vote.body);
        }
    }
    let most = Trigger::Rematch.limit().most;
    assert_eq!((runs.len(), refused), (1, 1_000 - most), "{runs:?}");
    let messages = world.memory.receive();
    let asked = messages.iter().filter(|message| message.body.contains("rematch")).count();
    assert!(asked <= 1, "{asked} messages");
}

/// A re-match that is over, or that another directory or model overtook, is no answer to a new ask.
#[tokio::test]
async fn an_ask_after_the_end_of_a_run_begins_another() {
    let (world, folder) = connected().await;
    let person = json!({ "id": "p1", "first_name": "A", "last_name": "B" }).to_string();
    let file = folder.path().join("people.jsonl");
    std::fs::write(&file, person + "\n").unwrap();
    world.publish(None, &[(shared::matching::EntityKind::Person, file)]).await;
    world.run().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let (admin, path) = (served.token("admin"), served.connection("/match-runs"));
    let ask = async || {
        let answer = served.post(&admin, &path, &json!({})).await;
        answer.body["match_run_id"].as_str().unwrap().to_owned()
    };
    let (first, again) = (ask().await, ask().await);
    assert_eq!(first, again, "it waits for its first step");
    world.run().await;
    let second = ask().await;
    assert_ne!(first, second, "the first one is over");
    world.run().await;
    let (table, runs) = (world.memory.ports().table, world.keys().await.match_runs());
    let runs: Vec<MatchRun> = store::query_all(&*table, &runs).await.unwrap();
    let asked = runs.iter().filter(|run| run.trigger == MatchTrigger::Settings).count();
    assert_eq!(asked, 2);
    // A message that was lost for good does not stand in the way for ever.
    let lost = ask().await;
    world.memory.lose_messages();
    world.memory.clock.advance(SignedDuration::from_hours(7));
    assert_ne!(lost, ask().await);
}

#[tokio::test]
async fn each_trigger_is_let_in_as_often_as_its_limit_says() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let activity = json!({
        "kind": "note", "entity_kind": "person", "entity_id": "pr_1", "body": "Met",
        "occurred_at": "2026-11-20T10:00:00Z",
    });
    for (trigger, role, path, body) in [
        (Trigger::ImportRun, "admin", served.connection("/runs"), json!({})),
        (Trigger::Tuning, "admin", served.connection("/models"), json!({})),
        (Trigger::Inspection, "admin", served.connection("/permissions/check"), json!({})),
        (Trigger::Authorization, "admin", served.connection("/authorize"), json!({})),
        (
            Trigger::Vote,
            "admin",
            format!("/v1/tenants/{}/crm-votes", served.tenant),
            json!({ "crm": "hubspot" }),
        ),
        (
            Trigger::Retroactive,
            "seat",
            served.connection("/activities/retroactive"),
            json!({ "activities": [{ "idempotency_key": "1", "activity": activity }] }),
        ),
        (Trigger::Activity, "seat", served.connection("/activities"), activity),
    ] {
        let token = served.token(role);
        let most = trigger.limit().most;
        for n in 0..most {
            let answer = served.post(&token, &path, &body).await;
            assert_ne!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{trigger:?} call {n}");
        }
        let answer = served.post(&token, &path, &body).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{trigger:?}");
        assert!(answer.retry_after.is_some(), "{trigger:?}");
    }
}

#[tokio::test]
async fn the_same_work_is_asked_for_once_however_often_it_is_asked_for() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let admin = served.token("admin");
    drop(world.memory.receive());
    for (path, kind) in [("/runs", "start"), ("/permissions/check", "inspect")] {
        for _ in 0..5 {
            let answer = served.post(&admin, &served.connection(path), &json!({})).await;
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{path}: {}", answer.body);
        }
        let messages = world.memory.receive();
        let asked = messages.iter().filter(|message| message.body.contains(kind)).count();
        assert_eq!(asked, 1, "{path}");
    }
}

/// Every count at its end: whatever changes something is refused, by whoever it is, and whatever
/// only reads is not.
#[tokio::test]
async fn no_route_that_changes_something_is_without_a_limit() {
    let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
    let served = Served::over(memory.ports(), "test/").await;
    use_up(&memory.ports(), &served).await;
    let mut limited = 0;
    for operation in served.description.operations().iter().filter(|o| is_of_a_tenant(o)) {
        let Some(role) = role_of(operation) else { continue };
        let answer = call(&served, operation, role).await;
        let of = format!("{} {}: {}", operation.method, operation.path, answer.status);
        let is_refused = answer.status == StatusCode::TOO_MANY_REQUESTS;
        // Badges are read by POST: a hundred ids are too long for a query. A question to the CRM
        // costs the org's own calls.
        let asks_the_org = operation.path.contains("/seats/{seat}/crm/");
        let only_reads =
            (operation.method == "get" && !asks_the_org) || operation.path.ends_with("/badges");
        assert_eq!(is_refused, !only_reads, "{of}");
        limited += usize::from(is_refused);
    }
    assert!(limited > 20, "{limited}");
    // The back end is held to the tenant's limits where it acts for a tenant.
    let (service, path) = (served.token("service"), served.connection("/runs"));
    let start = served.post(&service, &path, &json!({})).await;
    assert_eq!(start.status, StatusCode::TOO_MANY_REQUESTS);
}

async fn use_up(ports: &Ports, served: &Served) {
    let now = ports.clock.now();
    for trigger in Trigger::ALL {
        let limit = trigger.limit();
        for payer in [Payer::Tenant, Payer::Seat(served.seat)] {
            let slot = limits::keys::used(served.tenant, payer, trigger, limit.window_at(now).0);
            let used = Used { calls: limit.most };
            let write = store::put(slot, &used, Condition::Always).unwrap();
            assert!(ports.table.write(write).await.unwrap().is_done());
        }
    }
}

/// Without CRM sync in the contract nothing is shown and nothing is done, but for what a customer
/// needs in order to leave.
#[tokio::test]
async fn a_tenant_without_the_contract_is_told_so_on_every_route() {
    let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
    let served = Served::over(memory.ports(), "test/").await;
    let (id, created_at) = (served.tenant, memory.ports().clock.now());
    let tenant = Tenant { entitled: false, ..Tenant::new(id, "Acme".into(), created_at) };
    let write = store::put(seats::keys::tenant(id), &tenant, Condition::Always).unwrap();
    assert!(memory.ports().table.write(write).await.unwrap().is_done());
    let mut open = BTreeSet::new();
    for operation in served.description.operations().iter().filter(|o| is_of_a_tenant(o)) {
        let Some(role) = role_of(operation) else { continue };
        let answer = call(&served, operation, role).await;
        if answer.body["type"] != "not_entitled" {
            open.insert(format!("{} {}", operation.method, operation.path));
            continue;
        }
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", operation.path);
    }
    let tenant = "/v1/tenants/{tenant}";
    let connection = format!("{tenant}/connections/{{environment}}");
    let expected = [
        format!("delete {connection}"),
        format!("delete {connection}/seats/{{seat}}/authorization"),
        format!("delete {connection}/seats/{{seat}}/changes/{{change}}"),
        format!("delete {connection}/seats/{{seat}}/crm-user"),
        format!("delete {connection}/seats/{{seat}}/lists/{{list}}"),
        format!("get {connection}"),
        format!("get {tenant}"),
        format!("get {tenant}/purges/{{purge}}"),
    ];
    assert_eq!(open, BTreeSet::from(expected));
    let nobody = TenantId::derived("nobody");
    let path = served.connection("/runs").replace(&id.to_string(), &nobody.to_string());
    let unknown = served.get(&served.token_of(nobody, "admin"), &path).await;
    assert_eq!(
        (unknown.status, &unknown.body["type"]),
        (StatusCode::NOT_FOUND, &json!("not_found"))
    );
}
