//! Logging the past over HTTP: a dry run, what the CRM has already, and what a call may not be.

use axum::http::StatusCode;
use serde_json::{Value, json};
use tests::world::World;

use super::Served;
use super::sellers::{day, matched};

const DAY: &str = "2026-11-10";

fn past_activity(key: &str, person: &str, body: &str) -> Value {
    json!({ "idempotency_key": key, "activity": {
        "kind": "message", "entity_kind": "person", "entity_id": person, "body": body,
        "occurred_at": format!("{DAY}T15:00:00Z"),
    } })
}

/// A seller logs a message in the CRM itself, and an import sees it.
async fn by_hand(world: &World, served: &Served, contact: &str, body: &str) -> String {
    let slot = world.keys().await.seat_grant(served.seat);
    let grant = world.documents().await.read(&slot).await.unwrap().unwrap();
    let fields = json!({
        "Subject": "Message sent from Sales Navigator", "Description": body,
        "ActivityDate": DAY, "WhoId": contact, "OwnerId": grant.user_id,
    });
    let task = world.control().create(&world.org, "Task", &fields).unwrap();
    world.control().advance(3600);
    let asked = served.post(&served.token("admin"), &served.connection("/runs"), &json!({})).await;
    assert!(asked.status.is_success(), "{}", asked.body);
    world.run().await;
    task
}

#[tokio::test]
async fn a_seller_tries_the_past_dry_and_logs_what_the_crm_does_not_have() {
    let (world, served, token, _folder) = day().await;
    let (contact, person) = matched(&served, "Contact").await;
    let task = by_hand(&world, &served, &contact, "Shall we talk?").await;
    let path = served.connection("/activities/retroactive");
    let past = [
        past_activity("1", &person, "Shall we talk?"),
        past_activity("2", &person, "See you"),
        past_activity("3", &person, " "),
    ];
    let call = |dry_run: bool| json!({ "dry_run": dry_run, "activities": past });
    let told = served.post(&token, &path, &call(true)).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    let items = told.body["items"].as_array().unwrap();
    let outcomes: Vec<_> = items.iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["dry_run", "dry_run", "refused"]);
    let row = &items[0]["alike"][0];
    assert_eq!((&row["object"], &row["record_id"]), (&json!("Task"), &json!(task)));
    assert!(row["record_url"].as_str().unwrap().ends_with(task.as_str()), "{row}");
    assert_eq!(items[0]["would_be"]["state"], "queued");
    assert_eq!(items[2]["problem"]["detail"], "body is empty");
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 0, "nothing was done");

    for _ in 0..2 {
        let told = served.post(&token, &path, &call(false)).await;
        world.run().await;
        let items = told.body["items"].as_array().unwrap();
        let mut states = Vec::new();
        for item in &items[..2] {
            assert_eq!(item["outcome"], "taken_in");
            let id = item["activity"]["activity_id"].as_str().unwrap();
            let shown = served.get(&token, &served.connection(&format!("/activities/{id}"))).await;
            states.push(shown.body["state"].clone());
            if shown.body["state"] == "logged_before" {
                assert_eq!(shown.body["salesforce_id"], json!(task));
            }
        }
        assert_eq!(states, ["logged_before", "logged"]);
        assert_eq!(items[2]["outcome"], "refused");
    }
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_for_the_past_has_one_to_a_hundred_deeds_each_with_a_key_of_its_own() {
    let (_world, served, token, _folder) = day().await;
    let path = served.connection("/activities/retroactive");
    let many =
        |n: usize| (0..n).map(|n| past_activity(&n.to_string(), "pr_1", "Hi")).collect::<Vec<_>>();
    for (past, why) in [
        (many(0), "from 1 to 100 activities are logged at once"),
        (many(101), "from 1 to 100 activities are logged at once"),
        (
            vec![past_activity("1", "pr_1", "a"), past_activity(" 1", "pr_1", "b")],
            "an idempotency_key stands twice in the call",
        ),
        (
            vec![past_activity("1", "pr_1", "a"), past_activity(" ", "pr_1", "b")],
            "an idempotency_key has 1 to 200 characters",
        ),
    ] {
        let told = served.post(&token, &path, &json!({ "activities": past })).await;
        assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", told.body);
        assert_eq!(told.body["detail"], why);
    }
    let at_once = served.post(&token, &path, &json!({ "activities": many(100) })).await;
    assert_eq!(at_once.status, StatusCode::OK, "{}", at_once.body);
    assert_eq!(at_once.body["items"].as_array().unwrap().len(), 100);
}
