//! A write that comes again under its key is not done again: it is answered as the first time.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::future::join_all;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::changes::day;
use super::{Answer, Served};

async fn keyed(served: &Served, role: &str, call: (&str, &str), key: &str, body: &Value) -> Answer {
    let (method, path) = call;
    let body = (!body.is_null()).then(|| body.to_string());
    served.call_keyed(method, path, Some(&served.token(role)), body, Some(key)).await
}

fn seat(email: &str) -> Value {
    json!({ "email": email, "name": "Ines Marlow", "time_zone": "UTC", "roles": ["seat"] })
}

#[tokio::test]
async fn a_write_that_comes_again_under_its_key_is_answered_as_the_first_time() {
    let served = Served::new().await;
    let seats = format!("/v1/tenants/{}/seats", served.tenant);
    let add = ("POST", seats.as_str());
    let ines = seat("ines@acme.example");
    let first = keyed(&served, "service", add, "a", &ines).await;
    assert_eq!((first.status, first.replayed), (StatusCode::CREATED, false), "{}", first.body);
    let again = keyed(&served, "service", add, "a", &ines).await;
    assert_eq!((again.status, again.replayed), (StatusCode::CREATED, true));
    assert_eq!((&again.body, &again.content_type), (&first.body, &first.content_type));
    let other = keyed(&served, "service", add, "a", &seat("joe@acme.example")).await;
    assert_eq!((other.status, &other.body["type"]), (StatusCode::CONFLICT, &json!("key_reused")));
    let twice = keyed(&served, "service", add, "b", &ines).await;
    assert_eq!(twice.body["type"], "email_taken", "under another key it is another call");
    let listed = served.get(&served.token("admin"), &seats).await.body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);

    // Another caller's key is another key.
    let settings = served.connection("/settings");
    let patch = ("PATCH", settings.as_str());
    let off = json!({ "log_notes": false });
    let by_admin = keyed(&served, "admin", patch, "a", &off).await;
    let by_service = keyed(&served, "service", patch, "c", &json!({ "log_notes": true })).await;
    assert_eq!((&by_admin.body["revision"], &by_service.body["revision"]), (&json!(1), &json!(2)));
    let again = keyed(&served, "admin", patch, "a", &off).await;
    assert_eq!((again.replayed, &again.body), (true, &by_admin.body), "what was answered then");
    let now = served.get(&served.token("admin"), &settings).await.body;
    assert_eq!((&now["revision"], &now["log_notes"]), (&json!(2), &json!(true)), "not done again");
}

#[tokio::test]
async fn the_key_of_a_refused_call_is_free_again_and_one_that_is_no_key_is_told() {
    let served = Served::new().await;
    let settings = served.connection("/settings");
    let patch = ("PATCH", settings.as_str());
    let wrong = keyed(&served, "admin", patch, "a", &json!({ "no_such": true })).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let right = keyed(&served, "admin", patch, "a", &json!({ "roi": true })).await;
    assert_eq!((right.status, right.replayed), (StatusCode::OK, false), "{}", right.body);
    for key in [String::new(), "x".repeat(201), "two words".to_owned()] {
        let told = keyed(&served, "admin", patch, &key, &json!({ "roi": true })).await;
        assert_eq!(told.body["type"], "invalid");
        assert!(told.body["detail"].as_str().unwrap().contains("Idempotency-Key"), "{}", told.body);
    }
    // What a path does not have goes before a key.
    let request = Request::builder().method("DELETE").uri(&settings);
    let request = request.header("authorization", format!("Bearer {}", served.token("admin")));
    let request = request.header("idempotency-key", "a").body(Body::empty()).unwrap();
    let none = served.router.clone().oneshot(request).await.unwrap();
    assert_eq!(none.status(), StatusCode::METHOD_NOT_ALLOWED);
    let nobody =
        served.call_keyed("PATCH", &settings, None, Some("{}".to_owned()), Some("a")).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "what was answered is its caller's alone");
    let long = json!({ "lead_source": "x".repeat(300 * 1024) });
    let told = keyed(&served, "admin", patch, "b", &long).await;
    assert_eq!(told.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_same_call_many_times_at_once_is_done_once() {
    let served = Served::new().await;
    let settings = served.connection("/settings");
    let call = || async {
        keyed(&served, "admin", ("PATCH", &settings), "a", &json!({ "log_notes": false })).await
    };
    let answers = join_all((0..8).map(|_| call())).await;
    let done = answers.iter().filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(done.filter(|answer| !answer.replayed).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != StatusCode::OK) {
        assert_eq!((&answer.body["type"], answer.retry_after), (&json!("underway"), Some(1)));
    }
    assert!(call().await.replayed);
}

#[tokio::test]
async fn an_answer_about_a_connection_lies_sealed_and_goes_with_it() {
    let (world, served, _token, _folder) = day().await;
    let users = world.control().records(&world.org, "User", 0, usize::MAX).unwrap();
    let ids: Vec<&Value> = users.iter().map(|user| &user["Id"]).collect();
    let path = served.connection("/crm-users/seats");
    let call = ("POST", path.as_str());
    let asked = json!({ "user_ids": ids });
    let given = keyed(&served, "admin", call, "a", &asked).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    let again = keyed(&served, "admin", call, "a", &asked).await;
    assert_eq!((again.replayed, &again.body), (true, &given.body));
    let kept = || {
        let items = world.memory.items().into_iter();
        items.filter(|item| item.key.sk().starts_with("ANSWER#")).collect::<Vec<_>>()
    };
    assert_eq!(kept().len(), 1);
    let names: Vec<String> = kept()[0].doc.keys().cloned().collect();
    assert!(names.iter().all(|name| ["sealed", "revision"].contains(&name.as_str())), "{names:?}");
    assert!(kept()[0].expires_at.is_some());

    let gone = keyed(&served, "admin", ("DELETE", &served.connection("")), "b", &Value::Null).await;
    assert_eq!(gone.status, StatusCode::ACCEPTED, "{}", gone.body);
    world.run().await;
    let left = kept();
    assert_eq!(left.len(), 1, "that of the disconnection, which is none of the connection's");
    let again =
        keyed(&served, "admin", ("DELETE", &served.connection("")), "b", &Value::Null).await;
    assert_eq!((again.replayed, &again.body), (true, &gone.body));
}
