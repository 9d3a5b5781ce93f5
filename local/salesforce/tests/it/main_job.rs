//! Log in, describe, read, bulk read, write, read back, revoke.

use serde_json::json;

use crate::support::{API, CHALLENGE, REDIRECT, VERIFIER, World, world};

#[tokio::test]
async fn a_person_logs_in_by_the_forms_and_the_code_is_exchanged() {
    let world = world().await;
    let page = world.client.get(World::authorize_url()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("password at all") && page.contains("sam@acme.example"));
    assert!(!page.contains("gone@acme.example"), "only active users are offered");
    let url = "https://login.salesforce.com/services/oauth2/authorize";
    let form = [
        ("response_type", "code"),
        ("client_id", "crm-sync-local"),
        ("redirect_uri", REDIRECT),
        ("scope", "api refresh_token"),
        ("state", "s1"),
        ("code_challenge", CHALLENGE),
        ("username", "ada@acme.example"),
        ("password", "x"),
    ];
    let consent = world.client.post(url).form(&form).send().await.unwrap().text().await.unwrap();
    let ticket =
        consent.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let approve = "https://login.salesforce.com/services/oauth2/approve";
    let form = [("ticket", ticket), ("decision", "approve")];
    let back = world.client.post(approve).form(&form).send().await.unwrap();
    assert_eq!(back.status(), 302);
    let to = reqwest::Url::parse(back.headers()["location"].to_str().unwrap()).unwrap();
    let parameter =
        |name: &str| to.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned();
    assert_eq!(parameter("state"), "s1");
    let (status, body) = world
        .token_call(&[
            ("grant_type", "authorization_code"),
            ("code", &parameter("code")),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ])
        .await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["instance_url"], "https://acme.my.salesforce.com");
    assert!(body["id"].as_str().unwrap().starts_with("https://login.salesforce.com/id/00D"));
    assert!(body.get("expires_in").is_none());
}

#[tokio::test]
async fn records_are_described_queried_and_written() {
    let world = world().await;
    let token = world.log_in("sam@acme.example").await.access;
    let (status, describe) = world.get_json(&token, "/sobjects/Contact/describe").await;
    assert_eq!(status, 200);
    let fields = describe["fields"].as_array().unwrap();
    assert!(
        fields
            .iter()
            .any(|field| field["name"] == "AccountId" && field["referenceTo"][0] == "Account")
    );
    let (_, found) = world
        .query(&token, "SELECT Id, Name, Account.Name, Owner.Name FROM Contact ORDER BY Name")
        .await;
    assert_eq!(found["totalSize"], 2);
    assert_eq!(found["records"][0]["Name"], "Orphan");
    assert!(found["records"][0]["Account"].is_null());
    assert_eq!(found["records"][1]["Account"]["Name"], "Globex");
    assert_eq!(found["records"][1]["Owner"]["Name"], "Ada Admin");

    let task = json!({
        "Subject": "Message sent from Sales \
             Navigator", "WhoId": "003000000000001", "Status": "Completed",
        "ActivityDate": "2026-11-21", "Description": "Hello",
    });
    let (status, created) = world.send("POST", &token, "/sobjects/Task/", &task).await;
    assert_eq!(status, 201, "{created}");
    let id = created["id"].as_str().unwrap();
    let (_, task) = world.get_json(&token, &format!("/sobjects/Task/{id}")).await;
    assert_eq!(task["IsClosed"], true);
    assert_eq!(task["AccountId"], "001000000000001AAA");
    assert_eq!(task["OwnerId"], "005000000000002AAA");
    let writes = world.control.writes("acme").unwrap();
    assert_eq!(writes.len(), 1);
    assert_eq!(
        (writes[0].object.as_str(), writes[0].username.as_str()),
        ("Task", "sam@acme.example")
    );

    let patch = json!({ "Status": "Not Started" });
    assert_eq!(world.send("PATCH", &token, &format!("/sobjects/Task/{id}"), &patch).await.0, 204);
    assert_eq!(
        world.send("DELETE", &token, &format!("/sobjects/Task/{id}"), &json!({})).await.0,
        204
    );
    let (status, gone) = world.get_json(&token, &format!("/sobjects/Task/{id}")).await;
    assert_eq!((status.as_u16(), &gone[0]["errorCode"]), (404, &json!("ENTITY_IS_DELETED")));
}

#[tokio::test]
async fn a_bulk_job_is_read_in_pages_that_resume() {
    let world = world().await;
    for n in 0..2500 {
        let fields = json!({ "LastName": format!("Lead \"{n}\",\nline two"), "Company": "Many" });
        world.control.create("acme", "Lead", &fields).unwrap();
    }
    let token = world.log_in("ada@acme.example").await.access;
    let soql = "SELECT Id, LastName, Owner.Name, CreatedDate, IsConverted FROM Lead";
    let job = world.bulk_job(&token, soql, "queryAll").await;
    assert_eq!(job["numberRecordsProcessed"], 2501);
    assert_eq!(job["apiVersion"], 62.0);
    let id = job["id"].as_str().unwrap();
    let (mut locator, mut rows, mut pages) = (String::new(), 0, 0);
    loop {
        let path = format!("/jobs/query/{id}/results?maxRecords=1000&locator={locator}");
        let page = world.get(&token, &path).await;
        assert_eq!(page.status(), 200);
        let count: usize =
            page.headers()["sforce-numberofrecords"].to_str().unwrap().parse().unwrap();
        let next = page.headers()["sforce-locator"].to_str().unwrap().to_owned();
        let text = page.text().await.unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(
            reader.headers().unwrap(),
            vec!["Id", "LastName", "Owner.Name", "CreatedDate", "IsConverted"]
        );
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), count);
        assert!(records[0][3].ends_with('Z') && &records[0][4] == "false");
        rows += count;
        pages += 1;
        if next == "null" {
            break;
        }
        locator = next;
    }
    assert_eq!((rows, pages), (2501, 3));
    let gone = world.send("DELETE", &token, &format!("/jobs/query/{id}"), &json!({})).await;
    assert_eq!(gone.0, 204);
    assert_eq!(world.get(&token, &format!("/jobs/query/{id}")).await.status(), 404);
}

#[tokio::test]
async fn a_revoked_grant_is_dead_and_limits_are_told() {
    let world = world().await;
    let tokens = world.log_in("ada@acme.example").await;
    let limits = world.get(&tokens.access, "/limits/").await;
    assert_eq!(limits.headers()["sforce-limit-info"], "api-usage=1/1000000");
    assert!(limits.headers().contains_key("date"));
    let revoke = "https://login.salesforce.com/services/oauth2/revoke";
    let answer =
        world.client.post(revoke).form(&[("token", &tokens.refresh)]).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let (status, body) = world.get_json(&tokens.access, "/limits").await;
    assert_eq!((status.as_u16(), &body[0]["errorCode"]), (401, &json!("INVALID_SESSION_ID")));
    assert_eq!(
        world.refresh(&tokens.refresh).await.1["error_description"],
        "expired access/refresh token"
    );
    let grants = world.control.grants("acme").unwrap();
    assert_eq!((grants.len(), grants[0].state), (1, "revoked"));
    let log = serde_json::to_string(&world.control.requests()).unwrap();
    assert!(!log.contains(&tokens.access) && !log.contains(&tokens.refresh));
    assert!(log.contains("/services/data/v62.0/limits"));
    assert!(world.client.get("https://evil.example/").send().await.is_err());
    let other = API.replace("acme", "other");
    assert_eq!(
        world.client.get(format!("{other}/limits")).bearer_auth("x").send().await.unwrap().status(),
        401
    );
}
