//! Queries: pages, errors, versions, limits, bulk jobs.

use serde_json::{Value, json};

use crate::support::{API, World, world};

fn code(body: &Value) -> &str {
    body[0]["errorCode"].as_str().unwrap()
}

fn many_leads(world: &World, count: usize) {
    let leads: Vec<Value> =
        (0..count).map(|n| json!({ "LastName": format!("L{n:05}"), "Company": "C" })).collect();
    world.control.load_org(json!({ "my_domain": "big", "records": { "Lead": leads } })).unwrap();
}

#[tokio::test]
async fn pages_follow_the_locator_and_the_hint() {
    let world = world().await;
    many_leads(&world, 4500);
    let token = world.control.access_token("big", "admin@big.example").unwrap();
    let base = "https://big.my.salesforce.com";
    let mut url = format!(
        "{base}/services/data/v62.0/query/?q=SELECT+LastName+FROM+Lead+ORDER+BY+LastName+DESC"
    );
    let (mut rows, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let request = world
            .client
            .get(&url)
            .bearer_auth(&token)
            .header("Sforce-Query-Options", "batchSize=1500");
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        let records = body["records"].as_array().unwrap();
        sizes.push(records.len());
        rows.extend(records.iter().map(|row| row["LastName"].as_str().unwrap().to_owned()));
        match body["nextRecordsUrl"].as_str() {
            // A client that repeats the query beside the locator must not start over.
            Some(next) => url = format!("{base}{next}?q=SELECT+Id+FROM+Lead"),
            None => break,
        }
    }
    assert_eq!(sizes, [1500, 1500, 1500]);
    let expected: Vec<String> = (0..4500).rev().map(|n| format!("L{n:05}")).collect();
    assert_eq!(rows, expected);
    let bad = world
        .client
        .get(format!("{base}/services/data/v62.0/query/0r8xx-2000"))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let body: Value = bad.json().await.unwrap();
    assert_eq!(code(&body), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn conditions_find_what_they_should() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    for (soql, count) in [
        ("SELECT COUNT() FROM Contact", 2),
        ("SELECT Id FROM Account WHERE Name = 'globex'", 1),
        ("SELECT Id FROM Account WHERE Name LIKE '%\"inc\"'", 1),
        ("SELECT Id FROM Contact WHERE AccountId = null", 1),
        ("SELECT Id FROM Contact WHERE Account.BillingCity = 'Berlin'", 1),
        ("SELECT Id FROM Contact c WHERE c.Account.Owner.Email = 'sam@acme.example'", 1),
        ("SELECT Id FROM Opportunity WHERE IsClosed = false AND CloseDate >= 2026-01-01", 1),
        ("SELECT Id FROM Opportunity WHERE CloseDate < LAST_N_YEARS:2 OR IsWon = TRUE", 1),
        ("SELECT Id FROM Account WHERE AnnualRevenue > 999999.5", 1),
        ("SELECT Id FROM Account WHERE AnnualRevenue != 1000000", 1),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity WHERE IsWon = \
             true)",
            1,
        ),
        ("SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)", 1),
        ("SELECT Id FROM User WHERE IsActive = false OR (NOT Name LIKE 'A%')", 2),
        (
            "SELECT Id FROM Account WHERE SystemModstamp > 2020-01-01T00:00:00Z AND CreatedDate = \
             TODAY",
            2,
        ),
        ("SELECT Id FROM Account WHERE Id > '001000000000001AAA' ORDER BY Id LIMIT 5", 1),
        ("SELECT FIELDS(ALL) FROM Contact LIMIT 200", 2),
    ] {
        let (status, found) = world.query(&token, soql).await;
        assert_eq!((status.as_u16(), &found["totalSize"]), (200, &json!(count)), "{soql} {found}");
    }
    let (_, found) =
        world.query(&token, "SELECT BillingAddress, Owner.Type FROM Account ORDER BY Id").await;
    assert_eq!(found["records"][0]["BillingAddress"]["city"], "Berlin");
    assert_eq!(found["records"][0]["Owner"]["Type"], "User");
}

