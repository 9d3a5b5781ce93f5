//! A user's permissions drive describe, queries and writes alike.

use salesforce_simulator::{FieldPermission, ObjectPermission, Profile};
use serde_json::{Value, json};

use crate::support::{World, world};

async fn seller(world: &World, profile: Profile) -> String {
    let name = profile.name.clone();
    world.control.put_profile("acme", profile).unwrap();
    world.control.assign_profile("acme", "sam@acme.example", &name).unwrap();
    world.log_in("sam@acme.example").await.access
}

fn sales_user() -> Profile {
    let mut profile = Profile {
        name: "Sales User".to_owned(),
        view_all_data: false,
        modify_all_data: false,
        ..Profile::default()
    };
    profile.view_roles = false;
    profile.objects.insert(
        "Lead".to_owned(),
        ObjectPermission { read: false, create: false, edit: false, delete: false },
    );
    profile.objects.insert(
        "Account".to_owned(),
        ObjectPermission { create: false, edit: false, delete: false, ..Default::default() },
    );
    profile.fields.insert("Contact.Email".to_owned(), FieldPermission { read: false, edit: false });
    profile.fields.insert("Contact.Title".to_owned(), FieldPermission { read: true, edit: false });
    profile
}

fn code(body: &Value) -> &str {
    body[0]["errorCode"].as_str().unwrap()
}

#[tokio::test]
async fn hidden_fields_and_objects_do_not_exist() {
    let world = world().await;
    let token = seller(&world, sales_user()).await;
    let (_, contact) = world.get_json(&token, "/sobjects/Contact/describe").await;
    let fields = contact["fields"].as_array().unwrap();
    assert!(!fields.iter().any(|field| field["name"] == "Email"));
    let title = fields.iter().find(|field| field["name"] == "Title").unwrap();
    assert_eq!((&title["createable"], &title["updateable"]), (&json!(false), &json!(false)));
    let (status, body) = world.query(&token, "SELECT Id, Email FROM Contact").await;
    assert_eq!((status.as_u16(), code(&body)), (400, "INVALID_FIELD"));
    assert!(
        body[0]["message"].as_str().unwrap().contains("No such column 'Email' on entity 'Contact'")
    );
    for object in ["Lead", "UserRole"] {
        let (status, body) = world.get_json(&token, &format!("/sobjects/{object}/describe")).await;
        assert_eq!((status.as_u16(), code(&body)), (404, "NOT_FOUND"));
        let (_, body) = world.query(&token, &format!("SELECT Id FROM {object}")).await;
        assert_eq!(code(&body), "INVALID_TYPE");
    }
    let (_, all) = world.get_json(&token, "/sobjects").await;
    assert!(!all["sobjects"].as_array().unwrap().iter().any(|object| object["name"] == "Lead"));
    let (_, account) = world.get_json(&token, "/sobjects/Account/describe").await;
    assert_eq!((&account["createable"], &account["queryable"]), (&json!(false), &json!(true)));
    let (_, record) = world.get_json(&token, "/sobjects/Contact/003000000000001").await;
    assert!(record.get("Email").is_none() && record.get("LastName").is_some());
}

