//! A seller creates and updates records over HTTP, from the form to the undoing.

use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::kernel::{Grantee, SeatId};
use tempfile::TempDir;
use tests::world::World;

use super::canary::{SELLER, imported, marked};
use super::{Answer, Served};
use crate::router;

/// The world behind the API with everything turned on, and the seller's token.
pub(super) async fn day() -> (World, Served, String, TempDir) {
    let folder = marked();
    let world = Box::pin(imported(folder.path())).await;
    let on = json!({ "create_leads": true, "create_contacts": true, "update_contacts": true,
        "bulk_changes": true });
    world.set(&on).await;
    let (served, token) = behind_api(&world).await;
    (world, served, token, folder)
}

/// The API in front of a world, and the seller's token.
pub(super) async fn behind_api(world: &World) -> (Served, String) {
    let mut served = Served::over(world.memory.ports(), "crm-sync/").await;
    // As on AWS, the function that asks is another one than the API.
    served.api.asking = world.functions.asking.clone();
    served.router = router::router(served.api.clone());
    served.seat = SeatId::derived(SELLER);
    let token = served.token("seat");
    (served, token)
}

pub(super) fn at(served: &Served, path: &str) -> String {
    served.connection(&format!("/seats/{}{path}", served.seat))
}

pub(super) async fn told(world: &World, served: &Served, token: &str, posted: &Answer) -> Value {
    assert_eq!(posted.status, StatusCode::ACCEPTED, "{}", posted.body);
    world.run().await;
    let path = format!("/changes/{}", posted.body["change_id"].as_str().unwrap());
    served.get(token, &at(served, &path)).await.body
}

#[tokio::test]
async fn a_seller_creates_a_contact_by_the_orgs_own_form_updates_it_and_takes_both_back() {
    let (world, served, token, _folder) = day().await;
    let form = served.get(&token, &at(&served, "/crm/forms/Contact")).await;
    assert_eq!(form.status, StatusCode::OK);
    let fields = form.body["fields"].as_array().unwrap();
    let required = |f: &&Value| f["required"] == true;
    let required: Vec<_> = fields.iter().filter(required).map(|f| f["name"].clone()).collect();
    assert_eq!(required, ["LastName", "AccountId"]);
    let source = fields.iter().find(|field| field["name"] == "LeadSource").unwrap();
    assert_eq!(source["choices"][0]["value"], "Web");
    assert!(!form.body["roles"].as_array().unwrap().is_empty());

    let account = world.control().records(&world.org, "Account", 0, 1).unwrap().remove(0);
    let name: String = account["Name"].as_str().unwrap().chars().take(3).collect();
    let search = format!("/crm/accounts?name={}", name.replace(' ', "%20"));
    let hits = served.get(&token, &at(&served, &search)).await.body;
    let hits: Vec<_> = hits["items"].as_array().unwrap().iter().map(|h| &h["account_id"]).collect();
    assert!(hits.contains(&&account["Id"]), "{hits:?}");

    let wanted = json!({ "kind": "create", "object": "Contact",
        "fields": { "LastName": "Aurelian", "Title": "Buyer", "AccountId": account["Id"] } });
    let posted = served.post(&token, &at(&served, "/changes"), &wanted).await;
    let created = told(&world, &served, &token, &posted).await;
    assert_eq!(created["state"], "made", "{created}");
    let id = created["record_id"].as_str().unwrap().to_owned();
    assert_eq!(created["left"]["Title"], "Buyer");

    let now = served.get(&token, &at(&served, &format!("/crm/records/Contact/{id}"))).await.body;
    assert_eq!((&now["may_edit"], &now["is_converted"]), (&json!(true), &json!(false)));
    let title = now["fields"].as_array().unwrap().iter().find(|f| f["name"] == "Title").unwrap();
    assert_eq!((&title["value"], &title["may_edit"]), (&json!("Buyer"), &json!(true)));

    let fields = json!({ "Title": { "from": "Buyer", "to": "Chief" } });
    let wanted =
        json!({ "kind": "update", "object": "Contact", "record_id": id, "fields": fields });
    let posted = served.keyed(&token, &at(&served, "/changes"), "2", &wanted).await;
    let updated = told(&world, &served, &token, &posted).await;
    assert_eq!((&updated["state"], &updated["left"]["Title"]), (&json!("made"), &json!("Chief")));

    let stale = served.keyed(&token, &at(&served, "/changes"), "3", &wanted).await;
    let stale = told(&world, &served, &token, &stale).await;
    assert_eq!((&stale["state"], &stale["refusals"]), (&json!("made"), &Value::Null), "as wanted");

    let undo = format!("/changes/{}/undo", updated["change_id"].as_str().unwrap());
    let undoing = served.call("POST", &at(&served, &undo), Some(&token), None).await;
    let undoing = told(&world, &served, &token, &undoing).await;
    assert_eq!((&undoing["state"], &undoing["undoes"]), (&json!("made"), &updated["change_id"]));
    assert_eq!(world.control().record(&world.org, &id).unwrap()["Title"], "Buyer");

    let list = served.get(&token, &at(&served, "/changes")).await.body;
    assert_eq!(list["items"].as_array().unwrap().len(), 4);
    assert_eq!(list["next"], Value::Null);
}

