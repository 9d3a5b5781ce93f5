//! Who may call what, and what the others are told.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use shared::kernel::{SeatId, TenantId};
use stack::Caller;
use tests::rust_files;
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;

use super::openapi::{CALLBACK, Operation};
use super::{Answer, Served};

pub(super) const ROLES: [&str; 7] =
    ["admin", "seat", "reporting", "vendor-rep", "service", "operator", "none"];

/// The routes that are open to everybody: the description, and where to report a weakness.
const PUBLIC: [&str; 2] = ["/.well-known/security.txt", "/openapi.yaml"];

/// A path with a thing in every place; the tenant and the seat are the caller's own.
fn concrete(served: &Served, operation: &Operation) -> String {
    let path = operation
        .path
        .replace("{tenant}", &served.tenant.to_string())
        .replace("{environment}", "production")
        .replace("{seat}", &served.seat.to_string())
        .replace("{version}", "dir_00000000000000000000000001")
        .replace("{activity}", "act_00000000000000000000000001")
        .replace("{change}", "chg_00000000000000000000000001")
        .replace("{bulk}", "bulk_00000000000000000000000001")
        .replace("{purge}", "production-1")
        .replace("{object}", "Lead")
        .replace("{kind}", "person")
        .replace("{entity}", "pr_1")
        .replace("{glass}", "glass_00000000000000000000000001")
        .replace("{model}", "mod_00000000000000000000000001")
        .replace("{list}", "lst_00000000000000000000000001")
        .replace("{export}", "exp_00000000000000000000000001")
        .replace("{steer}", "pause")
        .replace("{record}", "00Q000000000001EAA");
    let run = if path.contains("match-runs") { "mrun_" } else { "run_" };
    path.replace("{run}", &format!("{run}00000000000000000000000001"))
}

/// The concrete path with what its query must say.
pub(super) fn path_of(served: &Served, operation: &Operation) -> String {
    concrete(served, operation) + &query(operation)
}

fn query(operation: &Operation) -> String {
    let parameters = operation.value["parameters"].as_array().cloned().unwrap_or_default();
    let required = |p: &&Value| p["in"] == "query" && p["required"] == true;
    let values = parameters.iter().filter(required).map(|p| match p["name"].as_str().unwrap() {
        "kind" => "kind=accounts".to_owned(),
        "entity_kind" => "entity_kind=person".to_owned(),
        "in_crm" => "in_crm=true".to_owned(),
        name => format!("{name}=Lead"),
    });
    let text = values.collect::<Vec<_>>().join("&");
    if text.is_empty() { text } else { format!("?{text}") }
}

/// Another tenant is told nothing.
fn stranger(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND && answer.body["detail"] == "there is no such tenant"
}

/// The authorization matrix: every operation, every role, one's own tenant and another's.
#[tokio::test]
async fn only_the_roles_of_the_description_may_call_and_only_within_their_tenant() {
    let served = Served::new().await;
    let elsewhere = TenantId::derived("another");
    let mut checked = 0;
    let mut operations = served.description.operations();
    // What removes the tenant comes last.
    operations.sort_by_key(|o| o.method == "delete" && o.path == "/v1/tenants/{tenant}");
    for operation in operations {
        let roles = operation.roles();
        if roles.is_empty() {
            continue; // open to everybody: another test says which
        }
        let open_to_any_token = roles.len() == ROLES.len() - 1;
        let path = path_of(&served, &operation);
        let of_a_tenant = operation.path.contains("{tenant}");
        for role in ROLES {
            for tenant in [served.tenant, elsewhere] {
                let token = served.token_of(tenant, role);
                let body = operation.example();
                let method = operation.method.to_uppercase();
                let answer = served.call(&method, &path, Some(&token), body).await;
                let of = format!("{method} {path} as {role}: {} {}", answer.status, answer.body);
                // An operator breaks any tenant's glass, and may do nothing else.
                let everywhere = role == "service" || role == "operator";
                let own = everywhere || tenant == served.tenant || !of_a_tenant;
                if !own {
                    let back_end_only = roles.len() == 1 && !roles.contains("seat");
                    let told = answer.status == StatusCode::FORBIDDEN && back_end_only;
                    assert!(told || stranger(&answer), "{of}");
                } else if roles.contains(role) || open_to_any_token {
                    assert_ne!(answer.status, StatusCode::FORBIDDEN, "{of}");
                    assert!(!stranger(&answer), "{of}");
                } else {
                    assert!(answer.status == StatusCode::FORBIDDEN || stranger(&answer), "{of}");
                }
                checked += 1;
            }
        }
        let answer = served.call(&operation.method.to_uppercase(), &path, None, None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} without a token");
    }
    assert!(checked > 600, "{checked}");
}

