//! The audit log as its readers meet it: what was done through the API stands in it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::capabilities::audit::{AuditEntry, HeadMark, KEPT, check};
use shared::testing::Memory;
use stack::Caller;

use super::Served;

fn memory() -> Memory {
    Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1)
}

async fn page(served: &Served, query: &str) -> Value {
    let path = format!("/v1/tenants/{}/audit{query}", served.tenant);
    let answer = served.get(&served.token("admin"), &path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

fn actions(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|entry| entry["deed"]["action"].as_str().unwrap()).collect()
}

/// Changes of several kinds, by the admin, a seat that is an admin, and the back end.
async fn some_deeds(served: &Served) {
    let settings = served.connection("/settings");
    let off = Some(json!({ "log_notes": false, "roi": true }).to_string());
    let admin = served.token("admin");
    assert_eq!(served.call("PATCH", &settings, Some(&admin), off).await.status, 200);
    let (tenant, seat) = (served.tenant.to_string(), served.seat.to_string());
    let both = Caller { roles: &["admin", "seat"], tenant: Some(&tenant), seat: Some(&seat) };
    let both = served.issuer.token(both, Duration::from_mins(5)).unwrap();
    let stage = Some(json!({ "stage": "Proposal" }).to_string());
    assert_eq!(served.call("PATCH", &settings, Some(&both), stage).await.status, 200);
    let new = json!({ "email": "joe@acme.example", "name": "Joe Roe", "roles": ["admin"] });
    let path = format!("/v1/tenants/{tenant}/seats");
    assert_eq!(served.post(&served.token("service"), &path, &new).await.status, 201);
    // A second seat of the address is refused: it is no deed.
    assert_eq!(served.post(&served.token("service"), &path, &new).await.status, 409);
    let path = format!("/v1/tenants/{tenant}/export");
    assert_eq!(served.get(&served.token("service"), &path).await.status, 200);
}

#[tokio::test]
async fn what_was_done_is_read_with_who_did_it_and_checks_as_one_chain() {
    let memory = memory();
    let served = Served::over(memory.ports(), "test/").await;
    some_deeds(&served).await;
    let log = page(&served, "").await;
    assert_eq!(actions(&log), ["settings_changed", "settings_changed", "seat_added", "exported"]);
    let by: Vec<&str> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["by"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(by, ["admin", "seat", "service", "service"]);
    let first = &log["items"][0]["deed"];
    assert_eq!(first["details"], json!({ "settings": "log_notes,roi", "revision": "1" }));
    assert_eq!(first["environment"], "production");
    let added = &log["items"][2]["deed"];
    assert!(added["seat"].as_str().unwrap().starts_with("seat_"));
    assert_eq!(added["details"], json!({ "roles": "admin" }));
    // Ids, and no people and no values.
    let text = log.to_string();
    assert!(!text.contains("Joe") && !text.contains("joe@") && !text.contains("Proposal"));

    let entries: Vec<AuditEntry> = serde_json::from_value(log["items"].clone()).unwrap();
    let head: HeadMark = serde_json::from_value(log["head"].clone()).unwrap();
    let now = (memory.ports().clock.now(), KEPT);
    let checked = check(served.tenant, entries, &[head], now).unwrap();
    assert_eq!((checked.entries, checked.first), (4, Some(1)));
}

#[tokio::test]
async fn a_log_is_asked_for_by_kind_time_seat_and_place_and_nothing_else() {
    let memory = memory();
    let served = Served::over(memory.ports(), "test/").await;
    some_deeds(&served).await;
    assert_eq!(actions(&page(&served, "?action=seat_added").await), ["seat_added"]);
    let of_seat = page(&served, &format!("?seat={}", served.seat)).await;
    assert_eq!(actions(&of_seat), ["settings_changed"]);
    assert_eq!(actions(&page(&served, "?environment=sandbox").await), Vec::<&str>::new());
    assert_eq!(actions(&page(&served, "?environment=production").await).len(), 2);
    assert_eq!(actions(&page(&served, "?cursor=3").await), ["exported"]);
    let now = memory.ports().clock.now();
    assert_eq!(actions(&page(&served, &format!("?to={now}")).await), Vec::<&str>::new());
    assert_eq!(actions(&page(&served, &format!("?from={now}")).await).len(), 4);
    for wrong in ["?cursor=x", "?action=nothing", "?seat=jane", "?from=now", "?colour=red"] {
        let path = format!("/v1/tenants/{}/audit{wrong}", served.tenant);
        let answer = served.get(&served.token("admin"), &path).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{wrong}: {}", answer.status);
    }
}
