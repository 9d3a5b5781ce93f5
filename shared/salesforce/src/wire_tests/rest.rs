use futures::StreamExt;
use serde_json::{Map, Value as Json, json};
use wiremock::matchers::{body_json, header, header_regex, method, path, query_param};
use wiremock::{Mock, ResponseTemplate};

use super::*;

fn accounts() -> Soql {
    Select::from("Account")
        .fields(["Id", "Name"])
        .filter(Condition::eq("Name", "canary's +&?"))
        .build()
        .unwrap()
}

fn fields(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(fields) => fields,
        other => panic!("not an object: {other}"),
    }
}

fn an_id(text: &str) -> SalesforceId {
    text.parse().unwrap()
}

async fn answer(answer: ResponseTemplate) -> (MockServer, Client) {
    let (server, client) = a_server().await;
    Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    (server, client)
}

fn errors(status: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!([{"errorCode": code, "message": message}]))
}

#[tokio::test]
async fn a_query_goes_to_the_instance_and_its_headers_are_read() {
    let (server, client) = a_server().await;
    Mock::given(method("GET"))
        .and(path("/services/data/v62.0/queryAll"))
        .and(query_param("q", "SELECT Id,Name FROM Account WHERE Name = 'canary\\'s +&?'"))
        .and(header("host", "acme.my.salesforce.com"))
        .and(header("authorization", format!("Bearer {ACCESS_TOKEN}")))
        .and(header("user-agent", format!("crm-sync/{}", env!("CARGO_PKG_VERSION"))))
        .and(header("sforce-call-options", "client=crm-sync"))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("date", "Sat, 21 Nov 2026 21:00:00 GMT")
                .insert_header("sforce-limit-info", "api-usage=18/100000; api-bursts=1/750")
                .set_body_json(json!({"totalSize": 1, "done": true, "records": [
                    {"attributes": {"type": "Account", "url": "/\
                         x"}, "Id": "001000000000001AAA", "Name": "Acme"}]})),
        )
        .expect(1)
        .mount(&server)
        .await;
    let page = client.query(&a_session(), QueryScope::All, &accounts()).await.unwrap();
    assert_eq!(page.observed.api_usage, Some(ApiUsage { used: 18, max: 100_000 }));
    assert_eq!(page.observed.server_date.unwrap().to_string(), "2026-11-21T21:00:00Z");
    assert_eq!(page.value.records[0].text("Name").as_deref(), Some("Acme"));
    assert_eq!(page.value.next, None);
}

