//! A seller's day over HTTP: a login that is missing, what waits for it, corrections, the records
//! of a person; and the end of it.

use axum::http::StatusCode;
use salesforce_simulator::{Fault, FaultKind};
use serde_json::{Value, json};
use shared::capabilities::audit::Actor;
use shared::kernel::{Grantee, SeatId};
use tests::world::World;

use super::canary::{SELLER, imported, marked};
use super::{Answer, Served};

/// The world behind the API, and the seller's token.
async fn day() -> (World, Served, String, tempfile::TempDir) {
    let folder = marked();
    let world = Box::pin(imported(folder.path())).await;
    let mut served = Served::over(world.memory.ports(), "crm-sync/").await;
    served.seat = SeatId::derived(SELLER);
    let token = served.token("seat");
    (world, served, token, folder)
}

/// A record that is matched, and its entity.
async fn matched(served: &Served, object: &str) -> (String, String) {
    let first = served.connection(&format!("/matches?object={object}"));
    let mut path = first.clone();
    loop {
        let page = served.get(&served.token("admin"), &path).await.body;
        let mut lists = page["items"].as_array().unwrap().iter();
        if let Some(list) = lists.find(|list| list["entity_id"].is_string()) {
            let text = |field: &str| list[field].as_str().unwrap().to_owned();
            return (text("record_id"), text("entity_id"));
        }
        path = format!("{first}&cursor={}", page["next"].as_str().expect("another page"));
    }
}

fn new(kind: &str, entity_kind: &str, entity: &str) -> Value {
    json!({ "kind": kind, "entity_kind": entity_kind, "entity_id": entity, "body": "Hello",
        "occurred_at": "2026-11-20T15:00:00Z" })
}

async fn end_login(world: &World, served: &Served, token: &str) -> Answer {
    let path = served.connection(&format!("/seats/{}/authorization", served.seat));
    let answer = served.call("DELETE", &path, Some(token), None).await;
    world.run().await;
    answer
}

#[tokio::test]
async fn a_missing_login_is_told_at_once_with_the_address_where_the_seat_logs_in() {
    let (world, served, token, _folder) = day().await;
    let (contact, person) = matched(&served, "Contact").await;
    for _ in 0..2 {
        let ended = end_login(&world, &served, &token).await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT);
    }
    let path = served.connection("/activities");
    let told = served.post(&token, &path, &new("message", "person", &person)).await;
    assert_eq!(told.status, StatusCode::ACCEPTED);
    assert_eq!(told.body["state"], "held");
    assert_eq!(told.body["reason"], "crm_login_required");
    let login = told.body["login_url"].as_str().unwrap();
    let (_, at) = login.split_once("/v1/").unwrap();
    let begun = served.call("POST", &format!("/v1/{at}"), Some(&token), None).await;
    assert_eq!(begun.status, StatusCode::OK);
    assert!(begun.body["authorize_url"].is_string());

    let shown = format!("{path}/{}", told.body["activity_id"].as_str().unwrap());
    let held = served.get(&token, &shown).await.body;
    assert_eq!(held, told.body, "it is kept, and says so to whoever asks");
    world.authorize(Grantee::Seat(served.seat), SELLER).await.unwrap();
    world.run().await;
    let logged = served.get(&token, &shown).await.body;
    assert_eq!((&logged["state"], &logged["login_url"]), (&json!("logged"), &Value::Null));
    let row = logged["salesforce_id"].as_str().unwrap();
    assert_eq!(world.control().record(&world.org, row).unwrap()["WhoId"], contact.as_str());
}

#[tokio::test]
async fn a_correction_over_http_moves_the_link_of_a_person_and_lists_the_alternative() {
    let (world, served, token, _folder) = day().await;
    let (contact, person) = matched(&served, "Contact").await;
    let (lead, _) = matched(&served, "Lead").await;
    let entity = served.connection(&format!("/entities/person/{person}"));
    let before = served.get(&token, &entity).await.body;
    assert_eq!(before["link"], json!({ "object": "Contact", "record_id": contact }));

    let corrections = served.connection(&format!("/matches/Lead/{lead}/corrections"));
    let what = json!({ "action": "wrong_match", "entity_id": person });
    let said = served.post(&token, &corrections, &what).await;
    assert_eq!(said.status, StatusCode::ACCEPTED);
    assert_eq!(said.body["ruling"]["always"], person.as_str());
    assert_eq!(said.body["history"][0]["by"], served.seat.to_string());
    world.run().await;

    let after = served.get(&token, &entity).await.body;
    assert_eq!(after["link"], json!({ "object": "Lead", "record_id": lead }));
    let records = after["records"].as_array().unwrap().iter();
    let decisions: Vec<(&Value, &Value)> =
        records.map(|record| (&record["record_id"], &record["decision"])).collect();
    assert!(decisions.contains(&(&json!(contact), &json!("duplicate"))), "{decisions:?}");
    assert!(decisions.contains(&(&json!(lead), &json!("match"))), "{decisions:?}");
    let path = served.connection(&format!("/matches/Lead/{lead}"));
    let shown = served.get(&token, &path).await.body;
    assert_eq!((&shown["entity_id"], &shown["source"]), (&json!(person), &json!("manual")));

    let posted = new("message", "person", &person);
    let posted = served.post(&token, &served.connection("/activities"), &posted).await.body;
    world.run().await;
    let path = format!("/activities/{}", posted["activity_id"].as_str().unwrap());
    let logged = served.get(&token, &served.connection(&path)).await.body;
    let row = logged["salesforce_id"].as_str().unwrap_or_else(|| panic!("{logged}"));
    assert_eq!(world.control().record(&world.org, row).unwrap()["WhoId"], lead.as_str());
}

