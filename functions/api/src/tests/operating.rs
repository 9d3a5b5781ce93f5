//! What who runs the product asks for: all tenants, links to the console, the directory's versions,
//! the queues. And the console's own way in.

use axum::http::header::AUTHORIZATION;
use shared::capabilities::seats::Role;
use shared::capabilities::sessions::{LinkText, Visitor};

use super::*;

#[tokio::test]
async fn all_tenants_are_listed_with_the_state_of_their_connections() {
    let served = Served::new().await;
    let service = served.token("service");
    let made = served.post(&service, "/v1/tenants", &json!({ "name": "Globex" })).await;
    let id = made.body["tenant_id"].clone();
    let all = served.get(&service, "/v1/tenants").await;
    assert_eq!((all.status, &all.body["next"]), (StatusCode::OK, &Value::Null));
    let names: Vec<_> = all.body["items"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    assert_eq!(names, ["Globex"], "the test's own tenant was put where none is made");
    assert_eq!(all.body["items"][0]["connections"], json!({}));
    let of_state = served.get(&service, "/v1/tenants?state=connected").await;
    assert_eq!(of_state.body["items"], json!([]));
    let after = served.get(&service, &format!("/v1/tenants?after={}", id.as_str().unwrap())).await;
    assert_eq!(after.body["items"], json!([]));
    for wrong in ["state=odd", "after=ten_x", "page=2"] {
        let answer = served.get(&service, &format!("/v1/tenants?{wrong}")).await;
        assert!(answer.status.is_client_error(), "{wrong}");
    }
    // A contract that changes puts a tenant into the list that an older version made.
    let own = format!("/v1/tenants/{}", served.tenant);
    let body = json!({ "licences": 5 }).to_string();
    let changed = served.call("PATCH", &own, Some(&service), Some(body)).await;
    assert_eq!(changed.status, StatusCode::OK);
    let all = served.get(&service, "/v1/tenants").await;
    assert_eq!(all.body["items"].as_array().unwrap().len(), 2);
    let gone = format!("/v1/tenants/{}", id.as_str().unwrap());
    assert_eq!(served.call("DELETE", &gone, Some(&service), None).await.status, 204);
    let all = served.get(&service, "/v1/tenants").await;
    assert_eq!(all.body["items"].as_array().unwrap().len(), 1, "one that is removed is not listed");
}

#[tokio::test]
async fn a_back_end_makes_a_link_that_logs_one_of_its_people_in_to_the_console() {
    let served = Served::new().await;
    let service = served.token("service");
    let path = "/v1/console-links";
    let asked = json!({ "tenant": served.tenant, "subject": "ada", "roles": ["admin"] });
    let made = served.post(&service, path, &asked).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let url = made.body["url"].as_str().unwrap();
    let text = url.strip_prefix("https://crm-sync.example.com/console/login?link=").unwrap();
    let link: LinkText = text.parse().unwrap();
    let invited = served.api.sessions.invited(&link).await.unwrap().unwrap();
    let ada = Visitor {
        tenant: Some(served.tenant),
        subject: "ada".into(),
        roles: [Role::Admin].into(),
        seat: None,
    };
    assert_eq!(invited, ada);
    let operator = json!({ "subject": "olga", "roles": ["service"] });
    assert_eq!(served.post(&service, path, &operator).await.status, StatusCode::CREATED);
    for (wrong, status) in [
        (json!({ "subject": "ada", "roles": ["admin"] }), 422),
        (json!({ "tenant": served.tenant, "subject": "ada", "roles": ["service"] }), 422),
        (json!({ "tenant": served.tenant, "subject": " ", "roles": ["admin"] }), 422),
        (json!({ "tenant": served.tenant, "subject": "ada", "roles": [] }), 422),
        (json!({ "tenant": served.tenant, "subject": "ada", "roles": ["king"] }), 422),
        (json!({ "tenant": TenantId::derived("gone"), "subject": "ada", "roles": ["admin"] }), 422),
        (
            json!({
                "tenant": served.tenant, "subject": "jane", "roles": ["seat"],
                "seat": SeatId::derived("gone"),
            }),
            422,
        ),
    ] {
        let answer = served.post(&service, path, &wrong).await;
        assert_eq!(answer.status, status, "{wrong}: {}", answer.body);
    }
}

/// The answer bears a secret: it is kept nowhere, so a second call has another link.
#[tokio::test]
async fn a_link_to_the_console_is_not_kept_for_an_idempotency_key() {
    let served = Served::new().await;
    let asked = json!({ "tenant": served.tenant, "subject": "ada", "roles": ["admin"] });
    let mut urls = Vec::new();
    for _ in 0..2 {
        let request = Request::post("/v1/console-links")
            .header(AUTHORIZATION, format!("Bearer {}", served.token("service")))
            .header("idempotency-key", "one")
            .header("content-type", "application/json")
            .body(Body::from(asked.to_string()))
            .unwrap();
        let answer = served.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        urls.push(serde_json::from_slice::<Value>(&bytes).unwrap()["url"].clone());
    }
    assert_ne!(urls[0], urls[1]);
}

#[tokio::test]
async fn the_versions_of_the_directory_are_listed_and_so_are_the_queues() {
    let served = Served::new().await;
    let service = served.token("service");
    let path = "/v1/directory/versions";
    assert_eq!(served.get(&service, path).await.body["items"], json!([]));
    let begun = served.post(&service, path, &json!({ "parts": [{ "kind": "people" }] })).await;
    let listed = served.get(&service, path).await;
    assert_eq!(listed.body["items"][0]["version"], begun.body["version"]);
    assert_eq!(listed.body["items"][0]["state"], "draft");
    let queues = served.get(&service, "/v1/queues").await;
    let queues = queues.body["items"].as_array().unwrap().clone();
    assert_eq!(queues.len(), 8);
    assert!(queues.iter().all(|queue| queue["dead_letters"] == 0 && queue["late_seconds"] == 0));
}

/// The console asks within the process, as whoever is logged in; over a wire nothing stands in for
/// a token.
#[tokio::test]
async fn who_is_logged_in_to_the_console_needs_no_token_and_has_no_more_rights_than_by_one() {
    let served = Served::new().await;
    let visitor = |roles: &[Role]| Visitor {
        tenant: Some(served.tenant),
        subject: "ada".into(),
        roles: roles.iter().copied().collect(),
        seat: None,
    };
    let ask = async |visitor: Option<Visitor>, path: &str| {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        if let Some(visitor) = visitor {
            request.extensions_mut().insert(visitor);
        }
        served.router.clone().oneshot(request).await.unwrap().status()
    };
    let own = format!("/v1/tenants/{}", served.tenant);
    assert_eq!(ask(None, &own).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some(visitor(&[Role::Admin])), &own).await, StatusCode::OK);
    assert_eq!(ask(Some(visitor(&[Role::Seat])), &own).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(Some(visitor(&[Role::Admin])), "/v1/tenants").await, StatusCode::FORBIDDEN);
    let other = format!("/v1/tenants/{}", TenantId::derived("other"));
    assert_eq!(ask(Some(visitor(&[Role::Admin])), &other).await, StatusCode::NOT_FOUND);
}
