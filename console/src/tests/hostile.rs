//! The worst texts that an org can hold, in every place where a page shows one of the org's texts.
//! Line 28 of the checklist, and I34 of the list of bad inputs.

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::html::{assert_inert, assert_isolated, parse};
use super::*;

/// Turns what follows it around: from right to left.
const TURN: char = '\u{202e}';

/// The texts: markup that would run, markup that would break out of an attribute, a text that turns
/// the line around, one in Arabic, and one without a space that is as long as a field can be.
fn texts() -> [String; 5] {
    [
        "<script>alert(1)</script><img src=x onerror=alert(2)><svg/onload=alert(3)>".to_owned(),
        "\"'><a href=javascript:alert(4) onmouseover=alert(5) style=x>{{7*7}}</bdi></td>"
            .to_owned(),
        format!("{TURN}gpj.exe \u{2066}\u{200f}"),
        "شركة الأمثلة المحدودة".to_owned(),
        "W".repeat(32_000),
    ]
}

const AT: &str = "2026-11-28T12:00:00Z";

fn run(text: &str) -> Value {
    json!({
        "run_id": "run_x", "state": "importing", "trigger": "connected", "full": true,
        "paused": false, "stands_back_until": null, "started_at": AT, "finished_at": null,
        "objects_left": 3, "api_calls": 17, "seconds_left": 600,
        "org_calls": { "used": 400, "most": 15_000, "seen_at": AT },
        "objects": { "Lead": {
            "phase": "failed", "reason": text, "code": text, "message": text, "new": 1,
            "updated": 2, "unchanged": 3, "deleted": 4, "skipped": 5, "failed": 6,
            "rows_fetched": 10, "rows_expected": 1_000_000, "rows_per_second": 812.5,
            "errors": [{ "code": text, "message": text, "count": 2, "fix": "Connect again." }],
            "hidden_fields": [text], "salesforce_count": 7, "live": 8,
        } },
    })
}

fn connection(text: &str) -> Value {
    json!({
        "state": "reconnect_required", "generation": 1, "integration_user": text,
        "org": { "id": text, "name": text, "edition": text, "instance_url": text },
        "connected_at": AT, "grant": { "authorized_at": AT, "renewed_at": AT },
        "paused_since": AT, "degraded_since": AT, "handed_over_at": AT,
        "trouble": { "reason": "grant_dead", "since": AT, "lapses_at": AT },
    })
}

fn wizard(text: &str) -> Value {
    json!({
        "at": "sync", "finished": false, "login_host": text, "settings": settings(text),
        "steps": [{ "step": "connect", "answered": true }, { "step": "sync", "answered": false }],
    })
}

fn settings(text: &str) -> Value {
    json!({
        "save_opportunity_accounts": true, "save_opportunity_people": true,
        "save_owned_accounts": true, "save_team_accounts": true,
        "save_people_of_owned_accounts": true, "save_owned_people": true, "after_stage": true,
        "most_saved_accounts": 50_000, "most_saved_people": 7, "unsave_after_days": 30,
        "auto_save": true, "stage": text, "log_messages": true, "log_notes": true, "roi": true,
        "log_smart_links": true, "log_calls": true, "log_connection_requests": true,
        "desktop_calls": true, "enhanced_notes": true, "refuse_converted_leads": true,
        "embedded_profile": true, "data_validation": true, "restricted_data": true,
        "create_leads": true, "create_contacts": true, "update_leads": true,
        "create_accounts": true, "update_accounts": true, "bulk_changes": true,
        "lead_source": text, "require_email": true, "log_on_opportunities": true,
        "update_contacts": true, "update_title": text, "update_company": text,
        "update_address": text, "contact_owner": text, "changed_at": AT,
    })
}

fn dry_run() -> Value {
    json!({
        "run": 1, "asked_at": AT, "finished_at": null, "seats": 2, "seats_without_user": 1,
        "accounts": 3, "leads": 4, "had": 5, "unmatched": 6, "left_out": 2,
        "examples": [],
        "by_rule": [{ "rule": "owned_accounts", "entries": 3 }],
        "by_seat": [{ "seat_id": "seat_x", "accounts": 3, "leads": 4 }],
    })
}