/// I68: what a record needs is asked for before Salesforce is.
#[tokio::test]
async fn i68_a_record_without_what_it_needs_is_refused_before_any_call() {
    let (world, served, token, _folder) = day().await;
    let asked = world.control().requests().len();
    let account = json!({ "LastName": "Aurelian", "AccountId": "003000000000001AAA" });
    for (object, fields, missing) in [
        ("Lead", json!({ "FirstName": "Ida" }), "LastName must be given; Company must be given"),
        ("Contact", json!({ "LastName": "Aurelian" }), "AccountId must be given"),
        ("Contact", account, "AccountId must be the id of an account"),
        ("Account", json!({ "Website": "https://a.example" }), "Name must be given"),
        ("Opportunity", json!({ "Name": "Deal" }), "only leads, contacts and accounts"),
    ] {
        let wanted = json!({ "kind": "create", "object": object, "fields": fields });
        let refused = served.post(&token, &at(&served, "/changes"), &wanted).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(missing), "{detail}");
    }
    assert_eq!(world.control().requests().len(), asked);
}

/// I69: both values are told, and the CRM keeps its own.
#[tokio::test]
async fn i69_an_update_of_what_changed_meanwhile_tells_both_values() {
    let (world, served, token, _folder) = day().await;
    let contact = world.control().records(&world.org, "Contact", 0, 1).unwrap().remove(0);
    let id = contact["Id"].as_str().unwrap();
    world.control().update(&world.org, id, &json!({ "Title": "Hers" })).unwrap();
    let fields = json!({ "Title": { "from": contact["Title"], "to": "Chief" } });
    let wanted =
        json!({ "kind": "update", "object": "Contact", "record_id": id, "fields": fields });
    let posted = served.post(&token, &at(&served, "/changes"), &wanted).await;
    let stale = told(&world, &served, &token, &posted).await;
    assert_eq!(
        (&stale["state"], &stale["refusals"][0]["code"]),
        (&json!("refused"), &json!("STALE"))
    );
    assert_eq!(stale["from"]["Title"], contact["Title"]);
    assert_eq!(stale["found"]["Title"], "Hers");
    assert_eq!(world.control().record(&world.org, id).unwrap()["Title"], "Hers");
}

#[tokio::test]
async fn who_has_not_logged_in_is_told_where_by_every_question_and_a_change_waits() {
    let (world, served, token, _folder) = day().await;
    let path = at(&served, "/authorization");
    served.call("DELETE", &path, Some(&token), None).await;
    world.run().await;
    for question in
        ["/crm/forms/Lead", "/crm/accounts?name=Ac", "/crm/records/Lead/00Q000000000001EAA"]
    {
        let answer = served.get(&token, &at(&served, question)).await;
        let told = (answer.status, &answer.body["type"]);
        assert_eq!(told, (StatusCode::CONFLICT, &json!("crm_login_required")), "{question}");
        let login = answer.body["login_url"].as_str().unwrap();
        assert!(login.ends_with(&at(&served, "/authorize")), "{login}");
    }
    let fields = json!({ "LastName": "Aurelian", "Company": "Aurelian Ltd" });
    let wanted = json!({ "kind": "create", "object": "Lead", "fields": fields });
    let posted = served.post(&token, &at(&served, "/changes"), &wanted).await;
    let told_of = (&posted.body["state"], &posted.body["reason"]);
    assert_eq!(told_of, (&json!("held"), &json!("crm_login_required")));
    assert!(posted.body["login_url"].is_string());
    world.authorize(Grantee::Seat(served.seat), SELLER).await.unwrap();
    assert_eq!(told(&world, &served, &token, &posted).await["state"], "made");
}

#[tokio::test]
async fn a_question_that_cannot_be_asked_says_why() {
    let (_world, served, token, _folder) = day().await;
    for (question, status, kind) in [
        ("/crm/forms/Opportunity", StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        ("/crm/accounts?name=A", StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        ("/crm/accounts?name=%25%25", StatusCode::OK, ""),
        ("/crm/records/Task/00T000000000001EAA", StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        ("/crm/records/Lead/00Q000000099999EAA", StatusCode::NOT_FOUND, "not_found"),
    ] {
        let answer = served.get(&token, &at(&served, question)).await;
        let told = (answer.status, answer.body["type"].as_str().unwrap_or_default());
        assert_eq!(told, (status, kind), "{question}: {}", answer.body);
    }
    let hits = served.get(&token, &at(&served, "/crm/accounts?name=%25%25")).await.body;
    assert_eq!(hits["items"], json!([]), "a percent sign is a character of the name");
}
