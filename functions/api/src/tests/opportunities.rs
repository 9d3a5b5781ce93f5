//! The panel of an account's opportunities over HTTP, beside the org's own rows.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::kernel::{ImportMessage, ImportRunId, ImportTrigger, SeatId};
use shared::store::Next;
use tests::world::World;

use super::Served;
use super::badges::seller;
use super::canary::SELLER;

async fn import_again(world: &World, name: &str) {
    world.control().advance(3600);
    let scope = world.connection().await.scope();
    let run = ImportRunId::derived(name);
    let start = ImportMessage::Start { scope, run, trigger: ImportTrigger::Requested };
    let sent = world.functions.outbox.commit(vec![], vec![Next::now(start)]).await.unwrap();
    assert!(sent.is_done());
    world.run().await;
}

async fn panel(served: &Served, account: &str) -> Value {
    let path = format!("/seats/{}/accounts/{account}/opportunities", served.seat);
    let answer = served.get(&served.token("seat"), &served.connection(&path)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

fn ids(panel: &Value) -> BTreeSet<String> {
    let items = panel["items"].as_array().unwrap().iter();
    items.map(|item| item["opportunity_id"].as_str().unwrap().to_owned()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The CRM user of the seller, one in a role below, one in none, and an account.
fn cast(world: &World) -> [String; 4] {
    let control = world.control();
    let users = control.records(&world.org, "User", 0, 1_000).unwrap();
    let own = users.iter().find(|user| user["Email"] == SELLER).unwrap();
    let role = |name: &str, parent: Value| {
        let fields = json!({ "Name": name, "ParentRoleId": parent });
        control.create(&world.org, "UserRole", &fields).unwrap()
    };
    let above = role("Above", Value::Null);
    let middle = role("Middle", json!(above));
    let below = role("Below", json!(middle));
    let others: Vec<&Value> = users.iter().filter(|user| user["Id"] != own["Id"]).collect();
    let set = |user: &Value, role: Value| {
        let id = user["Id"].as_str().unwrap();
        control.update(&world.org, id, &json!({ "UserRoleId": role })).unwrap();
        id.to_owned()
    };
    let own = set(own, json!(above));
    let report = set(others[0], json!(below));
    let stranger = set(others[1], Value::Null);
    let fields = json!({ "Name": "Zephyr Quarries", "OwnerId": stranger });
    let account = control.create(&world.org, "Account", &fields).unwrap();
    [own, report, stranger, account]
}

/// Spec, opportunities panel: all opportunities of the account that are active or closed in the
/// past year, with name, owner, close date, status; within the seat's access.
#[tokio::test]
async fn the_panel_shows_what_is_active_or_closed_in_the_past_year_and_the_seat_may_see() {
    let (world, served, _folder) = seller().await;
    world.control().set(&world.org, &json!({ "multi_currency": true })).unwrap();
    let [own, report, stranger, account] = cast(&world);
    let deal = |name: &str, owner: &str, stage: &str, date: &str| {
        let fields = json!({ "Name": name, "OwnerId": owner, "AccountId": account,
            "StageName": stage, "CloseDate": date, "Amount": 1200.5, "CurrencyIsoCode": "EUR" });
        world.control().create(&world.org, "Opportunity", &fields).unwrap()
    };
    let open = deal("Open", &own, "Prospecting", "2027-01-31");
    let won = deal("Won", &report, "Closed Won", "2026-06-01");
    let lost = deal("Lost", &own, "Closed Lost", "2026-03-01");
    let _old = deal("Old", &own, "Closed Won", "2024-03-01");
    let strangers = deal("Stranger's", &stranger, "Prospecting", "2027-01-31");
    import_again(&world, "deals").await;

    let shown = panel(&served, &account).await;
    let order: Vec<_> =
        shown["items"].as_array().unwrap().iter().map(|i| text(&i["opportunity_id"])).collect();
    assert_eq!(order, [open.clone(), won.clone(), lost.clone()]);
    let row = world.control().record(&world.org, &own).unwrap();
    let instance = world.connection().await.instance_url.to_string();
    assert_eq!(
        shown["items"][0],
        json!({ "opportunity_id": open, "record_url": format!("{instance}/{open}"), "name": "Open",
            "owner": { "user_id": own, "name": row["Name"] }, "close_date": "2027-01-31",
            "status": "open", "stage": "Prospecting", "amount": "1200.5", "currency": "EUR" })
    );
    let statuses: Vec<_> =
        shown["items"].as_array().unwrap().iter().map(|i| text(&i["status"])).collect();
    assert_eq!(statuses, ["open", "won", "lost"]);
    assert_eq!((&shown["restricted"], &shown["crm_user"]), (&json!(false), &json!("matched")));

    let member = json!({ "AccountId": account, "UserId": own, "TeamMemberRole": "Sales Rep",
        "OpportunityAccessLevel": "Read" });
    let member = world.control().create(&world.org, "AccountTeamMember", &member).unwrap();
    import_again(&world, "team").await;
    let of_team = ids(&panel(&served, &account).await);
    assert!(of_team.contains(&strangers), "the team sees the account's: {of_team:?}");

    world.set(&json!({ "restricted_data": true })).await;
    let restricted = panel(&served, &account).await;
    assert_eq!(ids(&restricted), BTreeSet::from([open, lost]));
    assert_eq!(restricted["restricted"], true);

    world.set(&json!({ "restricted_data": false })).await;
    let none = json!({ "OpportunityAccessLevel": "None" });
    world.control().update(&world.org, &member, &none).unwrap();
    import_again(&world, "no look").await;
    assert!(!ids(&panel(&served, &account).await).contains(&strangers));
}

#[tokio::test]
async fn an_org_of_one_currency_has_none_at_its_amounts_and_who_is_no_crm_user_sees_nothing() {
    let (world, served, _folder) = seller().await;
    let deals = world.control().records(&world.org, "Opportunity", 0, 10_000).unwrap();
    let users = world.control().records(&world.org, "User", 0, 1_000).unwrap();
    let own = users.iter().find(|user| user["Email"] == SELLER).unwrap();
    let is_open = |deal: &&Value| deal["OwnerId"] == own["Id"] && deal["IsClosed"] == false;
    let deal = deals.iter().find(is_open).expect("an open deal of the seller");
    let account = text(&deal["AccountId"]);
    let shown = panel(&served, &account).await;
    let mut items = shown["items"].as_array().unwrap().iter();
    let item = items.find(|item| item["opportunity_id"] == deal["Id"]).expect("the deal");
    assert_eq!(item["currency"], Value::Null);
    let amount: f64 = item["amount"].as_str().unwrap().parse().unwrap();
    assert!((amount - deal["Amount"].as_f64().unwrap()).abs() < 1e-6);

    let nobody = "nobody.known@acme.example";
    world.seat(nobody).await;
    let other = Served { seat: SeatId::derived(nobody), ..served };
    let shown = panel(&other, &account).await;
    assert_eq!((&shown["items"], &shown["crm_user"]), (&json!([]), &json!("not_matched")));
    let path = format!("/seats/{}/accounts/{account}/opportunities", SeatId::derived(SELLER));
    let anothers = other.get(&other.token("seat"), &other.connection(&path)).await;
    assert_eq!(anothers.status, StatusCode::FORBIDDEN);
}
