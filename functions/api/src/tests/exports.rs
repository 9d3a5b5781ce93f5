//! The Match Data Report and exports over HTTP: what they say of an org, to whom, for how long.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::world::World;

use super::Served;
use super::canary::{imported, marked};

async fn scene() -> (World, Served, tempfile::TempDir) {
    let folder = marked();
    let world = Box::pin(imported(folder.path())).await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    (world, served, folder)
}

/// Has something exported, and gives the export as it is once it is ready.
async fn export(world: &World, served: &Served, order: &Value) -> Value {
    let admin = served.token("admin");
    let asked = served.post(&admin, &served.connection("/exports"), order).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    assert_eq!(asked.body["state"], "running");
    world.run().await;
    let id = asked.body["export_id"].as_str().unwrap();
    let shown = served.get(&admin, &served.connection(&format!("/exports/{id}"))).await.body;
    assert_eq!(shown["state"], "ready", "{shown}");
    shown
}

/// The rows of an export's JSON files, each by its record's id.
async fn rows(world: &World, export: &Value) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    for file in export["files"].as_array().unwrap() {
        let key = file["url"].as_str().unwrap().strip_prefix("memory:").unwrap();
        let bytes = world.ports().objects.get(key).await.unwrap().unwrap();
        for line in String::from_utf8(bytes.to_vec()).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            assert!(rows.insert(row["record_id"].as_str().unwrap().to_owned(), row).is_none());
        }
    }
    assert_eq!(rows.len() as u64, export["rows"]);
    rows
}

/// Spec, Match Data Report: accounts, contacts, leads: count and percent matched and unmatched; the
/// full export of both.
#[tokio::test]
async fn the_match_data_report_counts_what_its_exports_list() {
    let (world, served, _folder) = scene().await;
    let admin = served.token("admin");
    let report = served.get(&admin, &served.connection("/match-report")).await.body;
    assert!(report["generated_at"].is_string());
    let matched = export(&world, &served, &json!({ "kind": "matched", "format": "jsonl" })).await;
    let unmatched =
        export(&world, &served, &json!({ "kind": "unmatched", "format": "jsonl" })).await;
    let (matched, unmatched) = (rows(&world, &matched).await, rows(&world, &unmatched).await);
    for object in ["Account", "Contact", "Lead"] {
        let told = &report["objects"][object];
        let count = |rows: &BTreeMap<String, Value>, decision: &str| {
            let of = rows.values().filter(|row| row["object"] == object);
            of.filter(|row| decision.is_empty() || row["decision"] == decision).count() as u64
        };
        assert_eq!(told["matched"], count(&matched, ""), "{told}");
        assert_eq!(told["unmatched"], count(&unmatched, ""), "{told}");
        for (name, decision) in
            [("duplicate", "duplicate"), ("review", "review"), ("no_match", "non_match")]
        {
            assert_eq!(told[name], count(&unmatched, decision), "{name}: {told}");
        }
        let rows = world.control().records(&world.org, object, 0, 100_000).unwrap().len() as u64;
        let converted = rows - told["records"].as_u64().unwrap();
        assert!(converted == 0 || object == "Lead", "{object}: {converted}");
        let percent = |name: &str| told[name].as_f64().unwrap();
        let exact = 100.0 * percent("matched") / percent("records");
        assert!((percent("matched_percent") - exact).abs() < 0.051, "{told}");
        let sum = percent("matched_percent") + percent("unmatched_percent");
        assert!((sum - 100.0).abs() < 1e-9, "{told}");
    }
    let seat = served.get(&served.token("seat"), &served.connection("/match-report")).await;
    assert_eq!(seat.status, StatusCode::FORBIDDEN, "only admins see the report");
}

/// Spec, Match Data Report: all rows if there are fewer than 1,000, otherwise a sample.
#[tokio::test]
async fn the_compatible_export_has_every_row_where_there_are_fewer_than_a_thousand() {
    let (world, served, _folder) = scene().await;
    let order = |compat: Value| {
        let mut order = json!({ "kind": "unmatched", "format": "jsonl" });
        if !compat.is_null() {
            order["compat"] = compat;
        }
        order
    };
    let sample = export(&world, &served, &order(json!(1000))).await;
    assert_eq!(sample["compat"], 1000);
    let all = export(&world, &served, &order(Value::Null)).await;
    assert_eq!(all["compat"], Value::Null);
    let ids = |rows: BTreeMap<String, Value>| rows.into_keys().collect::<BTreeSet<_>>();
    assert_eq!(ids(rows(&world, &sample).await), ids(rows(&world, &all).await));
    let path = served.connection("/exports");
    for wrong in [json!(999), json!(0), json!(1001)] {
        let answer = served.post(&served.token("admin"), &path, &order(wrong)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.body["pointer"], "/compat");
    }
}

#[tokio::test]
async fn an_export_is_asked_for_once_and_its_addresses_are_short_lived() {
    let (world, served, _folder) = scene().await;
    let (admin, path) = (served.token("admin"), served.connection("/exports"));
    let order = json!({ "kind": "matched", "format": "csv" });
    let first = served.post(&admin, &path, &order).await.body;
    assert_eq!(served.post(&admin, &path, &order).await.body, first, "it is being written");
    world.run().await;
    let shown = format!("{path}/{}", first["export_id"].as_str().unwrap());
    let ready = served.get(&admin, &shown).await.body;
    let file = &ready["files"][0];
    assert_eq!(file["name"], "matched-1.csv");
    let until: jiff::Timestamp = file["url_valid_until"].as_str().unwrap().parse().unwrap();
    let now = world.ports().clock.now();
    assert_eq!(until, now + SignedDuration::from_mins(15));
    world.memory.clock.advance(SignedDuration::from_hours(25));
    world.run().await;
    let expired = served.get(&admin, &shown).await.body;
    assert_eq!((&expired["state"], &expired["files"]), (&json!("expired"), &json!([])));
    let seat = served.get(&served.token("seat"), &shown).await;
    assert_eq!(seat.status, StatusCode::FORBIDDEN);
}