fn permissions(text: &str) -> Value {
    json!({
        "state": "blocked",
        "required": [{ "object": "Lead", "optional": false, "fields": [{ "field": "Email" }] }],
        "found": {
            "inspected_at": AT, "refused": text, "personal_user": true,
            "objects": [{
                "object": "Lead", "readable": false, "optional": false, "blocks": ["matching"],
                "hidden": [{ "field": text, "blocks": "matching" }],
            }],
        },
    })
}

fn found(text: &str) -> Value {
    json!({
        "object": "Lead", "record_id": "00Q000000000001AAA", "decision": "review",
        "entity_id": text, "source": "auto", "probability": 0.8,
        "candidates": [{
            "entity_id": text, "weight": 7.5, "probability": 0.8, "words": text,
            "comparisons": [{ "name": "email", "level": text, "exact": true, "weight": 4.0 }],
        }],
        "ruling": { "always": text, "never": [text] },
    })
}

fn purge(text: &str) -> Value {
    let grants = json!({ "open": 0, "revoked": 1, "already_dead": 0, "unconfirmed": 0 });
    json!({
        "state": "complete", "requested_at": AT, "deadline": AT, "data_key_destroyed": true,
        "waiting_for": null, "waiting_until": null, "grants": grants,
        "certificate": {
            "tenant": "ten_x", "environment": "production", "generation": 1, "org_id": text,
            "completed_at": AT, "found": { text: 3 }, "remaining": {},
            "kept_elsewhere": [{ "what": "logs", "until": AT }],
        },
    })
}

fn audit(text: &str) -> Value {
    json!({
        "head": { "number": 2, "hash": "00ff" },
        "items": [{
            "number": 1, "at": AT, "hash": text,
            "by": { "kind": "admin", "subject": text, "seat": text },
            "deed": {
                "action": "settings_changed", "environment": "production", "generation": 1,
                "seat": text, "object": "Lead", "name": text, "details": { text: text },
            },
        }],
    })
}

fn seats(text: &str) -> [Value; 3] {
    let seat = json!({ "seat_id": "seat_x", "email": text, "name": text, "roles": ["seat"] });
    let user = json!({ "user_id": text, "name": text, "active": true });
    let link = json!({
        "seat_id": "seat_x", "status": "mapped_by_hand", "user_id": text, "candidates": [user],
    });
    [
        json!({ "items": [seat] }),
        json!({ "items": [link] }),
        json!({ "state": "authorized", "ends_at": AT }),
    ]
}

/// The API's answer to a path below the connection.
fn of_connection(path: &str, text: &str) -> Option<Value> {
    let [_, links, authorization] = seats(text);
    let mapping = json!({ "object": "Lead", "field": text, "custom_field": text });
    Some(match path {
        "" => connection(text),
        "/wizard" => wizard(text),
        "/permissions" => permissions(text),
        "/runs" => json!({ "items": [run(text)], "last_sync_at": AT, "next_sync_at": AT }),
        "/runs/run_x" => run(text),
        "/doctor" => json!({ "checks": [{
            "check": "same_org", "finding": "problem", "evidence": text, "steps": ["Open Setup"],
        }] }),
        "/field-mappings" => json!({ "items": [mapping] }),
        "/field-mappings/preview" => json!({
            "mapping": mapping, "record_id": text, "asked_at": AT, "state": "ready",
            "reason": text, "values": { "field": text, "custom_field": text },
        }),
        "/record-filters" => json!({ "items": [{ "object": "Lead", "conditions": [
            { "field": text, "operator": "in", "value": [text, text] },
        ] }] }),
        "/import-settings" => json!({
            "every_minutes": 60, "schedule_paused": false, "api_percent": 70,
            "api_reserve": 1000, "formula_refresh_hours": 168,
        }),
        "/settings" => settings(text),
        "/org-stages" => json!({ "items": [
            { "name": text, "label": text, "closed": false, "active": true },
        ] }),
        "/saving/dry-run" => dry_run(),
        "/saving/undo" => json!({
            "revision": 3, "asked_at": AT, "finished_at": null, "removed": 5, "kept": 6,
        }),
        "/saving/lists" => json!({ "items": [{ "full_since": AT }, { "full_since": null }] }),
        "/seats" => links,
        "/seats/seat_x/authorization" => authorization,
        _ => return of_matching(path, text),
    })
}

