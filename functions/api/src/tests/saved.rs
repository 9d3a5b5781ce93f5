//! A list of auto-save has an end and says so; what no rule calls for leaves it where an admin
//! wants that; and what was saved under one revision of the settings is undone.

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::world::World;

use super::Served;
use super::changes::{at, day};
use super::dry_runs::{dry_run, number, saved, seats};
use super::left::{import, role};

/// The rules about what somebody owns.
fn owners(on: bool) -> Value {
    json!({ "save_owned_accounts": on, "save_owned_people": on, "save_team_accounts": on,
        "save_people_of_owned_accounts": on })
}

async fn entries(served: &Served, kind: &str) -> Value {
    let path = at(served, &format!("/saved?kind={kind}"));
    served.get(&served.token("admin"), &path).await.body
}

/// The entry of a record.
async fn entry(served: &Served, kind: &str, record: &str) -> Option<Value> {
    let page = entries(served, kind).await;
    let items = page["items"].as_array().unwrap();
    items.iter().find(|item| item["record"] == record).cloned()
}

async fn fills(served: &Served) -> Vec<Value> {
    let path = served.connection("/saving/lists");
    let page = served.get(&served.token("admin"), &path).await.body;
    assert_eq!(page["next"], Value::Null, "{page}");
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_full_list_says_what_it_left_out_and_takes_it_in_once_it_may_hold_more() {
    let (world, served, _token, _folder) = day().await;
    let seats = seats(&world, &served).await;
    world.run().await;
    let before = saved(&served, &seats).await;
    let had = before.iter().map(|of| of.0).max().unwrap();
    let most = had + 3;
    let mut rules = owners(true);
    rules["most_saved_accounts"] = json!(most);
    let told = dry_run(&world, &served, &rules).await;
    let left_out = number(&told, "left_out");
    assert!(left_out > 0, "{told}");

    world.set(&rules).await;
    world.run().await;
    let full = saved(&served, &seats).await;
    assert!(full.iter().all(|of| of.0 <= most), "{full:?}");
    let new: usize = full.iter().zip(&before).map(|(is, was)| is.0 - was.0).sum();
    assert_eq!(new, number(&told, "accounts") - left_out);
    let of_lists = fills(&served).await;
    for (seat, of) in seats.iter().zip(&full) {
        for (list, entries) in [("accounts", of.0), ("leads", of.1)] {
            let told = of_lists.iter().find(|of| of["seat_id"] == **seat && of["list"] == list);
            assert_eq!(told.map_or(0, |told| number(told, "entries")), entries, "{seat} {list}");
            let may_be_full = list == "accounts" && of.0 == most;
            let since = told.map_or(&Value::Null, |told| &told["full_since"]);
            assert!(may_be_full || since.is_null(), "{seat} {list} has room: {told:?}");
        }
    }
    let told_to: Vec<&Value> =
        of_lists.iter().filter(|fill| !fill["full_since"].is_null()).collect();
    assert!(!told_to.is_empty());
    let path = served.connection(&format!(
        "/seats/{}/saved?kind=accounts",
        told_to[0]["seat_id"].as_str().unwrap()
    ));
    let page = served.get(&served.token("admin"), &path).await.body;
    assert_eq!((&page["most"], &page["full_since"]), (&json!(most), &told_to[0]["full_since"]));

    world.set(&json!({ "most_saved_accounts": 1000 })).await;
    world.run().await;
    let all = saved(&served, &seats).await;
    let new: usize = all.iter().zip(&before).map(|(is, was)| is.0 - was.0).sum();
    assert_eq!(new, number(&told, "accounts"), "nothing was lost");
    assert!(fills(&served).await.iter().all(|fill| fill["full_since"].is_null()));
}

/// A contact who is in no list of the seller's, matched.
async fn free_contact(world: &World, served: &Served) -> String {
    let contacts = world.control().records(&world.org, "Contact", 0, usize::MAX).unwrap();
    for contact in contacts {
        let id = contact["Id"].as_str().unwrap();
        if entry(served, "leads", id).await.is_some() {
            continue;
        }
        let path = served.connection(&format!("/matches/Contact/{id}"));
        let found = served.get(&served.token("admin"), &path).await.body;
        if found["entity_id"].is_string() || found["match"]["entity_id"].is_string() {
            return id.to_owned();
        }
    }
    panic!("everybody is saved")
}

#[tokio::test]
async fn what_no_rule_calls_for_leaves_a_list_after_the_days_that_the_admin_grants_and_not_before()
{
    let (world, served, _token, _folder) = day().await;
    let contact = free_contact(&world, &served).await;
    let (deal, _) = role(&world, &contact);
    import(&world, &served).await;
    let now = async || entry(&served, "leads", &contact).await;
    assert!(now().await.is_some(), "their deal is open");
    let others = entries(&served, "leads").await["items"].as_array().unwrap().len() - 1;
    let stage = |stage: &str| {
        let stage = json!({ "StageName": stage });
        world.control().update(&world.org, &deal, &stage).unwrap();
    };
    let day = async || {
        world.memory.clock.advance(SignedDuration::from_hours(24));
        import(&world, &served).await;
    };

    // Without a word of the admin it stays for good.
    stage("Closed Lost");
    for _ in 0..3 {
        day().await;
    }
    assert_eq!(now().await.unwrap()["uncalled_since"], Value::Null, "nobody looked");

    world.set(&json!({ "unsave_after_days": 2 })).await;
    day().await;
    let marked = now().await.unwrap();
    assert!(marked["uncalled_since"].is_string(), "{marked}");
    // Called for again, its days begin anew.
    stage("Prospecting");
    day().await;
    assert_eq!(now().await.unwrap()["uncalled_since"], Value::Null);
    stage("Closed Lost");
    day().await;
    assert!(now().await.unwrap()["uncalled_since"].is_string());
    day().await;
    assert!(now().await.is_some(), "one day is not two");
    day().await;
    assert_eq!(now().await, None);
    let left = entries(&served, "leads").await["items"].as_array().unwrap().len();
    assert_eq!(left, others, "what open deals call for stays");
    let counted = fills(&served).await;
    let of = |fill: &&Value| fill["seat_id"] == json!(served.seat) && fill["list"] == "leads";
    assert_eq!(number(counted.iter().find(of).unwrap(), "entries"), left);
}

#[tokio::test]
async fn what_was_saved_under_a_revision_is_undone_but_for_what_todays_rules_call_for() {
    let (world, served, _token, _folder) = day().await;
    let seats = seats(&world, &served).await;
    world.run().await;
    let (admin, path) = (served.token("admin"), served.connection("/saving/undo"));
    let before = saved(&served, &seats).await;
    assert_eq!(served.get(&admin, &path).await.status, StatusCode::NOT_FOUND);
    world.set(&owners(true)).await;
    world.run().await;
    let with = saved(&served, &seats).await;
    assert_ne!(with, before);
    let settings = served.get(&admin, &served.connection("/settings")).await.body;
    let revision = settings["revision"].as_u64().unwrap();
    let refused = served.post(&admin, &path, &json!({ "revision": revision })).await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (StatusCode::CONFLICT, &json!("rules_in_force"))
    );
    let unknown = served.post(&admin, &path, &json!({ "revision": revision + 1 })).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", unknown.body);

    // Accounts that somebody owns are wanted still, the rest is not.
    let mut fewer = owners(false);
    fewer["save_owned_accounts"] = json!(true);
    world.set(&fewer).await;
    world.run().await;
    assert_eq!(saved(&served, &seats).await, with, "a change of the rules takes nothing away");
    let asked = served.post(&admin, &path, &json!({ "revision": revision })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    world.run().await;
    let told = served.get(&admin, &path).await.body;
    assert!(told["finished_at"].is_string(), "{told}");
    let after = saved(&served, &seats).await;
    let sum = |of: &[(usize, usize)]| of.iter().map(|of| of.0 + of.1).sum::<usize>();
    assert_eq!(number(&told, "removed"), sum(&with) - sum(&after), "{told}");
    assert!(number(&told, "removed") > 0 && number(&told, "kept") > 0, "{told}");
    assert!(after.iter().zip(&before).all(|(is, was)| is.0 >= was.0 && is.1 == was.1), "{after:?}");

    // With auto-save off, nothing is called for: what the first rules saved goes by name, too.
    world.set(&json!({ "auto_save": false })).await;
    // The fewer rules saved nothing anew: to undo them takes nothing of the others.
    served.post(&admin, &path, &json!({ "revision": revision + 1 })).await;
    world.run().await;
    assert_eq!(saved(&served, &seats).await, after);
    for revision in 0..=revision + 2 {
        served.post(&admin, &path, &json!({ "revision": revision })).await;
        world.run().await;
    }
    assert_eq!(sum(&saved(&served, &seats).await), 0);
    let counted: usize = fills(&served).await.iter().map(|fill| number(fill, "entries")).sum();
    assert_eq!(counted, 0);
    let log = format!("/v1/tenants/{}/audit?action=saving_undone", served.tenant);
    let log = served.get(&admin, &log).await.body;
    let deeds = log["items"].as_array().unwrap();
    assert_eq!(deeds[0]["deed"]["details"]["revision"], json!(revision.to_string()));
}
