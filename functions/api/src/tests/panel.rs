//! A seller opens a person's panel: the record is read as the seller, and what is read is taken in.

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::json;
use tests::world::World;

use super::accounts::field;
use super::changes::{at, day};

/// How often the row of a contact was asked for.
fn readings(world: &World, id: &str) -> usize {
    let row = format!("/sobjects/Contact/{id}");
    let requests = world.control().requests();
    requests.iter().filter(|request| request.path.ends_with(&row)).count()
}

#[tokio::test]
async fn a_panel_that_is_opened_many_times_at_once_is_read_once_and_anew_after_it() {
    let (world, served, token, _folder) = day().await;
    let contact = world.control().records(&world.org, "Contact", 0, 1).unwrap().remove(0);
    let id = contact["Id"].as_str().unwrap();
    let path = at(&served, &format!("/crm/records/Contact/{id}"));
    let opened = join_all((0..6).map(|_| served.get(&token, &path))).await;
    assert!(opened.iter().all(|answer| answer.status == StatusCode::OK));
    assert!(opened.iter().all(|answer| answer.body == opened[0].body));
    assert_eq!(readings(&world, id), 1);

    // Nothing is kept: a change is seen at once.
    world.control().update(&world.org, id, &json!({ "Title": "Buyer of lamps" })).unwrap();
    let again = served.get(&token, &path).await.body;
    assert_eq!(field(&again, "Title")["value"], "Buyer of lamps");
    assert_eq!(readings(&world, id), 2);
}