/// The API's answer about matches.
fn of_matching(path: &str, text: &str) -> Option<Value> {
    Some(match path {
        "/matches/summary" => {
            let bars = [2; 20];
            json!({ "Lead": {
                "matched": 5, "duplicate": 1, "review": 2, "unmatched": 3, "by_probability": bars,
            } })
        }
        "/match-runs" => json!({ "items": [] }),
        "/matches" => json!({
            "items": [
                { "record_id": "00Q000000000001AAA", "decision": "review" },
                { "record_id": "00Q000000000001AAA", "decision": "duplicate" },
            ],
            "next": text,
        }),
        "/matches/Lead/00Q000000000001AAA" => found(text),
        "/matches/Lead/00Q000000000001AAA/sides" => {
            let side = |id: Option<&str>| {
                json!({
                    "entity_id": id, "name": text, "title": text, "company": text, "website": text,
                    "place": text,
                })
            };
            json!({ "record": side(None), "candidates": [side(Some(text))] })
        }
        "/matches/Lead/00Q000000000001AAA/corrections" => json!({ "history": [{
            "action": "match", "entity_id": text, "by": text, "at": AT,
        }] }),
        "/models" => json!({ "items": [{
            "model": text, "state": "ready", "corrected_records": { text: 40 },
            "shadow": { text: {
                "same": 1, "newly_matched": 2, "no_longer_matched": 3, "other_entity": 4,
                "examples": [text],
            } },
            "created_at": AT, "finished_at": AT,
        }] }),
        "/model" => json!({ "model": null }),
        "/match-rules" => json!({ "changed_at": AT, "objects": [{
            "object": text, "effective_match_at": 0.9, "match_at": 0.97, "review_at": 0.5,
            "must_agree": [text], "comparisons": [text, "email"],
        }] }),
        "/match-rules/preview" => json!({
            "asked_at": AT, "finished_at": null, "objects": [{
                "object": text, "records": 4, "matched": 3, "would_match": 2, "lost": 1,
                "gained": 1, "lost_examples": [{ "record_id": text }],
                "gained_examples": [{ "record_id": text }],
            }],
        }),
        _ if path.starts_with("/entities/person/") => {
            json!({ "link": { "object": text, "record_id": text } })
        }
        _ => return None,
    })
}

/// The API's answer for who runs the product.
fn of_operator(path: &str, text: &str) -> Option<Value> {
    Some(match path {
        "/v1/tenants" => json!({ "next": "ten_x", "items": [{
            "tenant_id": text, "name": text, "entitled": false, "created_at": AT,
            "connections": { text: {
                "state": text, "connected_at": AT, "reason": text, "paused_since": AT,
            } },
        }] }),
        "/v1/directory/versions" => json!({ "items": [{
            "version": text, "base": text, "state": "draft", "reason": text, "people": 1,
            "companies": 2, "shards": 3, "skipped": { text: 4 }, "created_at": AT,
            "published_at": null,
        }] }),
        "/v1/queues" => json!({ "items": [{
            "queue": text, "waiting": 1, "in_flight": 2, "delayed": 3, "dead_letters": 4,
            "late_seconds": 500,
        }] }),
        _ => return None,
    })
}

