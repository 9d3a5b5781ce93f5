//! A seller's day over HTTP: a login that is missing, what waits for it, corrections, the records
//! of a person; and the end of it.

use std::time::Duration;

use axum::http::StatusCode;
use salesforce_simulator::{Fault, FaultKind};
use serde_json::{Value, json};
use shared::capabilities::audit::Actor;
use shared::kernel::{Grantee, SeatId};
use stack::Caller;
use tests::world::World;

use super::canary::{SELLER, imported, marked};
use super::{Answer, Served};

/// The world behind the API, and the seller's token.
pub(super) async fn day() -> (World, Served, String, tempfile::TempDir) {
    let folder = marked();
    let world = Box::pin(imported(folder.path())).await;
    let mut served = Served::over(world.memory.ports(), "crm-sync/").await;
    served.seat = SeatId::derived(SELLER);
    let token = served.token("seat");
    (world, served, token, folder)
}

/// A record that is matched, and its entity.
pub(super) async fn matched(served: &Served, object: &str) -> (String, String) {
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

/// A conversation, a login and a refusal, as a seller's panel meets them.
#[tokio::test]
async fn a_seller_is_told_where_each_activity_stands_takes_one_back_and_tries_another_again() {
    let (world, served, token, _folder) = day().await;
    let (_, person) = matched(&served, "Contact").await;
    let path = served.connection("/activities");
    let seat = |rest: &str| served.connection(&format!("/seats/{}{rest}", served.seat));
    let shown = |id: &str, what: &str| format!("{path}/{id}{what}");
    let id = |body: &Value| body["activity_id"].as_str().unwrap().to_owned();
    end_login(&world, &served, &token).await;
    let held = served.post(&token, &path, &new("message", "person", &person)).await.body;
    assert_eq!(held["explanation"]["who"], "seller");
    let pending = served.get(&token, &seat("/activities")).await.body;
    assert_eq!((&pending["items"], &pending["next"]), (&json!([held]), &Value::Null));
    let answer = served.post(&token, &shown(&id(&held), "/withdraw"), &json!({})).await;
    assert_eq!((answer.status, &answer.body["state"]), (StatusCode::OK, &json!("withdrawn")));
    assert_eq!(served.get(&token, &seat("/activities")).await.body["items"], json!([]));

    world.authorize(Grantee::Seat(served.seat), SELLER).await.unwrap();
    world.run().await;
    let refused = json!([{ "errorCode": "API_DISABLED_FOR_ORG", "message": "no" }]).to_string();
    let refused =
        FaultKind::Respond { status: 400, body: refused, content_type: None, retry_after: None };
    world.control().add_fault(Fault::at("/sobjects/Note", refused).method("POST"));
    let note = json!({ "kind": "note", "entity_kind": "person", "entity_id": person,
        "body": "Met at the fair", "occurred_at": "2026-11-20T15:00:00Z" });
    let posted = served.keyed(&token, &path, "note", &note).await.body;
    world.run().await;
    let errors = served.get(&token, &seat("/activity-errors")).await.body;
    let group = &errors["items"][0];
    assert_eq!((&group["code"], &group["count"]), (&json!("API_DISABLED_FOR_ORG"), &json!(1)));
    let step = group["fix"]["steps"][0].as_str().unwrap();
    assert!(step.starts_with("Setup > Users > Profiles"), "the doctor's clicks: {step}");
    let list = seat("/activities?state=failed&code=API_DISABLED_FOR_ORG");
    assert_eq!(served.get(&token, &list).await.body["items"][0]["activity_id"], id(&posted));
    let code = json!({ "code": "API_DISABLED_FOR_ORG" });
    let retried = served.post(&token, &seat("/activity-errors/retry"), &code).await;
    assert_eq!(retried.body, json!({ "retried": 1, "more": false }));
    world.run().await;
    let logged = served.get(&token, &shown(&id(&posted), "")).await.body;
    assert_eq!((&logged["state"], &logged["explanation"]), (&json!("logged"), &Value::Null));
    for what in ["/retry", "/withdraw"] {
        let late = served.post(&token, &shown(&id(&posted), what), &json!({})).await;
        assert_eq!(late.status, StatusCode::CONFLICT, "{what}: {}", late.body);
    }
    let odd = served.get(&token, &seat("/activities?state=failed&code=A%23B")).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// A record of the org that stands for nobody of the directory.
async fn nobodys(served: &Served, object: &str) -> String {
    let first = served.connection(&format!("/matches?object={object}"));
    let mut path = first.clone();
    loop {
        let page = served.get(&served.token("admin"), &path).await.body;
        let mut lists = page["items"].as_array().unwrap().iter();
        if let Some(list) = lists.find(|list| list["entity_id"].is_null()) {
            return list["record_id"].as_str().unwrap().to_owned();
        }
        path = format!("{first}&cursor={}", page["next"].as_str().expect("another page"));
    }
}

/// Says that a record is about a person, or is not.
async fn correct(served: &Served, (object, record): (&str, &str), what: Value) {
    let path = served.connection(&format!("/matches/{object}/{record}/corrections"));
    let said = served.post(&served.token("seat"), &path, &what).await;
    assert_eq!(said.status, StatusCode::ACCEPTED, "{}", said.body);
}

/// The admin's grant is revoked in the org, and an import meets that.
async fn lose_connection(world: &World, served: &Served) {
    world.control().revoke_grants(&world.org).unwrap();
    world.control().end_sessions(&world.org).unwrap();
    served.call("POST", &served.connection("/runs"), Some(&served.token("admin")), None).await;
    world.run().await;
}

/// Issue "What sellers do", 3: messages that wait are told with what they wait for, follow a
/// correction, a merge and a conversion made meanwhile, survive the end of the connection, and are
/// logged once after the logins. One is taken back.
#[tokio::test]
async fn what_waits_survives_a_correction_a_merge_a_conversion_and_a_reconnect() {
    let (world, served, token, _folder) = day().await;
    let path = served.connection("/activities");
    let (contact, person) = matched(&served, "Contact").await;
    let (lead, of_lead) = matched(&served, "Lead").await;
    let master = nobodys(&served, "Contact").await;
    end_login(&world, &served, &token).await;
    let post = async |key: &str, person: &str| {
        let posted = served.keyed(&token, &path, key, &new("message", "person", person)).await;
        assert_eq!(posted.body["reason"], "crm_login_required", "{}", posted.body);
        posted.body["activity_id"].as_str().unwrap().to_owned()
    };
    let (one, two) = (post("1", &person).await, post("2", &of_lead).await);
    let taken_back = post("3", &person).await;
    let withdraw = format!("{path}/{taken_back}/withdraw");
    served.post(&token, &withdraw, &json!({})).await;

    // The lead is converted; the contact is found wrong, and the right one merged into another.
    let became = world.control().convert_lead(&world.org, &lead, &json!({})).unwrap();
    correct(&served, ("Contact", &contact), json!({ "action": "unmatch" })).await;
    let right = json!({ "action": "match", "entity_id": person });
    correct(&served, ("Contact", &master), right.clone()).await;
    world.run().await;
    let survivor = world.control().records(&world.org, "Contact", 0, 100).unwrap();
    let survivor = survivor.iter().map(|row| row["Id"].as_str().unwrap());
    let survivor = survivor.into_iter().find(|id| *id != master && *id != contact).unwrap();
    world.control().merge(&world.org, survivor, &[&master]).unwrap();

    lose_connection(&world, &served).await;
    let list = served.connection(&format!("/seats/{}/activities", served.seat));
    let pending = served.get(&token, &list).await.body;
    let pending = pending["items"].as_array().unwrap();
    assert_eq!(pending.len(), 2, "{pending:?}");
    for item in pending {
        let who = item["explanation"]["who"].as_str().unwrap();
        assert!(["seller", "admin"].contains(&who), "{item}");
    }
    world.authorize(Grantee::Admin, super::canary::ADMIN).await.unwrap();
    world.authorize(Grantee::Seat(served.seat), SELLER).await.unwrap();
    world.run().await;
    for (id, on) in [(one, survivor), (two, became["contact"].as_str().unwrap())] {
        let logged = served.get(&token, &format!("{path}/{id}")).await.body;
        assert_eq!(logged["state"], "logged", "{logged}");
        let row = world.control().record(&world.org, logged["salesforce_id"].as_str().unwrap());
        assert_eq!(row.unwrap()["WhoId"], on);
    }
    let withdrawn = served.get(&token, &format!("{path}/{taken_back}")).await.body;
    assert_eq!(withdrawn["state"], "withdrawn");
    let written = world.control().writes(&world.org).unwrap().into_iter();
    assert_eq!(written.filter(|write| write.object == "Task").count(), 2, "each once");
}

/// What a seller wrote is theirs: a colleague neither sees it nor takes it back.
#[tokio::test]
async fn an_activity_is_its_own_seats_and_shown_to_the_admin_and_the_product_besides() {
    let (_world, served, token, _folder) = day().await;
    let (_, person) = matched(&served, "Contact").await;
    let path = served.connection("/activities");
    let posted = served.post(&token, &path, &new("message", "person", &person)).await.body;
    let own = format!("{path}/{}", posted["activity_id"].as_str().unwrap());
    let (tenant, joe) = (served.tenant.to_string(), SeatId::derived("joe").to_string());
    let joe = Caller { roles: &["seat"], tenant: Some(&tenant), seat: Some(&joe) };
    let joe = served.issuer.token(joe, Duration::from_mins(5)).unwrap();
    assert_eq!(served.get(&joe, &own).await.status, StatusCode::FORBIDDEN);
    for what in ["/retry", "/withdraw"] {
        let answer = served.post(&joe, &format!("{own}{what}"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
    }
    for whose in [token, served.token("admin"), served.token("service")] {
        let shown = served.get(&whose, &own).await;
        assert_eq!((shown.status, &shown.body["state"]), (StatusCode::OK, &posted["state"]));
    }
}

#[tokio::test]
async fn a_seller_sees_and_chooses_what_is_logged_and_the_admins_word_goes_first() {
    let (_world, served, token, _folder) = day().await;
    let (_, person) = matched(&served, "Contact").await;
    let path = served.connection("/activities");
    let logging = served.connection(&format!("/seats/{}/logging", served.seat));
    let of = |body: &Value, kind: &str| -> (bool, String) {
        let mut types = body["types"].as_array().unwrap().iter();
        let log = types.find(|log| log["type"] == kind).unwrap();
        (log["on"].as_bool().unwrap(), log["decided_by"].as_str().unwrap().to_owned())
    };
    let notes = Some(json!({ "notes": false }).to_string());
    let chosen = served.call("PATCH", &logging, Some(&token), notes).await;
    assert_eq!(of(&chosen.body, "notes"), (false, "seller".to_owned()));
    assert_eq!(of(&chosen.body, "calls"), (true, "nobody".to_owned()));
    let odd = Some(json!({ "nots": false }).to_string());
    let odd = served.call("PATCH", &logging, Some(&token), odd).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    let left_out = served.post(&token, &path, &new("note", "person", &person)).await;
    assert_eq!(left_out.status, StatusCode::ACCEPTED);
    assert_eq!(left_out.body["not_logged"], "seller_choice");
    assert_eq!(left_out.body["explanation"]["why"], "You turned logging off for it.");

    let thread = served.connection(&format!("/seats/{}/conversation", served.seat));
    let off = Some(json!({ "conversation_id": "t 1", "log": false }).to_string());
    served.call("PUT", &thread, Some(&token), off).await;
    let shown = served.get(&token, &format!("{thread}?conversation_id=t%201")).await;
    assert_eq!(shown.body, json!({ "log": false }));

    let admin = served.token("admin");
    let switches = served.connection("/seat-switches");
    let off = json!({ "seats": [served.seat], "write_back": false }).to_string();
    let put = served.call("PUT", &switches, Some(&admin), Some(off)).await;
    assert_eq!(put.status, StatusCode::NO_CONTENT);
    let shown = served.get(&token, &logging).await.body;
    assert_eq!(of(&shown, "calls"), (false, "admin_for_seat".to_owned()));
    let refused = served.keyed(&token, &path, "2", &new("message", "person", &person)).await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (StatusCode::CONFLICT, &json!("turned_off"))
    );
}
