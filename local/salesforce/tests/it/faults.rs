//! Planned faults: each does what it says, as often as it says.

use salesforce_simulator::{Fault, FaultKind};
use serde_json::json;

use crate::support::world;

#[tokio::test]
async fn a_dropped_answer_may_hide_a_committed_write() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let post = || {
        let url = "https://acme.my.salesforce.com/services/data/v62.0/sobjects/Task";
        world.client.post(url).bearer_auth(&token).json(&json!({ "Subject": "once" })).send()
    };
    world.control.add_fault(Fault::at("/sobjects/Task", FaultKind::DropBefore));
    assert!(post().await.is_err());
    assert_eq!(world.control.counts("acme").unwrap()["Task"], 0);
    world.control.add_fault(Fault::at("/sobjects/Task", FaultKind::DropAfter).method("POST"));
    assert!(post().await.is_err());
    assert_eq!(world.control.counts("acme").unwrap()["Task"], 1);
    assert_eq!(post().await.unwrap().status(), 201);
    let hits: Vec<u64> = world.control.faults().iter().map(|fault| fault.hits).collect();
    assert_eq!(hits, [1, 1]);
    assert_eq!(world.control.requests().iter().filter(|call| call.status.is_none()).count(), 2);
}

#[tokio::test]
async fn a_lost_rotation_ends_in_a_dead_grant() {
    let world = world().await;
    let tokens = world.log_in("ada@acme.example").await;
    world.control.add_fault(Fault::at("/services/oauth2/token", FaultKind::DropAfter));
    let form = [
        ("client_id", "crm-sync-local"),
        ("client_secret", "crm-sync-local-secret"),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    let url = "https://login.salesforce.com/services/oauth2/token";
    assert!(world.client.post(url).form(&form).send().await.is_err());
    assert_eq!(
        world.refresh(&tokens.refresh).await.1["error_description"],
        "expired access/refresh token"
    );
    assert_eq!(world.control.grants("acme").unwrap()[0].state, "revoked");
}

#[tokio::test]
async fn edges_answer_html_and_sessions_end_in_the_middle() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    for status in [200, 420, 503] {
        world.control.add_fault(Fault::at("/limits", FaultKind::Html { status }));
        let answer = world.get(&token, "/limits").await;
        assert_eq!(answer.status().as_u16(), status);
        assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    }
    world.control.add_fault(Fault::at("/limits", FaultKind::InvalidSession).skip(1));
    assert_eq!(world.get(&token, "/limits").await.status(), 200);
    assert_eq!(world.get(&token, "/limits").await.status(), 401);
    assert_eq!(world.get(&token, "/limits").await.status(), 200);
    let body = r#"[{"errorCode":"UNABLE_TO_LOCK_ROW","message":"own"}]"#.to_owned();
    let kind = FaultKind::Respond { status: 429, body, content_type: None, retry_after: Some(7) };
    world.control.add_fault(Fault::at("/limits", kind));
    let answer = world.get(&token, "/limits").await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()),
        (429, "7")
    );
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()[0]["message"], "own");
    world.control.add_fault(Fault::at("/limits", FaultKind::ClockSkew { seconds: 86_400 }));
    let skewed = world.get(&token, "/limits").await.headers()["date"].to_str().unwrap().to_owned();
    let right = world.get(&token, "/limits").await.headers()["date"].to_str().unwrap().to_owned();
    assert_ne!(skewed[..16], right[..16]);
}

