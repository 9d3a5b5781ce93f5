//! An admin chooses what is imported, by the API alone.

use serde_json::{Value, json};
use shared::kernel::Grantee;
use tempfile::TempDir;
use tests::world::World;

use super::{Answer, Served};

/// A connected org with a few custom fields.
pub(super) async fn connected() -> (World, TempDir) {
    let folder = TempDir::new().unwrap();
    let org = json!({
        "my_domain": "chosen",
        "custom_fields": ["Contact.Work_Email__c email", "Contact.Score__c double"],
    });
    std::fs::write(folder.path().join("org.json"), org.to_string()).unwrap();
    let world = World::new(folder.path()).await;
    world.authorize(Grantee::Admin, "admin@chosen.example").await.unwrap();
    world.run().await;
    (world, folder)
}

async fn put(served: &Served, path: &str, body: &Value) -> Answer {
    let path = served.connection(path);
    served.call("PUT", &path, Some(&served.token("admin")), Some(body.to_string())).await
}

async fn get(served: &Served, path: &str) -> Answer {
    served.get(&served.token("admin"), &served.connection(path)).await
}

#[tokio::test]
async fn what_is_imported_is_chosen_looked_at_and_shown() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;

    let fields = get(&served, "/org-fields/Contact").await.body;
    let fields = fields["items"].as_array().unwrap().clone();
    let custom: Vec<_> =
        fields.iter().filter(|f| f["custom"] == true).map(|f| &f["name"]).collect();
    assert_eq!(custom, ["Work_Email__c", "Score__c"]);

    let mapping = json!({ "object": "Contact", "field": "Email", "custom_field": "Work_Email__c" });
    let emails = json!({ "LastName": "A", "Email": "a@x.example", "Work_Email__c": "b@x.example" });
    let contact = world.control().create(&world.org, "Contact", &emails).unwrap();
    let look = json!({ "mapping": mapping, "record_id": contact });
    let path = served.connection("/field-mappings/preview");
    let asked = served.post(&served.token("admin"), &path, &look).await;
    assert_eq!((asked.status.as_u16(), &asked.body["state"]), (202, &json!("asked")));
    world.run().await;
    let shown = get(&served, "/field-mappings/preview").await.body;
    assert_eq!(shown["state"], "ready");
    assert_eq!(shown["values"], json!({ "field": "a@x.example", "custom_field": "b@x.example" }));

    let mapped = put(&served, "/field-mappings", &json!({ "items": [mapping] })).await;
    assert_eq!((mapped.status.as_u16(), &mapped.body["items"]), (200, &json!([mapping])));
    assert!(mapped.body["changes"][0]["at"].is_string());
    // What is shown can be put back as it is.
    let shown = get(&served, "/field-mappings").await.body;
    assert_eq!(put(&served, "/field-mappings", &shown).await.status, 200);
    world.run().await;
    let runs = get(&served, "/runs").await.body;
    // Each of the two asked for a run in the same second; the later one stepped aside.
    let ended = runs["items"].as_array().unwrap().iter().find(|run| run["state"] == "complete");
    let run = ended.unwrap()["run_id"].as_str().unwrap().to_owned();
    let run = get(&served, &format!("/runs/{run}")).await.body;
    assert_eq!(run["objects"]["Contact"]["mapped_fields"], json!({ "Email": "Work_Email__c" }));

    let condition = json!({ "field": "Score__c", "operator": "greater_than", "value": 1.5 });
    let filters = json!({ "items": [{ "object": "Contact", "conditions": [condition] }] });
    let filtered = put(&served, "/record-filters", &filters).await;
    assert_eq!(filtered.body["items"], filters["items"]);
    assert_eq!(get(&served, "/record-filters").await.body["items"], filters["items"]);
    assert_eq!(get(&served, "/account-model").await.body["accounts"], "business");
    let business = put(&served, "/account-model", &json!({ "accounts": "business" })).await;
    assert_eq!(business.status, 200);
}

#[tokio::test]
async fn a_choice_that_the_org_does_not_allow_is_refused_with_every_field_and_reason() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let items = json!([
        { "object": "Contact", "field": "Email", "custom_field": "Nothing__c" },
        { "object": "Contact", "field": "Title", "custom_field": "Score__c" },
    ]);
    let refused = put(&served, "/field-mappings", &json!({ "items": items })).await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.body["detail"],
        "Contact.Email: the org shows the integration user no field Nothing__c; \
         Contact.Title: it holds a text, Score__c is a double"
    );
    let persons = put(&served, "/account-model", &json!({ "accounts": "person" })).await;
    assert_eq!(persons.status, 422);
    // The other environment is not connected, and has nothing to copy.
    let path = served.connection("/field-mappings/copy").replace("production", "sandbox");
    let answer = served.call("POST", &path, Some(&served.token("admin")), None).await;
    assert_eq!(answer.status, 404);
    let nothing = get(&served, "/field-mappings/preview").await;
    assert_eq!(nothing.status, 404);
}
