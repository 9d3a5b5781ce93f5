//! Before a seller needs it, what they lack in the CRM is named.

use axum::http::StatusCode;
use salesforce_simulator::{FieldPermission, ObjectPermission};
use serde_json::{Value, json};

use super::changes::{at, day};
use super::contact_data::profile;

/// The checks that are not passed: what, on which object, the fields, what to do.
fn lacking(answer: &Value) -> Vec<(&str, &str, &Value, &str)> {
    let checks = answer["checks"].as_array().unwrap().iter();
    let lacking = checks.filter(|check| check["ok"] == false);
    lacking
        .map(|check| {
            let text = |name: &str| check[name].as_str().unwrap();
            (text("action"), text("object"), &check["missing_fields"], text("what_to_do"))
        })
        .collect()
}

#[tokio::test]
async fn a_seller_is_told_before_which_rights_they_lack_of_what_is_turned_on() {
    let (world, served, token, _folder) = day().await;
    let path = at(&served, "/crm/preflight");
    let writes = world.control().writes(&world.org).unwrap().len();
    let ready = served.get(&token, &path).await;
    assert_eq!(
        (ready.status, &ready.body["ready"]),
        (StatusCode::OK, &json!(true)),
        "{}",
        ready.body
    );
    let of: Vec<_> =
        ready.body["checks"].as_array().unwrap().iter().map(|c| &c["action"]).collect();
    assert_eq!(
        of,
        ["log_activities", "log_notes", "create_leads", "create_contacts", "update_contacts"],
        "what the admin has turned on"
    );

    profile(&world, |profile| {
        let none = ObjectPermission { create: false, ..ObjectPermission::default() };
        profile.objects.insert("Lead".to_owned(), none);
        let hidden = ObjectPermission { read: false, ..ObjectPermission::default() };
        profile.objects.insert("Note".to_owned(), hidden);
        let only_read = FieldPermission { read: true, edit: false };
        profile.fields.insert("Task.Description".to_owned(), only_read);
    });
    let told = served.get(&token, &path).await.body;
    assert_eq!(told["ready"], false);
    let lacking = lacking(&told);
    let found: Vec<_> =
        lacking.iter().map(|(action, object, fields, _)| (*action, *object, *fields)).collect();
    assert_eq!(
        found,
        [
            ("log_activities", "Task", &json!(["Description"])),
            ("log_notes", "Note", &json!([])),
            ("create_leads", "Lead", &json!([])),
        ]
    );
    assert!(lacking[0].3.contains("Edit Access"), "{}", lacking[0].3);
    assert!(lacking[1].3.contains("You do not see Note"), "{}", lacking[1].3);
    assert!(lacking[2].3.contains("gives your profile Create"), "{}", lacking[2].3);

    // What is turned off is not asked for.
    world.set(&json!({ "create_leads": false, "log_notes": false })).await;
    let told = served.get(&token, &path).await.body;
    assert_eq!(told["checks"].as_array().unwrap().len(), 3);
    assert_eq!(world.control().writes(&world.org).unwrap().len(), writes, "nothing was written");
}

#[tokio::test]
async fn a_seller_whom_the_crm_refuses_its_api_is_told_so() {
    let (world, served, token, _folder) = day().await;
    profile(&world, |profile| profile.api_enabled = false);
    let told = served.get(&token, &at(&served, "/crm/preflight")).await;
    assert_eq!(told.status, StatusCode::CONFLICT, "{}", told.body);
    assert!(told.body["detail"].as_str().unwrap().contains("API"), "{}", told.body);
}