/// A handler without a guard answers whoever calls: then it is listed here, or this fails.
#[tokio::test]
async fn only_public_paths_answer_without_a_token() {
    let served = Served::new().await;
    let mut public = BTreeSet::new();
    for operation in served.description.operations() {
        if operation.path == CALLBACK {
            continue; // a function of its own
        }
        let path = path_of(&served, &operation);
        let method = operation.method.to_uppercase();
        for token in [None, Some("no.token.atall")] {
            let answer = served.call(&method, &path, token, operation.example()).await;
            if answer.status != StatusCode::UNAUTHORIZED {
                public.insert(operation.path.clone());
            }
        }
    }
    assert_eq!(public.iter().map(String::as_str).collect::<Vec<_>>(), PUBLIC);
}

/// Finds what the calls above cannot see: a route that is not described, a path read past the
/// guards.
#[test]
fn routes_are_registered_with_their_description_and_only_guards_read_paths() {
    // The word, the files that may hold it, and how often they do.
    let rules = [
        (".route(", "router.rs", 2),
        ("axum::routing", "router.rs", 1),
        ("extract::{FromRequestParts, Path}", "callers/guards.rs", 1),
        ("extract::Path", "none", 0),
        ("Path(", "callers/guards.rs", 1),
        // What answers a repeated call needs to know which connection it was about.
        ("RawPathParams", "callers/again.rs", 3),
        ("MatchedPath", "callers/", 5),
        ("OriginalUri", "none", 0),
    ];
    let files = rust_files("functions/api/src").unwrap();
    let files: Vec<_> = files.iter().filter(|file| !file.path.contains("/tests/")).collect();
    assert!(files.len() > 30, "the routes are there");
    for (word, place, times) in rules {
        let mut found = 0;
        for file in &files {
            let here = file.text.matches(word).count();
            assert!(here == 0 || file.path.contains(place), "{word} in {}", file.path);
            found += here;
        }
        assert_eq!(found, times, "{word} in {place}");
    }
}

/// Decisions belong to a capability.
#[test]
fn routes_name_neither_the_store_nor_the_table() {
    for file in rust_files("functions/api/src").unwrap() {
        if file.path.contains("/tests/") {
            continue;
        }
        assert!(!file.text.contains("shared::store"), "{}", file.path);
        let ports = file.text.matches("shared::ports").count();
        let named =
            ["shared::ports::Clock;", "shared::ports::Disposition;", "shared::ports::Ports;"];
        let allowed: usize = named.iter().map(|word| file.text.matches(word).count()).sum();
        assert_eq!(ports, allowed, "{}", file.path);
    }
}

/// Another seat of the same tenant, for every path that names one.
#[tokio::test]
async fn what_belongs_to_a_seat_is_not_another_seats() {
    let served = Served::new().await;
    let (tenant, other) = (served.tenant.to_string(), SeatId::derived("joe").to_string());
    let of_another = |role| {
        let caller = Caller { roles: role, tenant: Some(&tenant), seat: Some(&other) };
        served.issuer.token(caller, Duration::from_mins(5)).unwrap()
    };
    let mut checked = 0;
    for operation in served.description.operations() {
        if !operation.path.contains("{seat}") {
            continue;
        }
        let (method, path) = (operation.method.to_uppercase(), path_of(&served, &operation));
        let seller = served.call(&method, &path, Some(&of_another(&["seat"])), None).await;
        assert_eq!(seller.status, StatusCode::FORBIDDEN, "{path}");
        // Who is an admin too may look at what is another seat's, and takes out no grant for it.
        let both = served.call(&method, &path, Some(&of_another(&["seat", "admin"])), None).await;
        let may = operation.roles().contains("admin");
        assert_eq!(both.status != StatusCode::FORBIDDEN, may, "{path}");
        checked += 1;
    }
    assert_eq!(checked, 46);
}