#[tokio::test]
async fn pages_follow_one_another_and_stop_after_an_error() {
    let (server, client) = a_server().await;
    let page = |next: Json| {
        ResponseTemplate::new(200)
            .set_body_json(json!({"totalSize": 5, "done": next.is_null(), "nextRecordsUrl": next,
                "records": [{"Id": "001000000000001AAA"}]}))
    };
    Mock::given(path("/services/data/v62.0/query"))
        .respond_with(page(json!("/services/data/v62.0/query/0r8xx-2000")))
        .mount(&server)
        .await;
    Mock::given(path("/services/data/v62.0/query/0r8xx-2000"))
        .respond_with(page(json!("/services/data/v62.0/query/0r8xx-4000")))
        .mount(&server)
        .await;
    Mock::given(path("/services/data/v62.0/query/0r8xx-4000"))
        .respond_with(page(Json::Null))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let session = a_session();
    let soql = accounts();
    let all: Vec<_> = client.query_pages(&session, QueryScope::Live, &soql).collect().await;
    assert!(all.len() == 3 && all.iter().all(Result::is_ok));
    Mock::given(path("/services/data/v62.0/query/0r8xx-4000"))
        .respond_with(errors(400, "INVALID_QUERY_LOCATOR", "invalid query locator"))
        .mount(&server)
        .await;
    let all: Vec<_> = client.query_pages(&session, QueryScope::Live, &soql).collect().await;
    assert_eq!(all.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(all[2].as_ref().unwrap_err().code(), Some("INVALID_QUERY_LOCATOR"));
}

#[tokio::test]
async fn a_next_page_elsewhere_or_nowhere_is_refused() {
    for next in [
        json!("https://evil.com/services/data/v62.0/query/x"),
        json!("//evil.com/services/data/v62.0/query/x"),
        json!("/services/data/v62.0/query/../../../../secur/x"),
        json!("/services/data/v62.0/query/.."),
        json!("/services/data/v62.0/query/x?y"),
        json!("/services/apexrest/x"),
        Json::Null,
    ] {
        let body = json!({"totalSize": 5, "done": false, "nextRecordsUrl": next, "records": []});
        let (_server, client) = answer(ResponseTemplate::new(200).set_body_json(body)).await;
        let error = client.query(&a_session(), QueryScope::Live, &accounts()).await.unwrap_err();
        assert!(matches!(error, SalesforceError::Protocol { .. }), "{next}");
        if let Some(next) = next.as_str() {
            assert!(serde_json::from_value::<QueryLocator>(json!(next)).is_err());
        }
    }
}

#[tokio::test]
async fn an_expired_session_asks_for_another_token() {
    let (_server, client) =
        answer(errors(401, "INVALID_SESSION_ID", "Session expired or invalid")).await;
    let error = client.describe(&a_session(), "Account").await.unwrap_err();
    assert_eq!(error.advice(), Advice::Reauthorize);
    assert_tells_no_secret(&error);
}

#[tokio::test]
async fn the_orgs_limits_are_told_apart() {
    let (_server, client) =
        answer(errors(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")).await;
    let error = client.limits(&a_session()).await.unwrap_err();
    assert!(matches!(error, SalesforceError::Limited { kind: LimitKind::DailyRequests, .. }));
    let (_server, client) =
        answer(errors(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."))
            .await;
    let error = client.limits(&a_session()).await.unwrap_err();
    assert!(matches!(error, SalesforceError::Limited { kind: LimitKind::ConcurrentRequests, .. }));
    let (_server, client) =
        answer(ResponseTemplate::new(429).insert_header("retry-after", "9")).await;
    let after = Some(Duration::from_secs(9));
    assert_eq!(client.limits(&a_session()).await.unwrap_err().advice(), Advice::Retry { after });
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let (elsewhere, _) = answer(ResponseTemplate::new(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = ResponseTemplate::new(status).insert_header("location", elsewhere.uri());
        let (_server, client) = answer(redirect).await;
        let error = client.limits(&a_session()).await.unwrap_err();
        let advice = match status {
            303 => Advice::Reject,
            _ => Advice::Reauthorize,
        };
        assert_eq!(error.advice(), advice, "{error:?}");
    }
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_page_for_people_is_not_taken_for_data() {
    let html = ResponseTemplate::new(200).set_body_raw("<!DOCTYPE html><p>canary</p>", "text/html");
    let (_server, client) = answer(html).await;
    let error = client.limits(&a_session()).await.unwrap_err();
    assert_eq!(error.to_string(), "Salesforce answered status 200 with a page of HTML");
    assert_eq!(error.advice(), Advice::Retry { after: None });
    assert!(error.is_outcome_unknown());
    assert_tells_no_secret(&error);
}

#[tokio::test]
async fn an_error_of_the_network_does_not_repeat_the_query() {
    for address in [a_dead_address().await, a_raw_server(Vec::new()).await] {
        let error = client_to(address)
            .query(&a_session(), QueryScope::Live, &accounts())
            .await
            .unwrap_err();
        assert!(matches!(error, SalesforceError::Transport(_)));
        assert_tells_no_secret(&error);
        assert!(!everything_said(&error).contains("SELECT"));
    }
}

#[tokio::test]
async fn a_write_knows_whether_it_may_have_happened() {
    let lead = fields(json!({"LastName": "canary"}));
    let create = async |client: &Client| {
        client.create(&a_session(), "Lead", &lead, WriteOptions::default()).await.unwrap_err()
    };
    let error = create(&client_to(a_dead_address().await)).await;
    assert!(!error.is_outcome_unknown(), "{error:?}");
    let error = create(&client_to(a_raw_server(Vec::new()).await)).await;
    assert!(error.is_outcome_unknown(), "{error:?}");
    assert_tells_no_secret(&error);
    for (response, unknown) in [
        (ResponseTemplate::new(503), true),
        (errors(500, "UNKNOWN_EXCEPTION", "x"), true),
        (ResponseTemplate::new(201).set_body_string("{"), true),
        (ResponseTemplate::new(201).set_delay(Duration::from_secs(5)), true),
        (ResponseTemplate::new(429), false),
        (errors(400, "UNABLE_TO_LOCK_ROW", "x"), false),
        (errors(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Company]"), false),
    ] {
        let (_server, client) = answer(response).await;
        let error = create(&client).await;
        assert_eq!(error.is_outcome_unknown(), unknown, "{error:?}");
    }
}

#[tokio::test]
async fn a_record_is_created_changed_and_upserted() {
    let (server, client) = a_server().await;
    Mock::given(method("POST"))
        .and(path("/services/data/v62.0/sobjects/Task"))
        .and(header("sforce-auto-assign", "FALSE"))
        .and(header_regex("sforce-duplicate-rule-header", "^allowSave=false"))
        .and(body_json(json!({"Subject": "Call"})))
        .respond_with(
            ResponseTemplate::new(201)
                .set_body_json(json!({"id": "00T000000000001EAA", "success": true, "errors": []})),
        )
        .expect(1)
        .mount(&server)
        .await;
    let session = a_session();
    let task = fields(json!({"Subject": "Call"}));
    let id = client.create(&session, "Task", &task, WriteOptions::default()).await.unwrap().value;
    assert_eq!(id, an_id("00T000000000001"));

    let options = WriteOptions {
        duplicates: DuplicateRuleHandling::AllowSave,
        auto_assign: true,
        if_unmodified_since: Some("2026-01-01T10:00:00.9Z".parse().unwrap()),
    };
    Mock::given(method("PATCH"))
        .and(path("/services/data/v62.0/sobjects/Task/00T000000000001EAA"))
        .and(header_regex("if-unmodified-since", "^Thu, 01 Jan 2026 10:00:00 GMT$"))
        .and(header("sforce-auto-assign", "TRUE"))
        .and(header_regex("sforce-duplicate-rule-header", "^allowSave=true"))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    client.update(&session, "Task", id, &task, options).await.unwrap();

    Mock::given(method("PATCH"))
        .and(path("/services/data/v62.0/sobjects/Task/Marker__c/a%2Fb%20%3F"))
        .respond_with(ResponseTemplate::new(201).set_body_json(
            json!({"id": "00T000000000001EAA", "success": true, "errors": [], "created": true}),
        ))
        .expect(1)
        .mount(&server)
        .await;
    let key = ("Marker__c", "a/b ?");
    let upserted =
        client.upsert(&session, "Task", key, &task, WriteOptions::default()).await.unwrap();
    assert_eq!(upserted.value, (id, true));
}

#[tokio::test]
async fn a_duplicate_rule_stops_a_write_and_names_its_matches() {
    let body = json!([{"duplicateResut": {"allowSave": true,
        "duplicateRule": "Standard_Lead_Duplicate_Rule",
        "duplicateRuleEntityType": "Lead", "errorMessage": "You're creating a duplicate record.",
        "matchResults": [{"entityType": "Contact", "errors": [], "matchEngine": "FuzzyMatchEngine",
            "matchRecords": [{"additionalInformation": [], "fieldDiffs": [],
                "matchConfidence": 97.5,
                "record": {"attributes": {"type": "Contact", "url": "/\
                     x"}, "Id": "003D000000QTYgNIAX"}}],
            "rule": "Standard_Contact_Match_Rule_v1_1", "size": 1, "success": true}]},
        "errorCode": "DUPLICATES_DETECTED", "message": "You're creating a duplicate record."}]);
    let (_server, client) = answer(ResponseTemplate::new(400).set_body_json(body)).await;
    let lead = fields(json!({"LastName": "Doe"}));
    let error =
        client.create(&a_session(), "Lead", &lead, WriteOptions::default()).await.unwrap_err();
    let matches = error.duplicates().unwrap().matches.as_ref().unwrap();
    assert_eq!(matches[0].id, an_id("003D000000QTYgNIAX"));
    assert_eq!(error.advice(), Advice::Reject);
}

#[tokio::test]
async fn each_record_of_a_collection_has_its_own_outcome() {
    let body = json!([
        {"id": "00T000000000001EAA", "success": true, "errors": []},
        {"success": false, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy",
            "fields": []}]},
        {"success": false, "errors": [{"statusCode": "DUPLICATES_DETECTED", "message": "Use one of \
             these?", "fields": []}]},
    ]);
    let (server, client) = answer(ResponseTemplate::new(200).set_body_json(body)).await;
    let record = |subject: &str| NewRecord {
        object: "Task".to_owned(),
        fields: fields(json!({"Subject": subject})),
    };
    let records = ["a", "b", "c"].map(record);
    let session = a_session();
    let rows =
        client.create_all(&session, &records, false, WriteOptions::default()).await.unwrap().value;
    assert_eq!(rows[0], WriteRow::Saved(an_id("00T000000000001")));
    let WriteRow::Failed(errors) = &rows[1] else { panic!("{rows:?}") };
    assert_eq!(errors[0].advice(), Advice::Retry { after: None });
    let WriteRow::Failed(errors) = &rows[2] else { panic!("{rows:?}") };
    assert_eq!(errors[0].advice(), Advice::Reject);
    let sent: Json = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!(sent["allOrNone"], json!(false));
    assert_eq!(sent["records"][2], json!({"attributes": {"type": "Task"}, "Subject": "c"}));

    // Two records sent, three results: nobody knows which is whose.
    let error = client
        .create_all(&session, &records[..2], false, WriteOptions::default())
        .await
        .unwrap_err();
    assert!(error.is_outcome_unknown());
    for given in [vec![], vec![record("x"); 201]] {
        let error =
            client.create_all(&session, &given, false, WriteOptions::default()).await.unwrap_err();
        assert!(matches!(error, SalesforceError::BatchSize { max: 200, .. }));
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn deletions_are_read_with_the_reach_of_the_log() {
    let (server, client) = a_server().await;
    Mock::given(path("/services/data/v62.0/sobjects/Contact/deleted"))
        .and(query_param("start", "2026-01-01T00:00:00.000Z"))
        .and(query_param("end", "2026-01-02T00:00:00.000Z"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "deletedRecords": [{"id": "003D000000QTYgNIAX",
                "deletedDate": "2026-01-01T12:00:00.000+0000"}],
            "earliestDateAvailable": "2025-12-20T00:00:00.000+0000",
            "latestDateCovered": "2026-01-01T23:59:00.000+0000",
        })))
        .mount(&server)
        .await;
    let (start, end) =
        ("2026-01-01T00:00:00Z".parse().unwrap(), "2026-01-02T00:00:00Z".parse().unwrap());
    let deleted = client.deleted(&a_session(), "Contact", start, end).await.unwrap().value;
    assert_eq!(deleted.records[0].deleted_at.to_string(), "2026-01-01T12:00:00Z");
    assert_eq!(deleted.latest_covered.to_string(), "2026-01-01T23:59:00Z");
}

#[tokio::test]
async fn describe_limits_and_counts_are_read() {
    let (server, client) = a_server().await;
    for (at, body) in [
        (
            "sobjects",
            json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [{"name": "Account",
                "queryable": true}]}),
        ),
        (
            "sobjects/Account/describe",
            json!({"name": "Account", "fields": [{"name": "Name", "type": "string"}]}),
        ),
        ("limits", json!({"DailyApiRequests": {"Max": 100, "Remaining": 40}})),
        (
            "limits/recordCount",
            json!({"sObjects": [{"count": 7, "name": "Account"}, {"count": 0, "name": "Lead"}]}),
        ),
        (
            "sobjects/Account/001000000000001AAA",
            json!({"attributes": {"type": "Account"}, "Name": "Acme"}),
        ),
    ] {
        Mock::given(path(format!("/services/data/v62.0/{at}")))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    let session = a_session();
    assert!(client.describe_global(&session).await.unwrap().value[0].queryable);
    assert_eq!(client.describe(&session, "Account").await.unwrap().value.fields[0].kind, "string");
    assert_eq!(
        client.limits(&session).await.unwrap().value.get("DailyApiRequests").unwrap().remaining,
        40
    );
    assert_eq!(
        client.record_counts(&session, &["Account", "Lead"]).await.unwrap().value["Account"],
        7
    );
    let record =
        client.read(&session, "Account", an_id("001000000000001"), &["Name"]).await.unwrap().value;
    assert_eq!(record.text("Name").as_deref(), Some("Acme"));
    let html = ResponseTemplate::new(200).set_body_raw("<p>note</p>", "text/html");
    Mock::given(path("/services/data/v62.0/sobjects/ContentNote/069000000000001AAA/Content"))
        .respond_with(html)
        .mount(&server)
        .await;
    let id = an_id("069000000000001");
    let content = client.read_content(&session, "ContentNote", id, "Content").await.unwrap();
    assert_eq!(content.value, "<p>note</p>");
    let sent = server.received_requests().await.unwrap().len();
    for bad in ["../x", "Account/describe", "", "Account?x"] {
        assert!(matches!(
            client.describe(&session, bad).await,
            Err(SalesforceError::Query(SoqlError::Name(_)))
        ));
    }
    assert_eq!(server.received_requests().await.unwrap().len(), sent);
}
