//! Bad inputs of a caller, by their numbers in the catalogue of inputs: each is refused as it
//! should be, and harms nothing.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures::StreamExt;
use futures::future::{Either, join_all, select};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::capabilities::linking::{CandidateList, RecordDecision};
use shared::capabilities::saving::{Saved, SavedList};
use shared::kernel::{Environment, Grantee, SObject, SeatId, TenantEnvironment, TenantId};
use shared::ports::Item;
use shared::store;
use shared::testing::{Fuse, Memory, entity_id, record_id};
use stack::Caller;
use tower::ServiceExt;

use super::limits::connected;
use super::{Answer, Served};

async fn patch(served: &Served, body: &str) -> Answer {
    let path = served.connection("/settings");
    served.call("PATCH", &path, Some(&served.token("admin")), Some(body.to_owned())).await
}

/// I53: a body that is too large, too deep, or no JSON, is refused, and the process lives on.
#[tokio::test]
async fn i53_a_body_that_is_no_json_is_refused_whatever_is_wrong_with_it() {
    let served = Served::new().await;
    let deep = |n: usize| format!("{{\"log_notes\":{}{}}}", "[".repeat(n), "]".repeat(n));
    let large = format!("{{\"log_notes\":\"{}\"}}", "x".repeat(300 * 1024));
    for (body, status) in [
        (deep(10_000), StatusCode::BAD_REQUEST),
        (deep(100_000), StatusCode::BAD_REQUEST),
        (large, StatusCode::PAYLOAD_TOO_LARGE),
        (r#"{"log_notes":true,}"#.to_owned(), StatusCode::BAD_REQUEST),
        (r#"{"log_notes":true} {}"#.to_owned(), StatusCode::BAD_REQUEST),
        (String::new(), StatusCode::BAD_REQUEST),
        ("\u{feff}{}".to_owned(), StatusCode::BAD_REQUEST),
        ("{\"log_notes\":NaN}".to_owned(), StatusCode::BAD_REQUEST),
    ] {
        let answer = patch(&served, &body).await;
        assert_eq!(answer.status, status, "{}", body.chars().take(40).collect::<String>());
        assert_eq!(answer.content_type, "application/problem+json");
    }
    let service = served.token("service");
    // What is no object has no names, though its values stand in the right order.
    let list = r#" ["Acme"]"#.to_owned();
    let answer = served.call("POST", "/v1/tenants", Some(&service), Some(list)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    // A name that comes twice says two things.
    let twice = r#"{"name":"Acme","name":"Umbrella"}"#.to_owned();
    let answer = served.call("POST", "/v1/tenants", Some(&service), Some(twice)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
}

/// I54: a value of the wrong kind is refused with its place.
#[tokio::test]
async fn i54_a_wrong_value_is_refused_with_a_pointer_to_it() {
    let served = Served::new().await;
    let activity = |field: &str, value: Value| {
        let mut body = json!({
            "kind": "note", "entity_kind": "person", "entity_id": "pr_1", "body": "Met",
            "occurred_at": "2026-11-20T10:00:00Z",
        });
        body[field] = value;
        body
    };
    let seat = served.token("seat");
    for (field, value) in [
        ("body", json!(1)),
        ("body", Value::Null),
        ("kind", json!("fax")),
        ("entity_id", json!("")),
        ("entity_id", json!("x".repeat(513))),
        ("occurred_at", json!("yesterday")),
        ("unheard_of", json!(1)),
    ] {
        let body = activity(field, value.clone());
        let answer = served.post(&seat, &served.connection("/activities"), &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field} {value}");
        assert_eq!(answer.content_type, "application/problem+json");
        assert_eq!(answer.body["pointer"], format!("/{field}"), "{}", answer.body);
    }
    let mappings = json!({ "items": [
        { "object": "Contact", "field": "Email", "custom_field": "Work_Email__c" },
        { "object": "Nothing", "field": "Email", "custom_field": "Work_Email__c" },
    ] });
    let (admin, path) = (served.token("admin"), served.connection("/field-mappings"));
    let answer = served.call("PUT", &path, Some(&admin), Some(mappings.to_string())).await;
    assert_eq!(answer.body["pointer"], "/items/1/object", "{}", answer.body);
    // Something that must be there and is not has the place of what it belongs to.
    let answer = served.post(&seat, &served.connection("/activities"), &json!({})).await;
    assert_eq!(
        (answer.status, &answer.body["pointer"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!(""))
    );
}

/// I55: what belongs to another tenant is as if it were not there, in paths and in bodies.
#[tokio::test]
async fn i55_what_is_anothers_is_not_told_from_what_is_not_there() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let other = world.tenant("globex").await;
    let at = TenantEnvironment { tenant: other, environment: Environment::Production };
    world.authorize_at(at, Grantee::Admin, "admin@limited.example").await.unwrap();
    world.run().await;
    let theirs = served.token_of(other, "admin");
    let own = |path: &str| {
        served.connection(path).replace(&served.tenant.to_string(), &other.to_string())
    };
    let runs = served.get(&theirs, &own("/runs")).await.body;
    let run = runs["items"][0]["run_id"].as_str().unwrap();
    assert_eq!(served.get(&theirs, &own(&format!("/runs/{run}"))).await.status, StatusCode::OK);
    let admin = served.token("admin");
    let nothing = served.connection("/runs/run_00000000000000000000000001");
    let missing = served.get(&admin, &nothing).await;
    let anothers = served.get(&admin, &served.connection(&format!("/runs/{run}"))).await;
    assert_eq!(anothers.status, StatusCode::NOT_FOUND);
    assert_eq!(anothers.body, missing.body);
    // Another tenant's path tells no more than one of nobody's.
    let nobody = own("/runs").replace(&other.to_string(), &TenantId::derived("nobody").to_string());
    let (there, nowhere) =
        (served.get(&admin, &own("/runs")).await, served.get(&admin, &nobody).await);
    assert_eq!((there.status, &there.body), (StatusCode::NOT_FOUND, &nowhere.body));
    // Another's seat in one's own path is no seat.
    let seat = SeatId::derived("theirs");
    let path = served.connection(&format!("/seats/{seat}/crm-user"));
    assert_eq!(served.get(&admin, &path).await.status, StatusCode::NOT_FOUND);
}

/// Puts more saved leads and candidate lists than a page holds.
async fn pages(world: &tests::world::World, served: &Served) {
    let keys = world.keys().await;
    let mut items: Vec<Item> = Vec::new();
    for n in 0..1_200 {
        let entity = entity_id(&format!("pr_{n:04}"));
        for seat in [served.seat, SeatId::derived("joe")] {
            let saved = Saved {
                seat,
                list: SavedList::Leads,
                entity: entity.clone(),
                record: record_id("00Q", n),
                object: SObject::Lead,
                reasons: Vec::new(),
                saved_at: world.ports().clock.now(),
                rules: 1,
                uncalled: None,
            };
            items.push(store::item(keys.saved(seat, "leads", &entity), &saved).unwrap());
        }
        let id = record_id("00Q", n);
        let list = CandidateList {
            decision: RecordDecision::Review,
            ..CandidateList::empty(SObject::Lead, id)
        };
        items.push(store::item(keys.candidates(SObject::Lead, id), &list).unwrap());
    }
    world.ports().table.put_many(items).await.unwrap();
}

/// I56: a cursor is good for the list that gave it, for a day, as it was given.
#[tokio::test]
async fn i56_a_cursor_leads_its_own_list_on_and_nothing_else() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    pages(&world, &served).await;
    let admin = served.token("admin");
    let saved =
        |seat: SeatId, kind: &str| served.connection(&format!("/seats/{seat}/saved?kind={kind}"));
    let list = saved(served.seat, "leads");
    let first = served.get(&admin, &list).await.body;
    let cursor = first["next"].as_str().unwrap().to_owned();
    let second = served.get(&admin, &format!("{list}&cursor={cursor}")).await.body;
    let entities = |page: &Value| -> BTreeSet<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["entity"].as_str().unwrap().to_owned()).collect()
    };
    assert!(entities(&first).is_disjoint(&entities(&second)));
    assert_eq!((entities(&first).len(), entities(&second).len()), (500, 500));

    let matches = served.connection("/matches?object=Lead");
    let of_matches = served.get(&admin, &matches).await.body["next"].as_str().unwrap().to_owned();
    assert_eq!(
        served.get(&admin, &format!("{matches}&cursor={of_matches}")).await.status,
        StatusCode::OK
    );
    let mut altered = cursor.clone().into_bytes();
    altered[30] = if altered[30] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    let refused = async |path: String| {
        let answer = served.get(&admin, &path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.body);
        assert_eq!(answer.content_type, "application/problem+json");
    };
    // Another list's, another seat's, another object's; altered, cut, made up, of another time.
    refused(format!("{list}&cursor={of_matches}")).await;
    refused(format!("{}&cursor={cursor}", saved(SeatId::derived("joe"), "leads"))).await;
    refused(format!("{}&cursor={cursor}", saved(served.seat, "accounts"))).await;
    refused(served.connection(&format!("/matches?object=Contact&cursor={of_matches}"))).await;
    for cursor in [altered.as_str(), &cursor[..40], "pr_0001", "3.", "", "%00", "AAAA"] {
        refused(format!("{list}&cursor={cursor}")).await;
        refused(format!("{matches}&cursor={cursor}")).await;
    }
    // Another tenant's generation.
    let other = world.tenant("globex").await;
    let at = TenantEnvironment { tenant: other, environment: Environment::Production };
    world.authorize_at(at, Grantee::Admin, "admin@limited.example").await.unwrap();
    let theirs = matches.replace(&served.tenant.to_string(), &other.to_string());
    let token = served.token_of(other, "admin");
    let foreign = served.get(&token, &format!("{theirs}&cursor={of_matches}")).await;
    assert_eq!(foreign.status, StatusCode::BAD_REQUEST, "{}", foreign.body);

    world.memory.clock.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    assert_eq!(served.get(&admin, &format!("{list}&cursor={cursor}")).await.status, StatusCode::OK);
    world.memory.clock.advance(SignedDuration::from_secs(1));
    refused(format!("{list}&cursor={cursor}")).await;
}

/// I57: a list takes the parameters that it has, and says so of others.
#[tokio::test]
async fn i57_a_parameter_that_a_list_does_not_have_is_refused() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let admin = served.token("admin");
    for query in ["page_size=0", "page_size=-1", "page_size=1000000000", "sort=password", "kind=9"]
    {
        for list in ["/matches?object=Lead", &format!("/seats/{}/saved?kind=leads", served.seat)] {
            let answer = served.get(&admin, &served.connection(&format!("{list}&{query}"))).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{list} {query}");
            assert_eq!(answer.content_type, "application/problem+json");
        }
    }
}

