//! How records come, change, go and come back, and when a reader gets to know.

use serde_json::{Value, json};

use crate::support::{World, world};

async fn ids(world: &World, token: &str, soql: &str) -> Vec<String> {
    let (status, found) = world.query(token, soql).await;
    assert_eq!(status, 200, "{found}");
    found["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["Id"].as_str().unwrap().to_owned())
        .collect()
}

async fn all(world: &World, token: &str, soql: &str) -> Vec<Value> {
    let url = reqwest::Url::parse_with_params(
        "https://acme.my.salesforce.com/services/data/v62.0/queryAll",
        [("q", soql)],
    )
    .unwrap();
    let body: Value =
        world.client.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap();
    body["records"].as_array().unwrap_or_else(|| panic!("{body}")).clone()
}

#[tokio::test]
async fn a_committed_row_is_seen_late_by_queries_but_at_once_by_id() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    world.control.freeze(true);
    world.control.set("acme", &json!({ "visibility_lag_ms": 90_000 })).unwrap();
    let (_, made) = world
        .send("POST", &token, "/sobjects/Lead", &json!({ "LastName": "Late", "Company": "C" }))
        .await;
    let id = made["id"].as_str().unwrap();
    let (status, _) = world
        .send("PATCH", &token, "/sobjects/Account/001000000000001", &json!({ "Name": "New name" }))
        .await;
    assert_eq!(status, 204);
    assert_eq!(world.get(&token, &format!("/sobjects/Lead/{id}")).await.status(), 200);
    assert_eq!(ids(&world, &token, "SELECT Id FROM Lead").await.len(), 1);
    assert_eq!(ids(&world, &token, "SELECT Id FROM Account WHERE Name = 'Globex'").await.len(), 1);
    world.control.advance(91);
    assert_eq!(ids(&world, &token, "SELECT Id FROM Lead").await.len(), 2);
    assert_eq!(ids(&world, &token, "SELECT Id FROM Account WHERE Name = 'Globex'").await.len(), 0);
    // The stamp is that of the commit, which is older than the moment of becoming visible.
    let soql = "SELECT Id FROM Lead WHERE SystemModstamp >= N_DAYS_AGO:0";
    assert_eq!(ids(&world, &token, soql).await.len(), 2);
}

#[tokio::test]
async fn deleting_cascades_and_undeleting_moves_the_stamp() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    world.control.advance(3600);
    world.control.delete("acme", "001000000000001").unwrap();
    assert_eq!(ids(&world, &token, "SELECT Id FROM Account").await.len(), 1);
    assert_eq!(ids(&world, &token, "SELECT Id FROM Opportunity").await.len(), 0);
    let rows =
        all(&world, &token, "SELECT Id, IsDeleted FROM Contact WHERE IsDeleted = true").await;
    assert_eq!(rows.len(), 1);
    let time = |seconds: i64| jiff_text(world.control.now() + seconds * 1000);
    let path = format!("/sobjects/Account/deleted?start={}&end={}", time(-600), time(600));
    let (_, deleted) = world.get_json(&token, &path).await;
    assert_eq!(deleted["deletedRecords"][0]["id"], "001000000000001AAA", "{deleted}");
    let path = format!("/sobjects/Account/deleted?start={}&end={}", time(-20 * 86_400), time(0));
    assert_eq!(world.get_json(&token, &path).await.1[0]["errorCode"], "INVALID_REPLICATION_DATE");
    let before = world.control.record("acme", "001000000000001").unwrap()["SystemModstamp"].clone();
    world.control.advance(60);
    world.control.undelete("acme", "001000000000001").unwrap();
    let after = world.control.record("acme", "001000000000001").unwrap();
    assert_eq!(after["IsDeleted"], false);
    assert!(after["SystemModstamp"].as_str() > before.as_str());
    world.control.delete("acme", "001000000000002").unwrap();
    assert!(world.control.empty_bin("acme").unwrap() >= 1);
    assert!(all(&world, &token, "SELECT Id FROM Account WHERE IsDeleted = true").await.is_empty());
}

fn jiff_text(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[tokio::test]
async fn team_members_and_contact_roles_vanish_without_a_trace_but_one() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let member = json!({ "AccountId": "001000000000001", "UserId": "005000000000002",
        "TeamMemberRole": "Sales Rep" });
    let (status, made) = world.send("POST", &token, "/sobjects/AccountTeamMember", &member).await;
    assert_eq!(status, 201, "{made}");
    let role = json!({ "OpportunityId": "006000000000001", "ContactId": "003000000000001",
        "Role": "Evaluator" });
    let (_, role) = world.send("POST", &token, "/sobjects/OpportunityContactRole", &role).await;
    for (object, made) in [("AccountTeamMember", &made), ("OpportunityContactRole", &role)] {
        let id = made["id"].as_str().unwrap();
        assert_eq!(
            world.send("DELETE", &token, &format!("/sobjects/{object}/{id}"), &json!({})).await.0,
            204
        );
        assert!(all(&world, &token, &format!("SELECT Id FROM {object}")).await.is_empty());
        let (from, to) =
            (jiff_text(world.control.now() - 60_000), jiff_text(world.control.now() + 60_000));
        let (_, deleted) = world
            .get_json(&token, &format!("/sobjects/{object}/deleted?start={from}&end={to}"))
            .await;
        assert_eq!(deleted["deletedRecords"][0]["id"], json!(id));
    }
}

