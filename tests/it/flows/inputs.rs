//! Strange owners and texts, and locked rows, each by its number in the catalogues: nothing is
//! saved for nobody, and what a seller wrote is logged once, in order, as it was written.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use salesforce_simulator::{Fault, FaultKind};
use serde_json::{Value, json};
use shared::capabilities::activities::{ActivityKind, ActivityState, ActivityText, NewActivity};
use shared::capabilities::seats::CrmUserStatus;
use shared::kernel::{Author, EntityId, SObject};
use tests::world::World;

use super::connection::Scene;
use super::main_job::{activity, import_again, state};
use super::observe::{lists, saved_anywhere};
use super::saving::{deal, nobodys, user};

const SELLER: &str = "noor.castellan@acme.example";

/// Takes a user's licence away.
fn deactivate(world: &World, user: &Value) {
    let id = user.as_str().unwrap();
    world.control().update(&world.org, id, &json!({ "IsActive": false })).unwrap();
}

/// I27: a deal of nobody, of a queue, of somebody who left or of somebody without a seat saves
/// nothing for anybody; once a seller owns it, it does.
#[tokio::test]
async fn i27_a_deal_whose_owner_is_no_seller_saves_nothing_for_anybody() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let (contact, account) = nobodys(world).await;
    let control = world.control();
    let queue = json!({ "Name": "Deals", "Type": "Queue" });
    let queue = control.create(&world.org, "Group", &queue).unwrap();
    let stranger = json!({ "LastName": "Stranger", "Username": "stranger@faults.example",
        "Email": "stranger@elsewhere.example", "IsActive": true });
    let stranger = control.create(&world.org, "User", &stranger).unwrap();
    let before = saved_anywhere(world, "leads").await;
    for owner in [json!(queue), json!(stranger), json!("005000000000999AAA")] {
        deal(world, &owner, &account, contact.id);
    }
    // A deal that is given to nobody would be its maker's: it is taken away from the queue.
    deal(world, &json!(queue), &account, contact.id);
    let deals = control.records(&world.org, "Opportunity", 0, 10_000).unwrap();
    let of_queue = deals.iter().find(|deal| deal["OwnerId"] == queue.as_str()).unwrap();
    let nobody = json!({ "OwnerId": null });
    control.update(&world.org, of_queue["Id"].as_str().unwrap(), &nobody).unwrap();
    control.advance(60);
    import_again(world, "strange owners").await;
    assert_eq!(saved_anywhere(world, "leads").await, before);

    // Somebody who has a seat, and left: their own list takes nothing new either.
    let seller = user(world, SELLER);
    deactivate(world, &seller);
    deal(world, &seller, &account, contact.id);
    import_again(world, "who left").await;
    assert_eq!(saved_anywhere(world, "leads").await, before);
    let back = json!({ "IsActive": true });
    control.update(&world.org, seller.as_str().unwrap(), &back).unwrap();
    deal(world, &seller, &account, contact.id);
    import_again(world, "who came back").await;
    let after = saved_anywhere(world, "leads").await;
    let new: Vec<&String> = after.difference(&before).collect();
    assert_eq!(new, [contact.id.as_str()]);
}

/// I27: whom an admin chose for a seat and who left is nobody's user any more; nor is anybody else
/// of the seat's address, until the admin says so.
#[tokio::test]
async fn i27_a_chosen_user_who_left_saves_nothing_for_the_seat() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let (contact, account) = nobodys(world).await;
    let users = world.control().records(&world.org, "User", 0, 1_000).unwrap();
    let chosen = users.iter().find(|u| u["IsActive"] == true && u["Email"] != SELLER).unwrap();
    let chosen = chosen["Id"].clone();
    let id = chosen.as_str().unwrap().parse().unwrap();
    world.functions.crm_users.choose(at, scene.seat, id, Author::Service).await.unwrap();
    world.run().await;
    deactivate(world, &chosen);
    import_again(world, "who left").await;
    let before = saved_anywhere(world, "leads").await;
    for owner in [chosen, user(world, SELLER)] {
        deal(world, &owner, &account, contact.id);
    }
    import_again(world, "their deals").await;
    assert_eq!(saved_anywhere(world, "leads").await, before);
    let link = world.functions.crm_users.link(at, scene.seat).await.unwrap();
    assert_eq!((link.status, link.user), (CrmUserStatus::Inactive, None));
}