#[tokio::test]
async fn writes_beyond_the_permissions_are_refused() {
    let world = world().await;
    let token = seller(&world, sales_user()).await;
    let (_, body) = world
        .send("POST", &token, "/sobjects/Contact", &json!({ "LastName": "A", "Title": "B" }))
        .await;
    assert_eq!(
        (code(&body), &body[0]["fields"]),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", &json!(["Title"]))
    );
    let (_, body) = world
        .send(
            "POST",
            &token,
            "/sobjects/Contact",
            &json!({ "LastName": "A", "Email": "a@b.example" }),
        )
        .await;
    assert_eq!(code(&body), "INVALID_FIELD");
    let (status, body) = world
        .send("PATCH", &token, "/sobjects/Account/001000000000001", &json!({ "Name": "X" }))
        .await;
    assert_eq!((status.as_u16(), code(&body)), (400, "INSUFFICIENT_ACCESS_OR_READONLY"));
    world.control.set("acme", &json!({ "readonly_status": 403 })).unwrap();
    let (status, _) =
        world.send("DELETE", &token, "/sobjects/Account/001000000000001", &json!({})).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn sharing_hides_rows_and_says_so_on_request() {
    let world = world().await;
    let token = seller(&world, sales_user()).await;
    world.control.set("acme", &json!({ "private_objects": ["Account"] })).unwrap();
    let (_, found) = world.query(&token, "SELECT Id FROM Account").await;
    assert_eq!(found["totalSize"], 1, "only the seller's own");
    let ids = "'001000000000001','001000000000002'";
    let soql = format!(
        "SELECT RecordId, HasReadAccess, HasEditAccess FROM UserRecordAccess WHERE UserId = \
         '005000000000002AAA' AND RecordId IN ({ids})"
    );
    let (_, rights) = world.query(&token, &soql).await;
    let reads: Vec<bool> = rights["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["HasReadAccess"].as_bool().unwrap())
        .collect();
    assert_eq!(reads, [true, false]);
    assert_eq!(world.get(&token, "/sobjects/Account/001000000000002").await.status(), 404);
    let task = json!({ "Subject": "x", "WhatId": "001000000000002" });
    let (_, body) = world.send("POST", &token, "/sobjects/Task", &task).await;
    assert_eq!(code(&body), "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY");
    let job = world.bulk_job(&token, "SELECT Id FROM Account", "queryAll").await;
    assert_eq!(job["numberRecordsProcessed"], 1);
    world
        .control
        .set(
            "acme",
            &json!({ "private_objects": [],
        "hidden_records": { "005000000000002AAA": ["001000000000001AAA"] } }),
        )
        .unwrap();
    let (_, found) = world.query(&token, "SELECT Id FROM Account").await;
    assert_eq!(found["records"][0]["Id"], "001000000000002AAA");
}

#[tokio::test]
async fn features_come_and_go() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    assert_eq!(world.query(&token, "SELECT Id, UserId FROM AccountTeamMember").await.0, 200);
    assert_eq!(world.query(&token, "SELECT CurrencyIsoCode FROM Account").await.0, 400);
    let features = json!({ "account_teams": false, "multi_currency": true, "person_accounts": true,
        "enhanced_notes": false });
    world.control.set("acme", &features).unwrap();
    assert_eq!(
        code(&world.query(&token, "SELECT Id FROM AccountTeamMember").await.1),
        "INVALID_TYPE"
    );
    assert_eq!(world.get(&token, "/sobjects/AccountTeamMember/describe").await.status(), 404);
    assert_eq!(world.get(&token, "/sobjects/ContentNote/describe").await.status(), 404);
    let (status, found) =
        world.query(&token, "SELECT CurrencyIsoCode, IsPersonAccount FROM Account").await;
    assert_eq!(status, 200, "{found}");
    let (_, found) =
        world.query(&token, "SELECT IsoCode FROM CurrencyType WHERE IsCorporate = true").await;
    assert_eq!(found["records"][0]["IsoCode"], "USD");
    let (status, made) = world
        .send(
            "POST",
            &token,
            "/sobjects/Account",
            &json!({ "FirstName": "Pat", "LastName": "Person", "PersonEmail": "pat@p.example" }),
        )
        .await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    let soql =
        format!("SELECT Name, IsPersonAccount, PersonContactId FROM Account WHERE Id = '{id}'");
    let (_, found) = world.query(&token, &soql).await;
    let account = &found["records"][0];
    assert_eq!(
        (&account["Name"], &account["IsPersonAccount"]),
        (&json!("Pat Person"), &json!(true))
    );
    let contact = account["PersonContactId"].as_str().unwrap();
    let (_, found) = world.get_json(&token, &format!("/sobjects/Contact/{contact}")).await;
    assert_eq!((&found["Email"], &found["AccountId"]), (&json!("pat@p.example"), &json!(id)));
    let (status, _) = world
        .send("PATCH", &token, &format!("/sobjects/Contact/{contact}"), &json!({ "LastName": "X" }))
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn an_edition_decides_about_the_api_teams_and_calls() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let calls = async || {
        world.get_json(&token, "/limits").await.1["DailyApiRequests"]["Max"].as_u64().unwrap()
    };
    let set = |edition: &str| {
        let settings = json!({ "edition": edition, "daily_api_limit": null });
        world.control.set("acme", &settings).unwrap();
    };
    // Two active users.
    for (edition, expected) in [
        ("Enterprise Edition", 102_000),
        ("Unlimited Edition", 110_000),
        ("Professional Edition", 102_000),
        ("Developer Edition", 15_000),
    ] {
        set(edition);
        assert_eq!(calls().await, expected, "{edition}");
    }
    set("Professional Edition");
    let teams = world.query(&token, "SELECT Id FROM AccountTeamMember").await.1;
    assert_eq!(code(&teams), "INVALID_TYPE");
    set("Essentials Edition");
    assert_eq!(code(&world.get_json(&token, "/limits").await.1), "API_DISABLED_FOR_ORG");
}
