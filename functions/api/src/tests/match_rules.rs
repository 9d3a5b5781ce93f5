//! An admin says how sure a match must be and what must agree, tries it before, and everything is
//! decided by it.

use axum::http::StatusCode;
use serde_json::{Value, json};
use tests::world::World;

use super::Served;
use super::changes::day;
use super::dry_runs::number;

fn of<'a>(told: &'a Value, object: &str) -> &'a Value {
    let mut objects = told["objects"].as_array().unwrap().iter();
    objects.find(|of| of["object"] == object).unwrap()
}

async fn tried(world: &World, served: &Served, rules: &Value) -> Value {
    let (admin, path) = (served.token("admin"), served.connection("/match-rules/preview"));
    let asked = served.post(&admin, &path, &json!({ "rules": rules })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    world.run().await;
    let told = served.get(&admin, &path).await.body;
    assert!(told["finished_at"].is_string(), "{told}");
    told
}

async fn changed(world: &World, served: &Served, rules: &Value) -> Value {
    let body = json!({ "rules": rules }).to_string();
    let path = served.connection("/match-rules");
    let answer = served.call("PUT", &path, Some(&served.token("admin")), Some(body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    world.run().await;
    answer.body
}

/// How many records of an object are matched, or are duplicates of one that is; and how many are up
/// for review.
async fn decided(served: &Served, object: &str) -> (usize, usize) {
    let path = served.connection("/matches/summary");
    let summary = served.get(&served.token("admin"), &path).await.body;
    let counts = &summary[object];
    assert!(counts.is_object(), "{summary}");
    (number(counts, "matched") + number(counts, "duplicate"), number(counts, "review"))
}

#[tokio::test]
async fn rules_are_tried_and_then_everything_is_decided_by_them() {
    let (world, served, _token, _folder) = day().await;
    let (before, review) = decided(&served, "Lead").await;
    let surer = json!({ "Lead": { "match_at": 0.9995 } });
    let told = tried(&world, &served, &surer).await;
    let lead = of(&told, "Lead");
    assert_eq!(number(lead, "matched"), before);
    assert!(number(lead, "lost") > 0 && number(lead, "gained") == 0, "{lead}");
    assert_eq!(number(lead, "would_match"), before - number(lead, "lost"));
    let contact = of(&told, "Contact");
    assert_eq!(contact["matched"], contact["would_match"], "a rule holds for its object");
    assert_eq!(decided(&served, "Lead").await, (before, review), "nothing was changed");

    let now = changed(&world, &served, &surer).await;
    assert_eq!((&now["revision"], &of(&now, "Lead")["match_at"]), (&json!(1), &json!(0.9995)));
    assert_eq!(of(&now, "Contact")["match_at"], Value::Null);
    let (after, reviewed) = decided(&served, "Lead").await;
    assert_eq!(after, number(lead, "would_match"), "as it was told");
    assert_eq!(reviewed, review + number(lead, "lost"), "what is likely is up for review");
    let lost = lead["lost_examples"][0]["record_id"].as_str().unwrap();
    let path = served.connection(&format!("/matches/Lead/{lost}"));
    let found = served.get(&served.token("admin"), &path).await.body;
    assert_eq!((&found["decision"], &found["entity_id"]), (&json!("review"), &Value::Null));

    // A person's word goes first, and taking the rules back gives what was.
    let entity = lead["lost_examples"][0]["entity_id"].clone();
    let says = json!({ "action": "match", "entity_id": entity });
    let said = served.post(&served.token("admin"), &format!("{path}/corrections"), &says).await;
    assert!(said.status.is_success(), "{}", said.body);
    world.run().await;
    assert_eq!(decided(&served, "Lead").await.0, after + 1);
    changed(&world, &served, &json!({})).await;
    assert_eq!(decided(&served, "Lead").await, (before, review));
}

#[tokio::test]
async fn what_must_agree_is_looked_at_in_the_evidence_of_each_match() {
    let (world, served, _token, _folder) = day().await;
    let rules = json!({ "Contact": { "must_agree": ["title"] } });
    let told = tried(&world, &served, &rules).await;
    let contact = of(&told, "Contact");
    assert!(number(contact, "lost") > 0 && number(contact, "would_match") > 0, "{contact}");
    changed(&world, &served, &rules).await;
    let admin = served.token("admin");
    let matches = served.connection("/matches?object=Contact");
    let mut looked = 0;
    let page = served.get(&admin, &matches).await.body;
    let items = page["items"].as_array().unwrap().iter();
    for matched in items.filter(|of| of["decision"] == "match") {
        let record = matched["record_id"].as_str().unwrap();
        let path = served.connection(&format!("/matches/Contact/{record}"));
        let found = served.get(&admin, &path).await.body;
        let own = |of: &&Value| of["entity_id"] == found["entity_id"];
        let candidate = found["candidates"].as_array().unwrap().iter().find(own).unwrap();
        let mut comparisons = candidate["comparisons"].as_array().unwrap().iter();
        let title = comparisons.find(|of| of["name"] == "title").unwrap();
        assert_eq!(title["exact"], true, "{record}: {title}");
        looked += 1;
    }
    assert!(looked > 0);
}

#[tokio::test]
async fn rules_that_cannot_be_or_were_changed_meanwhile_are_refused() {
    let (world, served, _token, _folder) = day().await;
    let (admin, path) = (served.token("admin"), served.connection("/match-rules"));
    let none = served.get(&admin, &served.connection("/match-rules/preview")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND, "nothing was tried");
    let first = served.get(&admin, &path).await.body;
    let names = of(&first, "Account")["comparisons"].as_array().unwrap();
    assert!(!names.is_empty() && first["revision"] == 0, "{first}");
    for (wrong, told) in [
        (json!({ "Lead": { "match_at": 0.1 } }), "Lead: match_at must be from"),
        (json!({ "Lead": { "must_agree": ["shoe size"] } }), "shoe size is no comparison"),
        (json!({ "Opportunity": { "match_at": 0.9 } }), "Opportunity is not matched"),
    ] {
        let body = json!({ "rules": wrong });
        for (method, path) in [("PUT", path.clone()), ("POST", format!("{path}/preview"))] {
            let answer = served.call(method, &path, Some(&admin), Some(body.to_string())).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
            assert!(answer.body["detail"].as_str().unwrap().contains(told), "{}", answer.body);
        }
    }
    let seller = served.post(&served.token("seat"), &format!("{path}/preview"), &json!({})).await;
    assert_eq!(seller.status, StatusCode::FORBIDDEN);
    let runs = served.connection("/match-runs");
    let count = async || served.get(&admin, &runs).await.body["items"].as_array().unwrap().len();
    let before = count().await;
    changed(&world, &served, &json!({})).await;
    assert_eq!(count().await, before, "no change is no run");
}

/// What an admin chooses among: the org's stages, its record types and the values of its lists.
#[tokio::test]
async fn an_admin_sees_the_orgs_stages_record_types_and_lists() {
    let (world, served, _token, _folder) = day().await;
    let admin = served.token("admin");
    let stages = served.get(&admin, &served.connection("/org-stages")).await.body;
    let items = stages["items"].as_array().unwrap();
    let rows = world.control().records(&world.org, "OpportunityStage", 0, usize::MAX).unwrap();
    assert_eq!(items.len(), rows.len());
    let won = items.iter().find(|stage| stage["name"] == "Closed Won").unwrap();
    assert_eq!((&won["closed"], &won["active"]), (&json!(true), &json!(true)));
    let partner = json!({ "Name": "Partner", "DeveloperName": "Partner", "SobjectType": "Lead",
        "IsActive": true });
    let partner = world.control().create(&world.org, "RecordType", &partner).unwrap();
    let check = served.connection("/permissions/check");
    served.post(&admin, &check, &json!({})).await;
    world.run().await;
    let fields = served.get(&admin, &served.connection("/org-fields/Lead")).await.body;
    let field = |name: &str| {
        let mut items = fields["items"].as_array().unwrap().iter();
        items.find(|field| field["name"] == name).unwrap().clone()
    };
    let sources = field("LeadSource")["values"].as_array().unwrap().clone();
    assert!(sources.iter().any(|of| of["value"] == "Web" && of["active"] == true), "{sources:?}");
    assert_eq!(field("LastName")["values"], json!([]));
    let told = json!([{ "record_type_id": partner, "name": "Partner" }]);
    assert_eq!(fields["record_types"], told);
}