fn saying(scene: &Scene, key: &str, person: &EntityId, body: &str) -> NewActivity {
    let text = ActivityText { body: body.to_owned(), ..ActivityText::default() };
    let new = activity(scene.seat, key, ActivityKind::Message, person.as_str());
    NewActivity { text, ..new }
}

/// I64: emoji, control characters and more text than a row holds are logged once each, as they were
/// written as far as there is room; no queue ever holds them.
#[tokio::test]
async fn i64_emoji_and_control_characters_are_logged_as_written_and_reach_no_queue() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    world.memory.watch(move |place, bytes| {
        if place.starts_with("queue") {
            kept.lock().unwrap().push(bytes.to_vec());
        }
    });
    let long = "👩‍👩‍👧".repeat(4_500);
    let texts =
        ["😀🎉", "a\u{0}b\u{1b}[31m\u{7}\u{fffe}\u{202e}z", "one\r\ntwo\u{85}\u{2028}", &long];
    let mut posted = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let new = saying(&scene, &n.to_string(), &scene.person, text);
        posted.push(world.functions.activities.post(world.at(), new).await.unwrap());
    }
    world.run().await;
    for (activity, text) in posted.iter().zip(texts) {
        let now = state(world, activity.id).await;
        let ActivityState::Logged { salesforce_id } = now else { panic!("{text}: {now:?}") };
        let row = world.control().record(&world.org, salesforce_id.as_str()).unwrap();
        let logged = row["Description"].as_str().unwrap();
        assert!(logged.encode_utf16().count() <= 32_000 && logged.contains("[ref "), "{logged}");
        let (body, _) = logged.rsplit_once("\n\n[ref ").unwrap();
        match body.strip_suffix('…') {
            Some(begin) => assert!(text.starts_with(begin) && begin.len() > 50_000, "{logged}"),
            None => assert_eq!(body, text),
        }
    }
    assert_eq!(world.control().writes(&world.org).unwrap().len(), texts.len());
    let bodies = bodies.lock().unwrap();
    assert!(bodies.len() >= texts.len(), "{}", bodies.len());
    let printable = |byte: &u8| (b' '..=b'~').contains(byte);
    assert!(bodies.iter().flatten().all(printable), "what SQS would refuse, or a person's text");
}

/// Two people whose contacts belong to one account, with the contacts' ids, and one of another.
async fn colleagues(world: &World) -> [(EntityId, String); 3] {
    let mut known: Vec<(String, EntityId, String)> = Vec::new();
    for list in lists(world, SObject::Contact).await {
        let row = world.control().record(&world.org, list.id.as_str()).unwrap();
        let account = row["AccountId"].as_str().unwrap_or_default().to_owned();
        known.extend(list.matched.map(|person| (account, person, list.id.to_string())));
    }
    for (n, (account, one, contact)) in known.iter().enumerate() {
        let mut others = known[n + 1..].iter();
        let colleague = others.find(|(theirs, ..)| theirs == account);
        let stranger = known.iter().find(|(theirs, ..)| theirs != account);
        if let (Some((_, other, at)), Some((_, third, there))) = (colleague, stranger) {
            return [(one, contact), (other, at), (third, there)]
                .map(|(person, contact)| (person.clone(), contact.clone()));
        }
    }
    panic!("no account has two matched contacts");
}