#[tokio::test]
async fn a_merge_names_the_master_and_moves_the_children() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    world.control.merge("acme", "001000000000002", &["001000000000001"]).unwrap();
    let rows =
        all(&world, &token, "SELECT Id, IsDeleted, MasterRecordId FROM Account ORDER BY Id").await;
    assert_eq!(
        (&rows[0]["IsDeleted"], &rows[0]["MasterRecordId"]),
        (&json!(true), &json!("001000000000002AAA"))
    );
    let soql = "SELECT Id FROM Contact WHERE AccountId = '001000000000002'";
    assert_eq!(ids(&world, &token, soql).await.len(), 1);
    assert!(world.control.merge("acme", "001000000000002", &["001000000000001"]).is_err());
}

#[tokio::test]
async fn a_converted_lead_points_to_what_it_became_and_is_closed_to_writes() {
    let world = world().await;
    let token = world.log_in("sam@acme.example").await.access;
    let task = json!({ "Subject": "before", "WhoId": "00Q000000000001" });
    let (_, task) = world.send("POST", &token, "/sobjects/Task", &task).await;
    let became = world
        .control
        .convert_lead("acme", "00Q000000000001", &json!({ "opportunity": "Deal" }))
        .unwrap();
    let (_, lead) = world.get_json(&token, "/sobjects/Lead/00Q000000000001").await;
    assert_eq!(
        (&lead["IsConverted"], &lead["ConvertedContactId"]),
        (&json!(true), &became["contact"])
    );
    let (_, moved) =
        world.get_json(&token, &format!("/sobjects/Task/{}", task["id"].as_str().unwrap())).await;
    assert_eq!(moved["WhoId"], became["contact"]);
    let task = json!({ "Subject": "after", "WhoId": "00Q000000000001" });
    let (status, body) = world.send("POST", &token, "/sobjects/Task", &task).await;
    assert_eq!(
        (status.as_u16(), &body[0]["errorCode"]),
        (400, &json!("CANNOT_UPDATE_CONVERTED_LEAD"))
    );
    let (_, body) = world
        .send("PATCH", &token, "/sobjects/Lead/00Q000000000001", &json!({ "Title": "x" }))
        .await;
    assert_eq!(body[0]["message"], "cannot reference converted lead");
}

#[tokio::test]
async fn archived_activities_hide_from_query_only() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    for (status, day) in
        [("Completed", "2024-01-01"), ("Not Started", "2024-01-01"), ("Completed", "2026-11-01")]
    {
        world
            .control
            .create(
                "acme",
                "Task",
                &json!({ "Subject": "t", "Status": status, "ActivityDate": day }),
            )
            .unwrap();
    }
    assert_eq!(world.control.archive("acme", "2025-11-01").unwrap(), 1);
    assert_eq!(ids(&world, &token, "SELECT Id FROM Task").await.len(), 2);
    assert_eq!(
        all(&world, &token, "SELECT Id, IsArchived FROM Task WHERE IsArchived = true").await.len(),
        1
    );
    let job = world.bulk_job(&token, "SELECT Id FROM Task", "queryAll").await;
    assert_eq!(job["numberRecordsProcessed"], 3);
}

#[tokio::test]
async fn many_rows_may_share_a_stamp_and_a_test_may_set_it() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    for n in 0..10 {
        let fields = json!({ "LastName": format!("T{n}"), "Company": "C",
            "SystemModstamp": "2026-05-05T05:05:05Z" });
        world.control.create("acme", "Lead", &fields).unwrap();
    }
    let soql = "SELECT Id FROM Lead WHERE SystemModstamp = 2026-05-05T05:05:05Z ORDER BY \
         SystemModstamp, Id";
    let found = ids(&world, &token, soql).await;
    assert_eq!(found.len(), 10);
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
    let seen = world
        .get(&token, "/limits/recordCount?sObjects=Lead,Account")
        .await
        .json::<Value>()
        .await
        .unwrap();
    let leads =
        seen["sObjects"].as_array().unwrap().iter().find(|row| row["name"] == "Lead").unwrap();
    assert_eq!(leads["count"], 11);
}

#[tokio::test]
async fn the_recycle_bin_forgets_after_fifteen_days() {
    let world = world().await;
    world.control.delete("acme", "003000000000002").unwrap();
    world.control.advance(14 * 86_400);
    let token = world.log_in("ada@acme.example").await.access;
    assert_eq!(all(&world, &token, "SELECT Id FROM Contact").await.len(), 2);
    world.control.advance(2 * 86_400);
    let token = world.log_in("ada@acme.example").await.access;
    assert_eq!(all(&world, &token, "SELECT Id FROM Contact").await.len(), 1);
    assert!(world.control.undelete("acme", "003000000000002").is_err());
}