#[tokio::test]
async fn a_note_on_an_account_is_taken_in_and_a_message_to_one_is_refused() {
    let (world, served, token, _folder) = day().await;
    let (account, company) = matched(&served, "Account").await;
    let path = served.connection("/activities");
    let refused = served.post(&token, &path, &new("message", "company", &company)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["detail"], "only notes can be logged on an account");
    let posted = served.post(&token, &path, &new("note", "company", &company)).await;
    assert_eq!((posted.status, &posted.body["state"]), (StatusCode::ACCEPTED, &json!("queued")));
    world.run().await;
    let shown = format!("{path}/{}", posted.body["activity_id"].as_str().unwrap());
    let logged = served.get(&token, &shown).await.body;
    let row = world.control().record(&world.org, logged["salesforce_id"].as_str().unwrap());
    assert_eq!(row.unwrap()["ParentId"], account.as_str());
}

#[tokio::test]
async fn a_seat_and_then_a_tenant_are_removed_and_refusals_say_what_to_do_first() {
    let (world, served, token, _folder) = day().await;
    let service = served.token("service");
    let tenant = format!("/v1/tenants/{}", served.tenant);
    let refused = served.call("DELETE", &tenant, Some(&service), None).await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (StatusCode::CONFLICT, &json!("connected"))
    );
    let (_, person) = matched(&served, "Contact").await;
    let seat = format!("{tenant}/seats/{}", served.seat);
    for _ in 0..2 {
        let removed = served.call("DELETE", &seat, Some(&service), None).await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT);
    }
    world.run().await;
    let path = served.connection("/activities");
    let late = served.post(&token, &path, &new("message", "person", &person)).await;
    assert_eq!((late.status, &late.body["type"]), (StatusCode::FORBIDDEN, &json!("seat_required")));

    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    let refused = served.call("DELETE", &tenant, Some(&service), None).await;
    assert_eq!((refused.status, &refused.body["type"]), (StatusCode::CONFLICT, &json!("purging")));
    world.run().await;
    for _ in 0..2 {
        let removed = served.call("DELETE", &tenant, Some(&service), None).await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT);
    }
    world.run().await;
    assert_eq!(served.get(&service, &tenant).await.status, StatusCode::NOT_FOUND);
    let proof = format!("{tenant}/purges/production-1");
    assert!(served.get(&service, &proof).await.body["certificate"].is_object(), "it stays");
}

/// I59: the key is the activity's, and another activity under it is refused.
#[tokio::test]
async fn i59_one_idempotency_key_is_good_for_one_activity() {
    let (world, served, token, _folder) = day().await;
    let (_, person) = matched(&served, "Contact").await;
    let path = served.connection("/activities");
    let message = new("message", "person", &person);
    let first = served.post(&token, &path, &message).await;
    let again = served.post(&token, &path, &message).await;
    assert_eq!((first.status, again.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(first.body["activity_id"], again.body["activity_id"]);
    let other = served.post(&token, &path, &new("note", "person", &person)).await;
    assert_eq!((other.status, &other.body["type"]), (StatusCode::CONFLICT, &json!("key_reused")));
    world.run().await;
    let keys = world.item_keys().await;
    assert_eq!(keys.iter().filter(|key| key.contains(" ACT#")).count(), 1);
}

/// M3: from the disconnect on nothing of the connection is shown or asked for, though its purge
/// cannot end while Salesforce is down.
#[tokio::test]
async fn m03_after_a_disconnect_nothing_is_shown_or_matched_again() {
    let (world, served, token, _folder) = day().await;
    let admin = served.token("admin");
    let reads = ["/matches?object=Lead", "/matches/summary", "/runs", "/match-runs"];
    for read in reads {
        assert_eq!(served.get(&admin, &served.connection(read)).await.status, StatusCode::OK);
    }
    let down = FaultKind::Respond {
        status: 503,
        body: String::new(),
        content_type: None,
        retry_after: None,
    };
    world.control().add_fault(Fault { times: 10_000, ..Fault::at("*/revoke", down) });
    let gone = served.call("DELETE", &served.connection(""), Some(&admin), None).await;
    assert_eq!(gone.status, StatusCode::ACCEPTED, "{}", gone.body);
    for read in reads {
        let hidden = served.get(&admin, &served.connection(read)).await;
        assert_eq!(hidden.status, StatusCode::NOT_FOUND, "{read}");
    }
    let saved = served.connection(&format!("/seats/{}/saved?kind=accounts", served.seat));
    assert_eq!(served.get(&token, &saved).await.status, StatusCode::NOT_FOUND);
    let rematch = served.post(&admin, &served.connection("/match-runs"), &json!({})).await;
    assert_eq!(rematch.status, StatusCode::NOT_FOUND, "{}", rematch.body);
}