/// The API's answer to a path, with the text wherever a text can come from outside.
fn answer(path: &str, text: &str) -> Option<Value> {
    let tenant = format!("/v1/tenants/{}", TenantId::derived("acme"));
    if let Some(answer) = of_operator(path, text) {
        return Some(answer);
    }
    let path = path.strip_prefix(&tenant).unwrap_or(path);
    if let Some(path) = path.strip_prefix("/connections/production") {
        return of_connection(path, text);
    }
    let [of_tenant, ..] = seats(text);
    Some(match path {
        "" => json!({ "name": text, "entitled": true }),
        "/seats" => of_tenant,
        "/audit" => audit(text),
        "/purges/production-1" => purge(text),
        "/v1/network-access" => {
            json!({ "version": text, "ranges": ["203.0.113.7/32"], "steps": ["Open Setup"] })
        }
        _ => return None,
    })
}

/// An API that knows one text.
fn speaking(text: String) -> Router {
    Router::new().fallback(async move |request: Request| -> Response {
        if let Some(answer) = answer(request.uri().path(), &text) {
            return Json(answer).into_response();
        }
        let missing = json!({ "type": "not_found", "title": "Not found", "status": 404 });
        (StatusCode::NOT_FOUND, Json(missing)).into_response()
    })
}

#[tokio::test]
async fn checklist_28_no_text_of_an_org_runs_breaks_out_or_turns_a_line_around() {
    let shown = [
        "/runs/run_x",
        "/records/Lead/00Q000000000001AAA",
        "/review?object=Lead",
        "/purges/production-1",
    ];
    for (n, text) in texts().into_iter().enumerate() {
        let served = Served::over_api(speaking(text.clone())).await;
        let mut browser = served.logged_in("admin").await;
        let mut places = 0;
        for page in PAGES.into_iter().chain(shown) {
            let answer = browser.get(&at(page)).await;
            assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.text);
            assert_inert(&answer.text);
            assert_isolated(&answer.text, TURN);
            keep(n, page, &answer);
            // The text is there as it was, and as a text.
            let (_, parts) = parse(&answer.text);
            let whole = parts.iter().any(|(_, part)| part.contains(&text));
            assert!(whole, "{page} does not show the tenant's name as it is");
            places += parts.iter().filter(|(_, part)| part.contains(&text)).count();
        }
        assert!(places > 60, "only {places} places");
        let mut browser = served.logged_in("service").await;
        for page in operate::PAGES {
            let answer = browser.get(page).await;
            assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.text);
            assert_inert(&answer.text);
            assert_isolated(&answer.text, TURN);
            keep(n, page, &answer);
        }
        keep_assets(&mut browser).await;
    }
}

/// Writes a page into the folder that `HOSTILE_PAGES` names, for the walk: a browser lays it out.
#[expect(clippy::disallowed_methods, reason = "the walk says where it looks for the pages")]
fn keep(text: usize, page: &str, answer: &Answer) {
    let Ok(folder) = std::env::var("HOSTILE_PAGES") else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let policy = answer.header("content-security-policy");
    std::fs::write(format!("{folder}/policy"), policy).unwrap();
    let name: String = page.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    std::fs::write(format!("{folder}/{text}{name}.html"), &answer.text).unwrap();
}

/// Writes what the pages need beside them.
#[expect(clippy::disallowed_methods, reason = "the walk says where it looks for the pages")]
async fn keep_assets(browser: &mut Browser) {
    let Ok(folder) = std::env::var("HOSTILE_PAGES") else { return };
    for asset in [&crate::assets::STYLE, &crate::assets::SCRIPT, &crate::assets::ICON] {
        let path = asset.path();
        let name = path.rsplit('/').next().unwrap();
        std::fs::write(format!("{folder}/{name}"), browser.get(&path).await.text).unwrap();
    }
}

#[test]
fn the_style_breaks_long_words_and_isolates_what_an_org_says() {
    let style = include_str!("../../assets/console.css");
    assert!(style.contains("overflow-wrap: anywhere"));
    assert!(style.contains("code, td, th, dd, option { unicode-bidi: isolate; }"));
    for physical in ["margin-left", "margin-right", "padding-left", "text-align: left", " float"] {
        assert!(!style.contains(physical), "{physical}: the other way round it is wrong");
    }
    assert!(!style.contains("url(") && !style.contains("@import"), "nothing is fetched");
}