/// I60: the same key twice at once is one activity; whoever is later is told of it, or to come
/// again.
#[tokio::test]
async fn i60_an_activity_that_is_posted_several_times_at_once_is_one() {
    let (world, _folder) = connected().await;
    world.seat("jane").await;
    let fuse = Fuse::default();
    let served = Served::over(fuse.guard(&world.memory.ports()), "crm-sync/").await;
    let seat = served.token("seat");
    let body = json!({
        "kind": "note", "entity_kind": "person", "entity_id": "pr_1", "body": "Met",
        "occurred_at": "2026-11-20T10:00:00Z",
    });
    let path = served.connection("/activities");
    // Each waits before each of its calls until the others have made theirs.
    let mut gates = fuse.gates();
    let turns = pin!(async {
        while let Some(gate) = gates.next().await {
            gate.send(()).unwrap();
        }
    });
    let posts = join_all((0..20).map(|_| served.post(&seat, &path, &body)));
    let Either::Left((answers, _)) = select(pin!(posts), turns).await else { panic!("no gates") };
    let mut ids = BTreeSet::new();
    for answer in answers {
        if answer.status == StatusCode::CONFLICT {
            assert!(answer.retry_after.is_some());
            continue;
        }
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        ids.insert(answer.body["activity_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    let keys = world.item_keys().await;
    assert_eq!(keys.iter().filter(|key| key.contains(" ACT#")).count(), 1);
}

/// I61: an id has one spelling, and a path leads nowhere else.
#[tokio::test]
async fn i61_a_path_with_a_second_spelling_or_a_way_out_is_not_found() {
    let served = Served::new().await;
    let admin = served.token("admin");
    let tenant = served.tenant.to_string();
    let lower = format!("ten_{}", tenant[4..].to_lowercase());
    let wide: String = tenant
        .replace('0', "\u{ff10}")
        .chars()
        .flat_map(|c| {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().map(|b| format!("%{b:02X}")).collect::<Vec<_>>()
        })
        .collect();
    for id in [
        lower.as_str(),
        &wide,
        &format!("{tenant}%00"),
        &format!("{tenant}%20"),
        &format!("..%2f{tenant}"),
        &format!("x/..%2f..%2f{tenant}"),
        &format!("%252e%252e%252f{tenant}"),
        &format!("{tenant}%2Fconnections"),
        &format!("{tenant};x=1"),
        "..",
        "%ff",
    ] {
        let path = format!("/v1/tenants/{id}/connections/production/settings");
        let answer = served.get(&admin, &path).await;
        let is_told = [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&answer.status);
        assert!(is_told, "{path}: {} {}", answer.status, answer.body);
        assert_eq!(answer.content_type, "application/problem+json", "{path}");
    }
    let good = served.get(&admin, &served.connection("/settings")).await;
    assert_eq!(good.status, StatusCode::OK);
}

/// I62: a request that is not one of ours is refused by what is wrong with it.
#[tokio::test]
async fn i62_a_request_of_another_form_is_refused_or_harmless() {
    let served = Served::new().await;
    let (token, path) = (served.token("admin"), served.connection("/settings"));
    let request = |method: &str| {
        Request::builder()
            .method(method)
            .uri(&path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
    };
    let status = async |request: Request<Body>| {
        let response = served.router.clone().oneshot(request).await.unwrap();
        (response.status(), response.headers().get(header::CONTENT_TYPE).cloned())
    };
    // A header does not make a GET a change.
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let overridden = request("GET").header(name, "DELETE").body(Body::empty()).unwrap();
        assert_eq!(status(overridden).await.0, StatusCode::OK, "{name}");
    }
    for method in ["POST", "BREW", "TRACE", "CONNECT"] {
        let (told, kind) = status(request(method).body(Body::empty()).unwrap()).await;
        assert_eq!(told, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(kind.unwrap(), "application/problem+json");
    }
    for kind in ["text/plain", "application/xml", "multipart/form-data; boundary=x", "json"] {
        let body = Body::from(r#"{"log_notes":false}"#);
        let wrong = request("PATCH").header(header::CONTENT_TYPE, kind).body(body).unwrap();
        assert_eq!(status(wrong).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let body = Body::from(r#"{"log_notes":false}"#);
    let kind = "application/json; charset=utf-8";
    let plain = request("PATCH").header(header::CONTENT_TYPE, kind).body(body).unwrap();
    assert_eq!(status(plain).await.0, StatusCode::OK, "no Accept is any");
    let huge = request("GET").header("x-padding", "x".repeat(100_000)).body(Body::empty());
    assert_eq!(status(huge.unwrap()).await.0, StatusCode::OK, "its server bounds headers");
    let many = (0..5_000).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
    let answer = served.get(&token, &format!("{path}?{many}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
}

/// I64: a text that is empty, too long or no text is refused, and the process lives on.
#[tokio::test]
async fn i64_a_text_that_is_empty_too_long_or_half_a_character_is_refused() {
    let (world, _folder) = connected().await;
    world.seat("jane").await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let (seat, path) = (served.token("seat"), served.connection("/activities"));
    // The text stands in the body as it is written here.
    let post = async |text: &str| {
        let body = format!(
            r#"{{"kind":"note","entity_kind":"person","entity_id":"pr_1","body":"{text}",
                "occurred_at":"2026-11-20T10:00:00Z"}}"#
        );
        served.call("POST", &path, Some(&seat), Some(body)).await
    };
    let (long, huge) = ("x".repeat(100_001), "x".repeat(1 << 20));
    let wide = "\u{1f600}".repeat(25_001);
    for (text, status) in [
        ("", StatusCode::UNPROCESSABLE_ENTITY),
        (r" \t\r\n\u3000", StatusCode::UNPROCESSABLE_ENTITY),
        (&long, StatusCode::UNPROCESSABLE_ENTITY),
        (&wide, StatusCode::UNPROCESSABLE_ENTITY),
        (&huge, StatusCode::PAYLOAD_TOO_LARGE),
        (r"half \ud83d", StatusCode::BAD_REQUEST),
        (r"\ude00 half", StatusCode::BAD_REQUEST),
        ("a control \u{1} as it is", StatusCode::BAD_REQUEST),
    ] {
        let answer = post(text).await;
        let told: String = text.chars().take(20).collect();
        assert_eq!(answer.status, status, "{told:?}: {}", answer.body);
        assert_eq!(answer.content_type, "application/problem+json");
    }
    let keys = world.item_keys().await;
    assert!(keys.iter().all(|key| !key.contains(" ACT#")), "something was taken in");
    let taken = post(r"\ud83d\ude00 \u0000 \u001b[31m").await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.body);
}

/// I70: a correction of a record that is gone, of another kind, another org's or no record at all
/// is refused, and nothing is said.
#[tokio::test]
async fn i70_a_correction_of_what_is_gone_another_kind_or_anothers_is_refused() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let (keys, admin) = (world.keys().await, served.token("admin"));
    let (there, gone) = (record_id("00Q", 1), record_id("00Q", 2));
    for (id, gone) in [(there, false), (gone, true)] {
        let list = CandidateList { gone, ..CandidateList::empty(SObject::Lead, id) };
        let item = store::item(keys.candidates(SObject::Lead, id), &list).unwrap();
        world.ports().table.put_many(vec![item]).await.unwrap();
    }
    let said = json!({ "action": "unmatch", "entity_id": "pr_1" });
    let correct = async |object: &str, record: &str| {
        let path = served.connection(&format!("/matches/{object}/{record}/corrections"));
        (served.post(&admin, &path, &said).await, path)
    };
    let (contact, deal) = (record_id("003", 1), record_id("006", 1));
    for (object, record) in [
        ("Lead", gone.as_str()),
        ("Lead", record_id("00Q", 3).as_str()),
        ("Lead", contact.as_str()),
        ("Contact", there.as_str()),
        ("Account", there.as_str()),
        ("Opportunity", deal.as_str()),
        ("Lead", "00Q000000000001AAA"),
        ("Lead", "no-id"),
    ] {
        let (refused, path) = correct(object, record).await;
        let expected = [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY];
        assert!(expected.contains(&refused.status), "{path}: {} {}", refused.status, refused.body);
        assert_eq!(refused.content_type, "application/problem+json", "{path}");
    }
    assert_eq!(world.memory.receive(), [], "nothing is settled");
    let kinds = world.item_keys().await;
    assert!(kinds.iter().all(|key| !key.contains("#CORR#")), "nothing is said: {kinds:?}");
    let (taken, _) = correct("Lead", there.as_str()).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.body);
    let kinds = world.item_keys().await;
    assert!(kinds.iter().any(|key| key.contains("#CORR#")), "{kinds:?}");
}

/// Line 19 of the checklist: an activity needs a key, and a key is one activity's.
#[tokio::test]
async fn an_activity_needs_a_key_and_a_key_is_good_for_one_activity() {
    let (world, _folder) = connected().await;
    world.seat("jane").await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let (seat, path) = (served.token("seat"), served.connection("/activities"));
    let body = |text: &str| {
        json!({ "kind": "note", "entity_kind": "person", "entity_id": "pr_1", "body": text,
            "occurred_at": "2026-11-20T10:00:00Z" })
    };
    let keyed = async |key: Option<&str>| {
        let request = Request::post(&path)
            .header(header::AUTHORIZATION, format!("Bearer {seat}"))
            .header(header::CONTENT_TYPE, "application/json");
        let request = key.into_iter().fold(request, |r, key| r.header("idempotency-key", key));
        let request = request.body(Body::from(body("Met").to_string())).unwrap();
        served.router.clone().oneshot(request).await.unwrap().status()
    };
    for key in [None, Some(""), Some("  "), Some(&*"k".repeat(201))] {
        assert_eq!(keyed(key).await, StatusCode::UNPROCESSABLE_ENTITY, "{key:?}");
    }
    assert_eq!(keyed(Some("1")).await, StatusCode::ACCEPTED);
    assert_eq!(served.post(&seat, &path, &body("Met")).await.status, StatusCode::ACCEPTED);
    let reused = served.post(&seat, &path, &body("Met once more")).await;
    assert_eq!((reused.status, &reused.body["type"]), (StatusCode::CONFLICT, &json!("key_reused")));
    let keys = world.item_keys().await;
    assert_eq!(keys.iter().filter(|key| key.contains(" ACT#")).count(), 1);
}

/// Ids and cursors that no key has room for are refused before anything is asked of a port.
#[tokio::test]
async fn ids_and_cursors_over_a_length_are_refused_before_any_call_of_the_table() {
    let fuse = Fuse::default();
    let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
    let served = Served::over(fuse.guard(&memory.ports()), "test/").await;
    let before = fuse.calls();
    let mut checked = 0;
    for operation in served.description.operations() {
        let Some(role) = operation.roles().into_iter().next().map(str::to_owned) else { continue };
        let (token, method) = (served.token(&role), operation.method.to_uppercase());
        let names = operation.path.split('/').filter(|part| part.starts_with('{'));
        for name in names.filter(|name| *name != "{tenant}") {
            for length in [600, 1_100, 3_000] {
                let path = super::guards::path_of(&served, &operation);
                let whole = operation.path.split('/').zip(path.split('/')).map(|(form, part)| {
                    if form == name { "x".repeat(length) } else { part.to_owned() }
                });
                let path = whole.collect::<Vec<_>>().join("/");
                let answer = served.call(&method, &path, Some(&token), operation.example()).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name} {}", operation.path);
                checked += 1;
            }
        }
        if operation.value["parameters"].to_string().contains("\"cursor\"") {
            let path = super::guards::path_of(&served, &operation);
            let mark = if path.contains('?') { '&' } else { '?' };
            let path = format!("{path}{mark}cursor={}", "x".repeat(1_300));
            let answer = served.call(&method, &path, Some(&token), None).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
    assert_eq!(fuse.calls(), before, "asked of a port");
    let long = json!({ "action": "match", "entity_id": "x".repeat(600) });
    let path = served.connection("/matches/Lead/00Q000000000001EAA/corrections");
    let answer = served.post(&served.token("admin"), &path, &long).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// The matrix beside the tenants: a route of a seat, by its own seat, by another of the tenant's,
/// and by one of another tenant's (1.1.4 and 1.1.5 of the review).
#[tokio::test]
async fn the_matrix_covers_own_seat_other_seat_and_other_tenant() {
    let served = Served::new().await;
    let (tenant, elsewhere) = (served.tenant.to_string(), TenantId::derived("another").to_string());
    let (own, joe) = (served.seat.to_string(), SeatId::derived("joe").to_string());
    let token = |tenant: &str, seat: &str| {
        let caller = Caller { roles: &["seat"], tenant: Some(tenant), seat: Some(seat) };
        served.issuer.token(caller, Duration::from_mins(5)).unwrap()
    };
    let mut checked = 0;
    for operation in served.description.operations() {
        if !operation.path.contains("{seat}") || !operation.roles().contains("seat") {
            continue;
        }
        let (method, path) =
            (operation.method.to_uppercase(), super::guards::path_of(&served, &operation));
        let call =
            async |token: &str| served.call(&method, &path, Some(token), operation.example()).await;
        let mine = call(&token(&tenant, &own)).await;
        assert!(!refused(&mine), "{method} {path}: {} {}", mine.status, mine.body);
        let others = call(&token(&tenant, &joe)).await;
        assert_eq!(others.status, StatusCode::FORBIDDEN, "{method} {path}");
        // The same seat's id in another tenant, and another seat there.
        for seat in [&own, &joe] {
            let strangers = call(&token(&elsewhere, seat)).await;
            assert_eq!(strangers.status, StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(strangers.body["detail"], "there is no such tenant");
        }
        checked += 1;
    }
    assert!(checked >= 3, "{checked}");
}

/// Refused for who the caller is.
fn refused(answer: &Answer) -> bool {
    answer.status == StatusCode::FORBIDDEN || answer.body["detail"] == "there is no such tenant"
}
