//! The settings of an environment: patched, at a revision, and remembered.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Answer, Served};

/// Patches the settings as an admin, at a revision or whatever it is.
async fn patch(served: &Served, body: &Value, if_match: Option<&str>) -> (Answer, HeaderMap) {
    let media = "application/merge-patch+json";
    send(served, ("PATCH", &served.connection("/settings"), media), body, if_match).await
}

/// Sends a body as an admin, at a revision or whatever it is, and holds the answer to the
/// description.
async fn send(
    served: &Served,
    (method, path, media): (&str, &str, &str),
    body: &Value,
    if_match: Option<&str>,
) -> (Answer, HeaderMap) {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", served.token("admin")))
        .header(header::CONTENT_TYPE, media);
    if let Some(tag) = if_match {
        request = request.header(header::IF_MATCH, tag);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = served.router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let content_type = headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap();
    let answer = Answer { status, content_type, retry_after: None, replayed: false, body };
    served.description.check(method, path, &answer);
    (answer, headers)
}

#[tokio::test]
async fn a_change_of_one_setting_leaves_all_others_as_they_are() {
    let served = Served::new().await;
    let (off, _) = patch(&served, &json!({ "log_notes": false }), None).await;
    assert_eq!(off.status, StatusCode::OK, "{}", off.body);
    let (stage, _) = patch(&served, &json!({ "stage": "Proposal" }), None).await;
    assert_eq!(stage.status, StatusCode::OK, "{}", stage.body);
    let now = served.get(&served.token("admin"), &served.connection("/settings")).await.body;
    assert_eq!((&now["stage"], &now["log_notes"]), (&json!("Proposal"), &json!(false)));
    assert_eq!(now["log_messages"], true);
    let (reset, _) = patch(&served, &json!({ "stage": null }), None).await;
    assert_eq!((&reset.body["stage"], &reset.body["log_notes"]), (&Value::Null, &json!(false)));
}

#[tokio::test]
async fn unknown_names_and_wrong_values_are_refused_by_name_and_change_nothing() {
    let served = Served::new().await;
    let wrong = json!({ "log_note": true, "autosave": true, "roi": null, "log_notes": false });
    let (refused, _) = patch(&served, &wrong, None).await;
    assert_eq!((refused.status, &refused.body["type"]), refusal(422, "invalid"));
    let detail = refused.body["detail"].as_str().unwrap();
    for name in ["log_note is no setting", "autosave is no setting", "roi must be true or false"] {
        assert!(detail.contains(name), "{detail}");
    }
    let now = served.get(&served.token("admin"), &served.connection("/settings")).await.body;
    assert_eq!((&now["log_notes"], &now["revision"]), (&json!(true), &json!(0)));
    let (list, _) = patch(&served, &json!([{ "roi": true }]), None).await;
    assert_eq!(list.status, StatusCode::UNPROCESSABLE_ENTITY, "a patch is an object");
}

fn refusal(status: u16, kind: &'static str) -> (StatusCode, &'static Value) {
    let kind = Box::leak(Box::new(Value::from(kind)));
    (StatusCode::from_u16(status).unwrap(), kind)
}

#[tokio::test]
async fn a_change_is_made_at_the_revision_that_it_was_made_for_or_not_at_all() {
    let served = Served::new().await;
    let (first, headers) = patch(&served, &json!({ "roi": true }), Some("\"0\"")).await;
    assert_eq!((first.status, &headers[header::ETAG]), (StatusCode::OK, &"\"1\"".parse().unwrap()));
    for stale in ["\"0\"", "1", "W/\"1\"", "\"one\"", ""] {
        let (refused, _) = patch(&served, &json!({ "roi": false }), Some(stale)).await;
        assert_eq!((refused.status, &refused.body["type"]), refusal(412, "stale"), "{stale}");
    }
    for fresh in ["\"0\", \"1\"", "*"] {
        let (changed, _) = patch(&served, &json!({ "roi": true }), Some(fresh)).await;
        assert_eq!(changed.status, StatusCode::OK, "{fresh}");
        assert_eq!(changed.body["revision"], 1, "nothing was changed");
    }
}

#[tokio::test]
async fn the_history_tells_who_changed_what_when() {
    let served = Served::new().await;
    patch(&served, &json!({ "log_notes": false }), None).await;
    let (service, path) = (served.token("service"), served.connection("/settings"));
    let stage = json!({ "stage": "Won", "roi": true }).to_string();
    let changed = served.call("PATCH", &path, Some(&service), Some(stage)).await;
    assert_eq!(changed.body["changed_by"], json!({ "kind": "service" }));
    let history = served.get(&service, &served.connection("/settings/history")).await.body;
    let told = history["items"].as_array().unwrap();
    assert_eq!(told.len(), 2);
    let expected = json!([
        { "name": "roi", "before": false, "after": true },
        { "name": "stage", "before": null, "after": "Won" },
    ]);
    assert_eq!((&told[0]["revision"], &told[0]["changes"]), (&json!(2), &expected));
    assert_eq!(told[1]["changed_by"]["kind"], "admin");
    assert!(told[1]["changed_at"].is_string());
}

/// Takes a file of settings in, at a revision or whatever it is.
async fn import(served: &Served, path: &str, file: &Value, if_match: Option<&str>) -> Answer {
    send(served, ("POST", path, "application/json"), file, if_match).await.0
}

/// Spec section 5: export, import and diff as JSON; from the sandbox to production.
#[tokio::test]
async fn settings_go_as_a_file_from_the_sandbox_to_production_after_a_look_at_the_difference() {
    let served = Served::new().await;
    let admin = served.token("admin");
    let production = |path: &str| served.connection(&format!("/settings{path}"));
    let sandbox = |path: &str| production(path).replace("/production/", "/sandbox/");
    let tried = json!({ "roi": true, "stage": "Proposal", "log_notes": false });
    let tried = served.call("PATCH", &sandbox(""), Some(&admin), Some(tried.to_string())).await;
    assert_eq!(tried.status, StatusCode::OK);
    let file = served.get(&admin, &sandbox("/export")).await.body;
    assert_eq!(file["format"], "crm-sync-settings-1");
    assert_eq!(file["settings"].as_object().unwrap().len(), 43, "{file}");

    let diff = served.post(&admin, &production("/diff"), &file).await.body;
    let expected = json!([
        { "name": "log_notes", "before": true, "after": false },
        { "name": "roi", "before": false, "after": true },
        { "name": "stage", "before": null, "after": "Proposal" },
    ]);
    assert_eq!((&diff["changes"], &diff["revision"]), (&expected, &json!(0)));
    let untouched = served.get(&admin, &production("")).await.body;
    assert_eq!((&untouched["revision"], &untouched["roi"]), (&json!(0), &json!(false)));

    let stale = import(&served, &production("/import"), &file, Some("\"7\"")).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let taken = import(&served, &production("/import"), &file, Some("\"0\"")).await;
    assert_eq!((taken.status, &taken.body["revision"]), (StatusCode::OK, &json!(1)));
    let exported = served.get(&admin, &production("/export")).await.body;
    assert_eq!(exported, file);
    let diff = served.post(&admin, &production("/diff"), &file).await.body;
    assert_eq!((&diff["changes"], &diff["revision"]), (&json!([]), &json!(1)));
    let again = import(&served, &production("/import"), &file, None).await;
    assert_eq!(again.body["revision"], 1, "what changes nothing is no change");
    let history = served.get(&admin, &production("/history")).await.body;
    assert_eq!(history["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_is_none_or_holds_what_is_no_setting_changes_nothing() {
    let served = Served::new().await;
    let admin = served.token("admin");
    let file = |format: &str, settings: Value| json!({ "format": format, "settings": settings });
    let format = "crm-sync-settings-1";
    for wrong in [
        file("crm-sync-settings-2", json!({ "roi": true })),
        file(format, json!({ "roi": true, "colour": "red" })),
        file(format, json!({ "roi": "yes" })),
        file(format, json!([])),
        json!({ "settings": { "roi": true } }),
        json!({ "format": format, "settings": { "roi": true }, "revision": 3 }),
    ] {
        for verb in ["/settings/diff", "/settings/import"] {
            let answer = served.post(&admin, &served.connection(verb), &wrong).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{verb} {wrong}");
        }
    }
    let now = served.get(&admin, &served.connection("/settings")).await.body;
    assert_eq!((&now["revision"], &now["roi"]), (&json!(0), &json!(false)));
}