#[tokio::test]
async fn bad_queries_are_told_in_salesforces_words() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    for (soql, expected, text) in [
        (
            "SELECT Foo FROM Account",
            "INVALID_FIELD",
            "\nSELECT Foo FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo' on \
             entity 'Account'",
        ),
        ("SELECT Id FROM Foo", "INVALID_TYPE", "sObject type 'Foo' is not supported"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        (
            "SELECT IsDeleted FROM User",
            "INVALID_FIELD",
            "No such column 'IsDeleted' on entity 'User'",
        ),
        ("SELECT CreatedDate FROM UserRole", "INVALID_FIELD", "No such column"),
        (
            "SELECT Bar.Name FROM Contact",
            "INVALID_FIELD",
            "Didn't understand relationship 'Bar' in field path",
        ),
        (
            "SELECT Id FROM Account WHERE IsDeleted = 'true'",
            "INVALID_FIELD",
            "must be of type boolean and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > '2026-01-01'",
            "INVALID_FIELD",
            "must be of type dateTime and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE Id = 'abc'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid ID field: abc",
        ),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        (
            "SELECT Id FROM ContentDocumentLink",
            "MALFORMED_QUERY",
            "Implementation restriction: ContentDocumentLink requires a filter",
        ),
        ("SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT Id, Id FROM Contact", "MALFORMED_QUERY", "duplicate field selected: Id"),
    ] {
        let (status, body) = world.query(&token, soql).await;
        assert_eq!((status.as_u16(), code(&body)), (400, expected), "{soql}");
        let message = body[0]["message"].as_str().unwrap();
        assert!(message.contains(text), "{soql}: {message}");
    }
}

#[tokio::test]
async fn bulk_refuses_what_it_cannot_do_and_aborts() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    for (soql, expected, text) in [
        (
            "SELECT Id, BillingAddress FROM Account",
            "API_ERROR",
            "Selecting compound data not supported in Bulk Query",
        ),
        ("SELECT Id, Title FROM ContentNote", "INVALIDENTITY", "is not supported by the Bulk API"),
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column"),
    ] {
        let (status, body) = world
            .send("POST", &token, "/jobs/query", &json!({ "operation": "query", "query": soql }))
            .await;
        assert_eq!((status.as_u16(), code(&body)), (400, expected), "{soql}");
        assert!(body[0]["message"].as_str().unwrap().contains(text));
    }
    world.control.set("acme", &json!({ "bulk_latency_ms": 60_000 })).unwrap();
    let job = json!({ "operation": "query", "query": "SELECT Id FROM Account", "lineEnding": "CRLF",
        "columnDelimiter": "PIPE" });
    let (_, created) = world.send("POST", &token, "/jobs/query", &job).await;
    let path = format!("/jobs/query/{}", created["id"].as_str().unwrap());
    let (status, body) = world.get_json(&token, &format!("{path}/results")).await;
    assert_eq!((status.as_u16(), code(&body)), (400, "INVALIDJOBSTATE"));
    assert_eq!(code(&world.send("DELETE", &token, &path, &json!({})).await.1), "API_ERROR");
    world.control.advance(31);
    assert_eq!(world.get_json(&token, &path).await.1["state"], "InProgress");
    world.control.advance(31);
    assert_eq!(world.get_json(&token, &path).await.1["state"], "JobComplete");
    let text = world.get(&token, &format!("{path}/results")).await.text().await.unwrap();
    assert_eq!(text, "\"Id\"\r\n\"001000000000001AAA\"\r\n\"001000000000002AAA\"\r\n");
    let other = API.replace("v62.0", "v61.0") + &path + "/results";
    assert_eq!(world.client.get(other).bearer_auth(&token).send().await.unwrap().status(), 409);
    let stranger = world.log_in("sam@acme.example").await.access;
    assert_eq!(world.get(&stranger, &path).await.status(), 404);
    let (_, second) = world.send("POST", &token, "/jobs/query", &job).await;
    let second = format!("/jobs/query/{}", second["id"].as_str().unwrap());
    let abort = json!({ "state": "Aborted" });
    assert_eq!(world.send("PATCH", &token, &second, &abort).await.1["state"], "Aborted");
    assert_eq!(code(&world.send("PATCH", &token, &path, &abort).await.1), "INVALIDJOBSTATE");
    world.control.advance(8 * 86_400);
    let token = world.log_in("ada@acme.example").await.access;
    assert_eq!(world.get(&token, &path).await.status(), 404);
}

#[tokio::test]
async fn a_bulk_job_fails_when_it_is_told_to() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    world.control.set("acme", &json!({ "bulk_failures": ["QUERY_TIMEOUT: too slow"] })).unwrap();
    let body = json!({ "operation": "query", "query": "SELECT Id FROM Account" });
    let (_, made) = world.send("POST", &token, "/jobs/query", &body).await;
    let path = format!("/jobs/query/{}", made["id"].as_str().unwrap());
    world.control.advance(60);
    let (_, job) = world.get_json(&token, &path).await;
    assert_eq!(
        (&job["state"], &job["errorMessage"]),
        (&json!("Failed"), &json!("QUERY_TIMEOUT: too slow"))
    );
    assert_eq!(world.get(&token, &format!("{path}/results")).await.status(), 400);
    let again = world.bulk_job(&token, "SELECT Id FROM Account", "query").await;
    assert_eq!(again["numberRecordsProcessed"], 2);
}