/// F38: while a row is locked, what is to be logged at its account waits and keeps its order;
/// another account's goes on. In the end each is one row.
#[tokio::test]
async fn f38_activities_at_a_locked_account_are_logged_once_each_in_order() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let [(one, contact), (other, _), (stranger, elsewhere)] = colleagues(world).await;
    let body = json!([{ "errorCode": "UNABLE_TO_LOCK_ROW",
        "message": "unable to obtain exclusive access to this record or 1 records: 001" }]);
    let locked = FaultKind::Respond {
        status: 400,
        body: body.to_string(),
        content_type: None,
        retry_after: None,
    };
    world.control().add_fault(Fault {
        body_contains: Some(contact.clone()),
        ..Fault::at("/sobjects/Task", locked).method("POST").times(3)
    });
    let mut posted = Vec::new();
    for (n, person) in [&one, &other, &one, &stranger, &other].into_iter().enumerate() {
        let new = saying(&scene, &n.to_string(), person, &format!("Said as {n}."));
        posted.push(world.functions.activities.post(world.at(), new).await.unwrap());
    }
    world.run().await;
    for activity in &posted {
        let now = state(world, activity.id).await;
        assert!(matches!(now, ActivityState::Logged { .. }), "{now:?}");
    }
    let hits: u64 = world.control().faults().iter().map(|fault| fault.hits).sum();
    assert_eq!(hits, 3, "it was tried until the lock was gone");
    let rows = world.control().writes(&world.org).unwrap();
    let said = |row: &salesforce_simulator::WriteEntry| {
        let text = row.fields["Description"].as_str().unwrap().to_owned();
        (row.fields["WhoId"] == elsewhere.as_str(), text["Said as ".len()..][..1].to_owned())
    };
    let said: Vec<(bool, String)> = rows.iter().map(said).collect();
    let of = |there: bool| -> Vec<&str> {
        said.iter().filter(|(is, _)| *is == there).map(|(_, n)| n.as_str()).collect()
    };
    assert_eq!(of(false), ["0", "1", "2", "4"]);
    assert_eq!((of(true), said[0].1.as_str()), (vec!["3"], "3"), "the other account did not wait");
    let ids: BTreeSet<_> = rows.iter().map(|row| row.id.clone()).collect();
    assert_eq!(ids.len(), 5);
}

/// Who stands behind others in a lane is sent on its way once, when the one before is logged, has
/// failed or was taken back. Nothing asks again and again for its turn.
#[tokio::test]
async fn who_stands_behind_others_is_sent_on_its_way_when_they_are_done() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let [(one, _), (other, _), _] = colleagues(world).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    world.memory.watch(move |place, bytes| {
        if place.starts_with("queue") && String::from_utf8_lossy(bytes).contains("act_") {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let refused = FaultKind::Respond {
        status: 400,
        body: json!([{ "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no" }])
            .to_string(),
        content_type: None,
        retry_after: None,
    };
    world.control().add_fault(Fault {
        body_contains: Some("Said as 3.".to_owned()),
        ..Fault::at("/sobjects/Task", refused).method("POST").times(1)
    });
    let mut posted = Vec::new();
    for n in 0..8 {
        let person = if n % 2 == 0 { &one } else { &other };
        let new = saying(&scene, &n.to_string(), person, &format!("Said as {n}."));
        posted.push(world.functions.activities.post(world.at(), new).await.unwrap().id);
    }
    world.functions.activities.withdraw(world.at(), posted[5]).await.unwrap();
    world.run().await;
    for (n, id) in posted.iter().enumerate() {
        let now = state(world, *id).await;
        let is_right = match n {
            3 => matches!(now, ActivityState::Failed { .. }),
            5 => now == ActivityState::Withdrawn,
            _ => matches!(now, ActivityState::Logged { .. }),
        };
        assert!(is_right, "{n}: {now:?}");
    }
    assert_eq!(sent.load(Ordering::Relaxed), posted.len(), "each is sent on its way once");
}
