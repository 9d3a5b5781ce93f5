//! The answers to requests that cannot be read, and the effects of requests.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::capabilities::directory::{self, CurrentDirectory};
use shared::store::{Commit, Store};
use shared::testing::Memory;
use tower::ServiceExt;

use super::Served;

#[tokio::test]
async fn a_body_that_cannot_be_read_says_what_is_wrong_with_it() {
    let served = Served::new().await;
    let token = served.token("service");
    let path = "/v1/tenants";
    for (body, status, says) in [
        ("{", StatusCode::BAD_REQUEST, "EOF"),
        (r#"{"name": 1}"#, StatusCode::UNPROCESSABLE_ENTITY, "expected a string"),
        (r#"{"named": "Acme"}"#, StatusCode::UNPROCESSABLE_ENTITY, "unknown field"),
        (r#"{"name": " "}"#, StatusCode::UNPROCESSABLE_ENTITY, "1 to 200 characters"),
    ] {
        let answer = served.call("POST", path, Some(&token), Some(body.to_owned())).await;
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(answer.content_type, "application/problem+json");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{body}: {detail}");
    }
    let runs = served.connection("/runs");
    let runs = served.call("POST", &runs, Some(&token), Some("{".into())).await;
    assert_eq!(runs.status, StatusCode::BAD_REQUEST, "a body that may be left out, too");
    assert_eq!(runs.content_type, "application/problem+json");
    let large = json!({ "name": "x".repeat(300 * 1024) });
    let answer = served.post(&token, path, &large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let served = Served::new().await;
    let token = served.token("service");
    for (method, path, status) in [
        ("GET", "/v1/nothing".to_owned(), StatusCode::NOT_FOUND),
        ("PATCH", "/v1/tenants".to_owned(), StatusCode::METHOD_NOT_ALLOWED),
        ("GET", "/v1/tenants/no-id".to_owned(), StatusCode::NOT_FOUND),
        ("GET", served.connection(""), StatusCode::NOT_FOUND),
    ] {
        let answer = served.call(method, &path, Some(&token), None).await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn an_id_that_can_be_none_names_nothing() {
    let served = Served::new().await;
    let token = served.token("service");
    let nothing = served.get(&token, "/v1/tenants/no-id").await;
    let long = "x".repeat(513);
    for (path, is_one) in [
        ("/matches/Lead/no-id".to_owned(), false),
        ("/matches/Lead/00Q000000000001AAA".to_owned(), false),
        ("/matches/Lead/00Q000000000001EAA".to_owned(), true),
        ("/matches/Lead/00Q000000000001".to_owned(), true),
        ("/matches/Lead/no-id/corrections".to_owned(), false),
        (format!("/entities/person/{long}"), false),
        ("/entities/person/pr_1".to_owned(), true),
    ] {
        let answer = served.get(&token, &served.connection(&path)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        // An id that is one is looked for where nothing is connected.
        assert_eq!(answer.body != nothing.body, is_one, "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_directory_version_that_is_matched_to_is_found_without_its_id() {
    let now = Timestamp::from_second(1_795_294_800).unwrap();
    let ports = Memory::new(now, 1).ports();
    let served = Served::over(ports.clone(), "test/").await;
    let token = served.token("service");
    let path = "/v1/directory/versions/current";
    let none = served.get(&token, path).await;
    assert_eq!((none.status, &none.body["type"]), (StatusCode::NOT_FOUND, &json!("not_found")));

    let new = json!({ "parts": [{ "kind": "people" }] });
    let begun = served.post(&token, "/v1/directory/versions", &new).await.body;
    let version = begun["version"].as_str().unwrap().parse().unwrap();
    let slot = directory::keys::directory_current();
    let mut commit = Commit::new();
    commit.save(&slot, None, &CurrentDirectory { version }).unwrap();
    assert!(Store::new(ports).commit(commit).await.unwrap().is_done());
    let current = served.get(&token, path).await;
    assert_eq!((current.status, &current.body["version"]), (StatusCode::OK, &begun["version"]));
    let refused = served.get(&served.token("admin"), path).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_a_tenant_does_is_what_it_reads() {
    let served = Served::new().await;
    let (service, admin) = (served.token("service"), served.token("admin"));
    let made = served.post(&service, "/v1/tenants", &json!({ "name": "Umbrella" })).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let seat = json!({ "email": "jane@acme.example", "name": "Jane", "time_zone": "Mars/Base" });
    let path = format!("/v1/tenants/{}/seats", served.tenant);
    let answer = served.post(&service, &path, &seat).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "no such time zone");
    let seat = json!({ "email": "jane@acme.example", "name": "Jane", "time_zone": "Asia/Tokyo" });
    assert_eq!(served.post(&service, &path, &seat).await.status, StatusCode::CREATED);
    let seats = served.get(&admin, &path).await.body;
    assert_eq!(seats["items"][0]["time_zone"], "Asia/Tokyo");
    let twin = json!({ "email": " JANE@acme.example", "name": "Janet", "time_zone": "UTC" });
    let refused = served.post(&service, &path, &twin).await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (StatusCode::CONFLICT, &json!("email_taken"))
    );
    let seats = served.get(&admin, &path).await.body;
    assert_eq!(seats["items"].as_array().unwrap().len(), 1, "a refused seat leaves nothing");

    let path = served.connection("/settings");
    let answer = served.call("PATCH", &path, Some(&admin), Some(r#"{"log_notes":false}"#.into()));
    assert_eq!(answer.await.status, StatusCode::OK);
    let settings = served.get(&admin, &path).await.body;
    assert_eq!((&settings["log_notes"], &settings["log_messages"]), (&json!(false), &json!(true)));

    let login = json!({ "login_host": "acme.my.salesforce.com" });
    let begun = served.post(&admin, &served.connection("/authorize"), &login).await;
    let url = begun.body["authorize_url"].as_str().unwrap();
    assert!(url.starts_with("https://acme.my.salesforce.com/services/oauth2/authorize?"), "{url}");
    assert!(url.contains("code_challenge_method=S256"));
    for host in ["login.salesforce.com.evil.example", "127.0.0.1", "acme.lightning.force.com"] {
        let login = json!({ "login_host": host });
        let answer = served.post(&admin, &served.connection("/authorize"), &login).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{host}");
    }
}

#[tokio::test]
async fn the_wizard_is_where_it_was_left() {
    let served = Served::new().await;
    let (admin, path) = (served.token("admin"), served.connection("/wizard"));
    let wizard = served.get(&admin, &path).await.body;
    assert_eq!((&wizard["at"], &wizard["finished"]), (&json!("connect"), &json!(false)));
    let put = async |answer: Value| {
        served.call("PUT", &path, Some(&admin), Some(answer.to_string())).await
    };
    let login = json!({ "step": "connect", "login_host": "acme.my.salesforce.com" });
    assert_eq!(put(login).await.status, StatusCode::OK);
    let evil = json!({ "step": "connect", "login_host": "evil.example" });
    assert_eq!(put(evil).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let early = put(json!({ "step": "roi", "roi": true })).await;
    assert_eq!(
        (early.status, &early.body["type"]),
        (StatusCode::CONFLICT, &json!("not_connected"))
    );
    let wizard = served.get(&admin, &path).await.body;
    assert_eq!(wizard["login_host"], "acme.my.salesforce.com");
    // The authorization begins where the wizard was told to.
    let begun = served.post(&admin, &served.connection("/authorize"), &json!({})).await;
    let url = begun.body["authorize_url"].as_str().unwrap();
    assert!(url.starts_with("https://acme.my.salesforce.com/"), "{url}");
    let back = served.call("POST", &served.connection("/wizard/back"), Some(&admin), None).await;
    assert_eq!(back.body["at"], "connect");
}

#[tokio::test]
async fn what_is_required_is_known_before_a_login() {
    let served = Served::new().await;
    let admin = served.token("admin");
    let permissions = served.get(&admin, &served.connection("/permissions")).await.body;
    assert_eq!(permissions["state"], "not_checked");
    assert_eq!(permissions["required"].as_array().unwrap().len(), 11);
    let network = served.get(&served.token("reporting"), "/v1/network-access").await.body;
    assert_eq!(network["ranges"], json!(["203.0.113.7/32"]));
    let votes = format!("/v1/tenants/{}/crm-votes", served.tenant);
    let statuses = [StatusCode::CREATED, StatusCode::OK];
    for (name, status) in ["Dynamics 365", "dynamics-365"].iter().zip(statuses) {
        let vote = served.post(&admin, &votes, &json!({ "crm": name })).await;
        assert_eq!((vote.status, &vote.body["crm"]), (status, &json!("dynamics_365")));
    }
    let refused = served.post(&admin, &votes, &json!({ "crm": "a#b" })).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(served.get(&admin, &votes).await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_authorization_is_bound_to_the_browser_by_a_cookie_of_this_host() {
    let served = Served::new().await;
    let request = Request::post(served.connection("/authorize"))
        .header(header::AUTHORIZATION, format!("Bearer {}", served.token("admin")))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("{}"));
    let response = served.router.clone().oneshot(request.unwrap()).await.unwrap();
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-crm-sync-"), "{cookie}");
    for attribute in ["Path=/", "Max-Age=600", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
}