#[tokio::test]
async fn result_pages_are_named_for_parallel_readers() {
    let world = world().await;
    many_leads(&world, 70);
    world.control.set("big", &json!({ "bulk_page_rows": 10 })).unwrap();
    let token = world.control.access_token("big", "admin@big.example").unwrap();
    let base = "https://big.my.salesforce.com";
    let jobs = format!("{base}/services/data/v62.0/jobs/query");
    let job = json!({ "operation": "query", "query": "SELECT Id FROM Lead" });
    let made: Value = world
        .client
        .post(&jobs)
        .bearer_auth(&token)
        .json(&job)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let mut next = Some(format!(
        "/services/data/v62.0/jobs/query/{}/resultPages",
        made["id"].as_str().unwrap()
    ));
    let mut rows = std::collections::BTreeSet::new();
    while let Some(url) = next {
        let pages: Value = world
            .client
            .get(format!("{base}{url}"))
            .bearer_auth(&token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        for page in pages["resultPages"].as_array().unwrap() {
            let url = format!("{base}{}", page["resultUrl"].as_str().unwrap());
            let text = world
                .client
                .get(url)
                .bearer_auth(&token)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
            rows.extend(text.lines().skip(1).map(str::to_owned));
        }
        next = pages["nextRecordsUrl"].as_str().map(str::to_owned);
        assert_eq!(pages["done"].as_bool(), Some(next.is_none()));
    }
    assert_eq!(rows.len(), 70);
}

#[tokio::test]
async fn versions_quotas_and_unknown_paths() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let at = |version: &str| {
        world.client.get(API.replace("v62.0", version) + "/limits").bearer_auth(&token).send()
    };
    assert_eq!(at("v29.0").await.unwrap().status(), 410);
    assert_eq!(at("v31.0").await.unwrap().status(), 200);
    assert_eq!(at("v99.0").await.unwrap().status(), 404);
    let versions =
        world.client.get("https://acme.my.salesforce.com/services/data/").send().await.unwrap();
    assert!(!versions.headers().contains_key("sforce-limit-info"));
    let versions: Value = versions.json().await.unwrap();
    assert!(versions.as_array().unwrap().iter().any(|version| version["version"] == "62.0"));
    assert_eq!(world.get(&token, "/nonsense").await.status(), 404);
    let long = "x".repeat(17_000);
    assert_eq!(world.get(&token, &format!("/query?q={long}")).await.status(), 414);
    world.control.set("acme", &json!({ "daily_api_limit": 100 })).unwrap();
    world.control.spend_calls("acme", 97).unwrap();
    let last = world.get(&token, "/limits").await;
    assert_eq!(last.headers()["sforce-limit-info"], "api-usage=100/100");
    let (status, body) = world.get_json(&token, "/limits").await;
    assert_eq!((status.as_u16(), code(&body)), (403, "REQUEST_LIMIT_EXCEEDED"));
    assert_eq!(body[0]["message"], "TotalRequests Limit exceeded.");
    world.control.advance(25 * 3600);
    let token = world.log_in("ada@acme.example").await.access;
    assert_eq!(world.get(&token, "/limits").await.status(), 200);
}

#[tokio::test]
async fn a_day_is_the_users_day() {
    let world = world().await;
    // 07:30 UTC: in Los Angeles the day before, in Tokyo the afternoon.
    world.control.set_time("2026-11-22T07:30:00Z").unwrap();
    world.control.create("acme", "Lead", &json!({ "LastName": "New", "Company": "C" })).unwrap();
    let new = "SELECT COUNT() FROM Lead WHERE LastName = 'New' AND CreatedDate = ";
    for (zone, at, day, found) in [
        ("America/Los_Angeles", "2026-11-22T07:45:00Z", "TODAY", 1),
        ("America/Los_Angeles", "2026-11-22T08:15:00Z", "TODAY", 0),
        ("America/Los_Angeles", "2026-11-22T08:15:00Z", "YESTERDAY", 1),
        ("Asia/Tokyo", "2026-11-22T14:45:00Z", "TODAY", 1),
        ("Asia/Tokyo", "2026-11-22T15:15:00Z", "TODAY", 0),
    ] {
        world.control.set_time(at).unwrap();
        let change = json!({ "TimeZoneSidKey": zone });
        world.control.update("acme", "005000000000001", &change).unwrap();
        let token = world.control.access_token("acme", "ada@acme.example").unwrap();
        let (_, answer) = world.query(&token, &format!("{new}{day}")).await;
        assert_eq!(answer["totalSize"], found, "{zone} {at} {day}");
    }
}