/// Whoever is no seller any more may still have the seat's name in the token.
#[tokio::test]
async fn a_token_that_names_a_seat_without_the_role_acts_for_no_seat() {
    let served = Served::new().await;
    let (tenant, own) = (served.tenant.to_string(), served.seat.to_string());
    for roles in [&["reporting"][..], &["vendor-rep"], &[]] {
        let caller = Caller { roles, tenant: Some(&tenant), seat: Some(&own) };
        let token = served.issuer.token(caller, Duration::from_mins(5)).unwrap();
        let mut checked = 0;
        for operation in served.description.operations() {
            if operation.path.contains("{seat}") {
                let (method, path) =
                    (operation.method.to_uppercase(), path_of(&served, &operation));
                let answer = served.call(&method, &path, Some(&token), None).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{roles:?} {method} {path}");
                checked += 1;
            }
        }
        assert_eq!(checked, 46);
    }
}

#[tokio::test]
async fn a_token_that_does_not_verify_is_refused_whatever_is_wrong_with_it() {
    let served = Served::new().await;
    let path = served.connection("/runs");
    let tenant = served.tenant.to_string();
    let caller = Caller { roles: &["admin"], tenant: Some(&tenant), seat: None };
    let good = served.issuer.claims(caller, Duration::from_mins(1));
    let now = good["nbf"].as_u64().unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        served.issuer.sign(&claims).unwrap()
    };
    let minutes = Duration::from_mins(2).as_secs();
    let mut wrong = vec![
        with("exp", json!(now - minutes)),
        with("nbf", json!(now + minutes)),
        with("aud", json!("another")),
        with("iss", json!("https://issuer.example.com")),
        "not.a.token".to_owned(),
        String::new(),
    ];
    let good = served.issuer.sign(&good).unwrap();
    // Another key's signature; no signature and no algorithm.
    let (head, rest) = good.split_once('.').unwrap();
    let (claims, _) = rest.split_once('.').unwrap();
    wrong.push(format!("{head}.{claims}.{}", "A".repeat(342)));
    wrong.push(format!("eyJhbGciOiJub25lIn0.{claims}."));
    for token in wrong {
        let answer = served.get(&token, &path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}");
        assert_eq!(answer.body["type"], "unauthorized");
    }
    assert_ne!(served.get(&good, &path).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn i55_a_look_at_another_tenant_leaves_a_line_that_names_both_and_a_rightful_one_none() {
    const REFUSED: &str = "asked for another tenant";
    let lines = tempfile::NamedTempFile::new().unwrap();
    let writer = Mutex::new(lines.reopen().unwrap());
    let log = tracing_subscriber::fmt::layer().json().with_writer(writer);
    let logged = tracing::subscriber::set_default(tracing_subscriber::registry().with(log));
    let served = Served::new().await;
    let elsewhere = TenantId::derived("another");
    let path = served.connection("/matches/summary");
    for rightful in [served.token("admin"), served.token("service"), served.token("none")] {
        served.get(&rightful, &path).await;
    }
    let told = |lines: &str| lines.lines().filter(|line| line.contains(REFUSED)).count();
    assert_eq!(told(&std::fs::read_to_string(lines.path()).unwrap()), 0);
    for role in ["admin", "seat"] {
        let answer = served.get(&served.token_of(elsewhere, role), &path).await;
        assert!(stranger(&answer), "{role}: {}", answer.body);
    }
    drop(logged);
    let lines = std::fs::read_to_string(lines.path()).unwrap();
    assert_eq!(told(&lines), 2, "{lines}");
    let names = |line: &str| {
        line.contains(&served.tenant.to_string()) && line.contains(&elsewhere.to_string())
    };
    assert!(lines.lines().filter(|line| line.contains(REFUSED)).all(names), "{lines}");
}

/// With a token and without, found and not found, refused and done.
#[tokio::test]
async fn no_answer_is_kept_by_anybody_or_taken_for_another_kind_of_document() {
    let served = Served::new().await;
    let mut asked: Vec<(String, String)> = served
        .description
        .operations()
        .iter()
        .map(|operation| (operation.method.to_uppercase(), path_of(&served, operation)))
        .collect();
    asked.extend([("GET".to_owned(), "/nowhere".to_owned()), ("PUT".to_owned(), "/v1".to_owned())]);
    for (method, path) in asked {
        for token in [None, Some(served.token("admin"))] {
            let mut request = Request::builder().method(&*method).uri(&path);
            if let Some(token) = token {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            let request = request.body(Body::empty()).unwrap();
            let answer = served.router.clone().oneshot(request).await.unwrap();
            let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header(header::CACHE_CONTROL), Some("no-store"), "{method} {path}");
            assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"), "{method} {path}");
        }
    }
}
