//! An admin asks what auto-save would save before turning anything on, and gets just that.

use axum::http::StatusCode;
use serde_json::{Value, json};
use tests::world::World;

use super::Served;
use super::changes::day;

/// Gives the sellers of the org's users seats.
pub(super) async fn seats(world: &World, served: &Served) -> Vec<String> {
    let users = world.control().records(&world.org, "User", 0, usize::MAX).unwrap();
    let ids: Vec<&Value> = users.iter().map(|user| &user["Id"]).collect();
    let path = served.connection("/crm-users/seats");
    let answer = served.post(&served.token("admin"), &path, &json!({ "user_ids": ids })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let items = answer.body["items"].as_array().unwrap().iter();
    items.filter_map(|item| item["seat_id"].as_str()).map(str::to_owned).collect()
}

/// What is saved: how many accounts and people of each seat.
pub(super) async fn saved(served: &Served, seats: &[String]) -> Vec<(usize, usize)> {
    let admin = served.token("admin");
    let count = async |seat: &str, kind: &str| {
        let path = served.connection(&format!("/seats/{seat}/saved?kind={kind}"));
        served.get(&admin, &path).await.body["items"].as_array().unwrap().len()
    };
    let mut counts = Vec::new();
    for seat in seats {
        counts.push((count(seat, "accounts").await, count(seat, "leads").await));
    }
    counts
}

/// A dry run under a change of the settings, to its end.
pub(super) async fn dry_run(world: &World, served: &Served, change: &Value) -> Value {
    let (admin, path) = (served.token("admin"), served.connection("/saving/dry-run"));
    let asked = served.post(&admin, &path, change).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    assert_eq!(asked.body["finished_at"], Value::Null);
    world.run().await;
    let told = served.get(&admin, &path).await.body;
    assert!(told["finished_at"].is_string(), "{told}");
    told
}

pub(super) fn number(of: &Value, name: &str) -> usize {
    usize::try_from(of[name].as_u64().unwrap()).unwrap()
}

#[tokio::test]
async fn a_dry_run_saves_nothing_and_tells_what_is_saved_once_it_is_turned_on() {
    let (world, served, _token, _folder) = day().await;
    let seats = seats(&world, &served).await;
    world.run().await;
    let before = saved(&served, &seats).await;
    let rules = [
        "save_owned_accounts",
        "save_team_accounts",
        "save_people_of_owned_accounts",
        "save_owned_people",
    ];
    let all: Value = rules.iter().map(|rule| ((*rule).to_owned(), json!(true))).collect();
    let told = dry_run(&world, &served, &all).await;
    assert_eq!(saved(&served, &seats).await, before, "nothing was saved");
    assert_eq!(number(&told, "seats"), seats.len());
    let had: usize = before.iter().map(|(accounts, people)| accounts + people).sum();
    assert_eq!(number(&told, "had"), had, "the rules of deals hold already");
    assert!(number(&told, "unmatched") > 0);
    for example in told["examples"].as_array().unwrap() {
        let path = served.connection(&format!(
            "/entities/{}/{}",
            if example["list"] == "accounts" { "company" } else { "person" },
            example["entity_id"].as_str().unwrap()
        ));
        let found = served.get(&served.token("admin"), &path).await.body;
        assert_eq!(found["link"]["record_id"], example["record_id"], "{found}");
    }

    world.set(&all).await;
    world.run().await;
    let after = saved(&served, &seats).await;
    let mut sum = (0, 0);
    for ((seat, was), is) in seats.iter().zip(&before).zip(&after) {
        let new = (is.0 - was.0, is.1 - was.1);
        sum = (sum.0 + new.0, sum.1 + new.1);
        let of_seat = told["by_seat"].as_array().unwrap().iter().find(|of| of["seat_id"] == **seat);
        let told = of_seat.map_or((0, 0), |of| (number(of, "accounts"), number(of, "leads")));
        assert_eq!(told, new, "{seat}");
    }
    assert_eq!((number(&told, "accounts"), number(&told, "leads")), sum);
    assert!(sum.0 > 0 && sum.1 > 0, "{sum:?}");

    // Now there is nothing new.
    let told = dry_run(&world, &served, &json!({})).await;
    assert_eq!((number(&told, "accounts"), number(&told, "leads")), (0, 0));
    assert_eq!(told["examples"], json!([]));
}

#[tokio::test]
async fn a_dry_run_goes_by_its_own_settings_and_a_later_one_ends_it() {
    let (world, served, _token, _folder) = day().await;
    let (admin, path) = (served.token("admin"), served.connection("/saving/dry-run"));
    assert_eq!(served.get(&admin, &path).await.status, StatusCode::NOT_FOUND, "none was asked for");
    let wrong = served.post(&admin, &path, &json!({ "save_everything": true })).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body["detail"].as_str().unwrap().contains("save_everything is no setting"));

    world.set(&json!({ "auto_save": false })).await;
    let first = served.post(&admin, &path, &json!({ "save_owned_accounts": true })).await;
    assert_eq!(first.body["run"], 1);
    let none = json!({ "save_opportunity_accounts": false, "save_opportunity_people": false });
    let told = dry_run(&world, &served, &none).await;
    assert_eq!((&told["run"], &told["accounts"], &told["had"]), (&json!(2), &json!(0), &json!(0)));
    let owned = dry_run(&world, &served, &json!({ "save_owned_accounts": true })).await;
    assert!(number(&owned, "accounts") > 0, "auto-save is counted as turned on: {owned}");
    let kept = served.get(&admin, &served.connection("/settings")).await.body;
    assert_eq!((&kept["auto_save"], &kept["save_owned_accounts"]), (&json!(false), &json!(false)));
}