#[tokio::test]
async fn a_page_is_cut_or_drips() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let job = world.bulk_job(&token, "SELECT Id, Name FROM Account", "query").await;
    let path = format!("/jobs/query/{}/results", job["id"].as_str().unwrap());
    let whole = world.get(&token, &path).await.text().await.unwrap();
    world.control.add_fault(Fault::at("*/results", FaultKind::Truncate { bytes: 20 }));
    let cut = world.get(&token, &path).await;
    assert_eq!(cut.headers()["sforce-numberofrecords"], "2");
    assert!(cut.bytes().await.is_err());
    world.control.add_fault(Fault::at("*/results", FaultKind::SlowDrip { bytes: 16, pause_ms: 1 }));
    assert_eq!(world.get(&token, &path).await.text().await.unwrap(), whole);
    world.control.add_fault(Fault::at("/services/data/", FaultKind::Delay { ms: 20 }).times(0));
    let before = std::time::Instant::now();
    assert_eq!(world.get(&token, &path).await.status(), 200);
    assert!(before.elapsed().as_millis() >= 20);
    world.control.remove_faults(None);
    assert!(world.control.faults().is_empty());
}

#[tokio::test]
async fn the_control_api_does_the_same_over_http() {
    let world = world().await;
    let control = world.simulator.control_url();
    let client = &world.client;
    let fault = json!({ "path": "/limits", "kind": "html", "status": 503 });
    assert_eq!(
        client.post(format!("{control}/faults")).json(&fault).send().await.unwrap().status(),
        200
    );
    let token = world.log_in("ada@acme.example").await.access;
    assert_eq!(world.get(&token, "/limits").await.status(), 503);
    let made: serde_json::Value = client
        .post(format!("{control}/orgs/acme/records/Account"))
        .json(&json!({ "Name": "From behind" }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let id = made["id"].as_str().unwrap();
    let url = format!("{control}/orgs/acme/records/Account/{id}");
    assert_eq!(
        client.patch(&url).json(&json!({ "Name": "Other" })).send().await.unwrap().status(),
        200
    );
    assert_eq!(client.delete(&url).send().await.unwrap().status(), 200);
    let record: serde_json::Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!((&record["Name"], &record["IsDeleted"]), (&json!("Other"), &json!(true)));
    let clock = client
        .post(format!("{control}/clock"))
        .json(&json!({ "set": "2027-01-01T00:00:00Z", "freeze": true }));
    let clock: serde_json::Value = clock.send().await.unwrap().json().await.unwrap();
    assert!(clock["now"].as_str().unwrap().starts_with("2027-01-01T00:00:0"));
    for page in ["", "/acme", "/acme/Account", "/acme/Account/001000000000001"] {
        let page = client.get(format!("{control}/simulator{page}")).send().await.unwrap();
        assert_eq!(page.status(), 200);
        assert!(page.text().await.unwrap().contains("Salesforce simulator"));
    }
    let refused = client.get(format!("{control}/orgs/nope/counts")).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.json::<serde_json::Value>().await.unwrap()["error"], "no org `nope`");
}

#[tokio::test]
async fn a_server_may_lie_about_rows_values_and_places() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let job = world.bulk_job(&token, "SELECT Id, Name FROM Account", "query").await;
    let path = format!("/jobs/query/{}/results", job["id"].as_str().unwrap());
    world.control.add_fault(Fault::at("*/results", FaultKind::CutRows { rows: 1 }));
    let cut = world.get(&token, &path).await;
    assert_eq!(cut.headers()["sforce-numberofrecords"], "2");
    assert_eq!(cut.text().await.unwrap().lines().count(), 2, "the header and one row");
    let kind = FaultKind::SetJson { pointer: "/DailyApiRequests/Max".into(), value: json!(1) };
    world.control.add_fault(Fault::at("/limits", kind));
    assert_eq!(world.get_json(&token, "/limits").await.1["DailyApiRequests"]["Max"], 1);
    let location = "https://elsewhere.my.salesforce.com/limits".to_owned();
    world.control.add_fault(Fault::at("/limits", FaultKind::Redirect { status: 301, location }));
    let moved = world.get(&token, "/limits").await;
    assert_eq!(moved.status(), 301);
    assert_eq!(moved.headers()["location"], "https://elsewhere.my.salesforce.com/limits");
}
