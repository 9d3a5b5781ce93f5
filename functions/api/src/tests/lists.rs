//! Sellers keep lists, share them, and see beside each account the opportunities of those who work
//! on its list.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::kernel::{AutoSaveMessage, SeatId};
use shared::store::Next;
use stack::Caller;

use super::badges::{badges, ids};
use super::canary::SELLER;
use super::changes::day;
use super::left::import;
use super::{Answer, Served};

const COLLEAGUE: &str = "tobias.wrenfield@acme.example";

/// The calls of one seat about its lists.
struct Member<'a> {
    served: &'a Served,
    seat: SeatId,
    token: String,
}

impl<'a> Member<'a> {
    fn new(served: &'a Served, seat: SeatId) -> Self {
        let (tenant, name) = (served.tenant.to_string(), seat.to_string());
        let caller = Caller { roles: &["seat"], tenant: Some(&tenant), seat: Some(&name) };
        let token = served.issuer.token(caller, Duration::from_mins(5)).unwrap();
        Self { served, seat, token }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let path = self.served.connection(&format!("/seats/{}/lists{path}", self.seat));
        let body = (!body.is_null()).then(|| body.to_string());
        self.served.call(method, &path, Some(&self.token), body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    async fn make(&self, body: Value) -> String {
        let made = self.call("POST", "", body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        made.body["list_id"].as_str().unwrap().to_owned()
    }

    async fn refused(&self, method: &str, path: &str, body: Value) -> (StatusCode, String) {
        let answer = self.call(method, path, body).await;
        (answer.status, answer.body["type"].as_str().unwrap_or_default().to_owned())
    }
}

fn refusal(status: StatusCode, kind: &str) -> (StatusCode, String) {
    (status, kind.to_owned())
}

#[tokio::test]
async fn a_seller_keeps_lists_and_works_on_them_with_colleagues() {
    let (world, served, _token, folder) = day().await;
    let people = ids(&folder.path().join("people.jsonl"));
    let other = world.seat(COLLEAGUE).await;
    let (own, colleague) = (Member::new(&served, served.seat), Member::new(&served, other));
    assert_eq!(own.get("").await["items"], json!([]));
    let list = own.make(json!({ "kind": "leads", "name": " Renewals " })).await;
    let at = |path: &str| format!("/{list}{path}");
    assert_eq!(own.get(&at("")).await["name"], "Renewals");
    let none = refusal(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(colleague.refused("GET", &at(""), Value::Null).await, none, "it is not shared");
    let some = json!({ "entity_ids": people[..3] });
    assert_eq!(colleague.refused("POST", &at("/entries"), some.clone()).await, none);

    let shared = own.call("PATCH", &at(""), json!({ "collaborators": [other] })).await;
    assert_eq!(shared.body["collaborators"], json!([other]));
    assert_eq!(colleague.get("").await["items"][0]["list_id"], json!(list));
    let added = colleague.call("POST", &at("/entries"), some).await;
    assert_eq!(added.body, json!({ "added": 3, "had": 0, "entries": 3 }));
    let more = json!({ "entity_ids": people[2..5] });
    let added = own.call("POST", &at("/entries"), more).await;
    assert_eq!(added.body, json!({ "added": 2, "had": 1, "entries": 5 }));
    let entries = own.get(&at("/entries")).await;
    let of = |person: &String| {
        let mut items = entries["items"].as_array().unwrap().iter();
        items.find(|item| item["entity_id"] == **person).cloned()
    };
    assert_eq!(of(&people[2]).unwrap()["added_by"], json!(other), "who added it first");
    assert_eq!(of(&people[4]).unwrap()["added_by"], json!(served.seat));
    assert_eq!(of(&people[0]).unwrap()["account"], Value::Null);
    let gone = json!({ "entity_ids": [people[0], people[9]] });
    for _ in 0..2 {
        let left = colleague.call("POST", &at("/entries/remove"), gone.clone()).await;
        assert_eq!(left.body, json!({ "entries": 4 }));
    }

    let theirs = refusal(StatusCode::CONFLICT, "not_owner");
    let name = json!({ "name": "Mine" });
    assert_eq!(colleague.refused("PATCH", &at(""), name.clone()).await, theirs);
    assert_eq!(colleague.refused("DELETE", &at(""), Value::Null).await, theirs);
    assert_eq!(own.call("PATCH", &at(""), name).await.body["name"], "Mine");
    own.call("PATCH", &at(""), json!({ "collaborators": [] })).await;
    assert_eq!(colleague.refused("GET", &at("/entries"), Value::Null).await, none);
    assert_eq!(colleague.get("").await["items"], json!([]));
    for _ in 0..2 {
        let removed = own.call("DELETE", &at(""), Value::Null).await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(own.refused("GET", &at("/entries"), Value::Null).await, none);
    assert_eq!(own.get("").await["items"], json!([]));
}

#[tokio::test]
async fn a_list_that_cannot_be_so_is_refused_whole() {
    let (world, served, _token, folder) = day().await;
    let companies = ids(&folder.path().join("companies.jsonl"));
    let own = Member::new(&served, served.seat);
    let nobody = SeatId::derived("nobody");
    let wrong = refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    for body in [
        json!({ "kind": "leads", "name": "  " }),
        json!({ "kind": "leads", "name": "x".repeat(101) }),
        json!({ "kind": "leads", "name": "x", "collaborators": [nobody] }),
    ] {
        assert_eq!(own.refused("POST", "", body.clone()).await, wrong, "{body}");
    }
    let list = own.make(json!({ "kind": "accounts", "name": "x" })).await;
    let path = format!("/{list}");
    let shared = json!({ "name": "y", "collaborators": [nobody] });
    assert_eq!(own.refused("PATCH", &path, shared).await, wrong);
    let entries = format!("/{list}/entries");
    for ids in [json!([]), json!([companies[0], "co_nobody_has"])] {
        let body = json!({ "entity_ids": ids });
        assert_eq!(own.refused("POST", &entries, body).await, wrong, "{ids}");
    }
    let shown = own.get(&path).await;
    assert_eq!((&shown["name"], &shown["entries"]), (&json!("x"), &json!(0)));
    let people = ids(&folder.path().join("people.jsonl"));
    let body = json!({ "entity_ids": [people[0]] });
    assert_eq!(own.refused("POST", &entries, body).await, wrong, "people are no accounts");
    drop(world);
}

/// Spec, account lists: a row shows only the opportunities that the viewer or somebody who works on
/// the list owns; with restricted data mode their own alone.
#[tokio::test]
async fn an_account_shows_the_opportunities_of_those_who_work_on_its_list() {
    let (world, served, _token, folder) = day().await;
    let companies = ids(&folder.path().join("companies.jsonl"));
    let known = badges(&served, "company", &companies).await;
    let (company, badge) = known.iter().find(|(_, of)| of["record"].is_object()).unwrap();
    let unknown = known.iter().find(|(_, of)| of["record"].is_null()).unwrap().0;
    let account = badge["record"]["record_id"].as_str().unwrap();
    let users = world.control().records(&world.org, "User", 0, usize::MAX).unwrap();
    let user = |email: &str| users.iter().find(|user| user["Email"] == email).unwrap();
    let deal = |name: &str, email: &str| {
        let deal = json!({ "Name": name, "AccountId": account, "OwnerId": user(email)["Id"],
            "StageName": "Prospecting", "CloseDate": "2027-06-30" });
        world.control().create(&world.org, "Opportunity", &deal).unwrap();
    };
    deal("Own lamps", SELLER);
    deal("Their lamps", COLLEAGUE);
    import(&world, &served).await;
    let other = world.seat(COLLEAGUE).await;
    let (own, colleague) = (Member::new(&served, served.seat), Member::new(&served, other));
    let list = own.make(json!({ "kind": "accounts", "name": "Lamps" })).await;
    let both = json!({ "entity_ids": [company, unknown] });
    own.call("POST", &format!("/{list}/entries"), both).await;
    let shown = async |member: &Member<'_>| {
        let page = member.get(&format!("/{list}/entries")).await;
        let items = page["items"].as_array().unwrap().clone();
        let row =
            |id: &String| items.iter().find(|item| item["entity_id"] == **id).unwrap().clone();
        assert_eq!(row(unknown)["account"]["account_id"], Value::Null);
        let row = row(company);
        assert_eq!(row["account"]["account_id"], json!(account));
        let deals = row["account"]["opportunities"].as_array().unwrap().clone();
        let ours =
            deals.into_iter().filter(|deal| deal["name"].as_str().unwrap().contains("lamps"));
        let mut told: Vec<(String, String)> = ours
            .map(|deal| {
                assert_eq!(
                    (&deal["close_date"], &deal["status"]),
                    (&json!("2027-06-30"), &json!("open"))
                );
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (text(&deal["name"]), text(&deal["owner"]["name"]))
            })
            .collect();
        told.sort();
        told
    };
    let name = |email: &str| user(email)["Name"].as_str().unwrap().to_owned();
    let mine = ("Own lamps".to_owned(), name(SELLER));
    let theirs = ("Their lamps".to_owned(), name(COLLEAGUE));
    assert_eq!(shown(&own).await, std::slice::from_ref(&mine));
    own.call("PATCH", &format!("/{list}"), json!({ "collaborators": [other] })).await;
    assert_eq!(shown(&own).await, [mine.clone(), theirs.clone()]);
    assert_eq!(shown(&colleague).await, [mine.clone(), theirs.clone()]);
    world.set(&json!({ "restricted_data": true })).await;
    assert_eq!(shown(&own).await, [mine]);
    assert_eq!(shown(&colleague).await, [theirs]);
}

#[tokio::test]
async fn the_list_of_a_removed_seat_is_a_colleagues_or_goes() {
    let (world, served, _token, folder) = day().await;
    let people = ids(&folder.path().join("people.jsonl"));
    let other = world.seat(COLLEAGUE).await;
    let (own, colleague) = (Member::new(&served, served.seat), Member::new(&served, other));
    let alone = own.make(json!({ "kind": "leads", "name": "Alone" })).await;
    let shared = json!({ "kind": "leads", "name": "Shared", "collaborators": [other] });
    let shared = own.make(shared).await;
    for list in [&alone, &shared] {
        own.call("POST", &format!("/{list}/entries"), json!({ "entity_ids": people[..2] })).await;
    }
    let path = format!("/v1/tenants/{}/seats/{}", served.tenant, served.seat);
    let service = served.token("service");
    let gone = served.call("DELETE", &path, Some(&service), None).await;
    assert!(gone.status.is_success(), "{}", gone.body);
    world.run().await;
    let left = colleague.get("").await["items"].clone();
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!((&left[0]["list_id"], &left[0]["owner"]), (&json!(shared), &json!(other)));
    let kept = |list: &str| {
        let items = world.memory.items().into_iter();
        items.filter(|item| item.key.sk().contains(list)).count()
    };
    assert_eq!(kept(&alone), 0);
    assert_eq!(kept(&shared), 1 + 1 + 2, "the list, whose it is, and what is in it");
    // The message may come again.
    let scope = world.connection().await.scope();
    let again = Next::now(AutoSaveMessage::Seat { scope, seat: served.seat });
    assert!(world.functions.outbox.commit(vec![], vec![again]).await.unwrap().is_done());
    world.run().await;
    assert_eq!(kept(&shared), 4);
}
