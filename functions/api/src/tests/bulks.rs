//! A seller goes through their worklist over HTTP: what the directory is ahead of is looked at in
//! the CRM, approved together, and undone together.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use tests::world::World;

use super::Served;
use super::changes::{at, day};

/// Reads everything of the org again.
async fn import(world: &World, served: &Served) {
    let (admin, runs) = (served.token("admin"), served.connection("/runs"));
    let begun = served.call("POST", &runs, Some(&admin), None).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    world.run().await;
}

/// Every item of the seller's worklist.
async fn worklist(served: &Served, token: &str) -> Vec<Value> {
    let (mut items, mut path) = (Vec::new(), "/worklist".to_owned());
    loop {
        let page = served.get(token, &at(served, &path)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        items.extend(page.body["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page.body["next"].as_str() else { return items };
        path = format!("/worklist?cursor={next}");
    }
}

/// What an item proposes to write of a title or a place.
fn proposed(item: &Value) -> Option<&Map<String, Value>> {
    let proposals = item["proposals"].as_array().unwrap().iter();
    let mut proposals = proposals.filter(|proposal| proposal["fact"] != "company");
    proposals.find_map(|proposal| proposal["to"].as_object())
}

/// The update that each item proposes, from the values that the CRM has.
async fn update(served: &Served, token: &str, items: &[&Value]) -> Vec<Value> {
    let records = items
        .iter()
        .map(|item| json!({ "object": item["object"], "record_id": item["record_id"] }));
    let asked = json!({ "records": records.collect::<Vec<_>>() });
    let now = served.post(token, &at(served, "/crm/records"), &asked).await;
    assert_eq!(now.status, StatusCode::OK, "{}", now.body);
    let now = now.body["items"].as_array().unwrap().clone();
    assert_eq!(now.len(), items.len(), "in the order of the question, each once");
    let updates = items.iter().zip(now).map(|(item, now)| {
        assert_eq!((&now["record_id"], &now["may_edit"]), (&item["record_id"], &json!(true)));
        let fields = now["fields"].as_array().unwrap();
        let seen = |name: &String| fields.iter().find(|field| field["name"] == *name).unwrap();
        let both = |(name, to): (&String, &Value)| {
            (name.clone(), json!({ "from": seen(name)["value"], "to": to }))
        };
        let both: Map<String, Value> = proposed(item).unwrap().iter().map(both).collect();
        json!({ "kind": "update", "object": item["object"], "record_id": item["record_id"],
            "fields": both })
    });
    updates.collect()
}

/// The values that the CRM has of what each item proposes.
fn values(world: &World, items: &[&Value]) -> Vec<Map<String, Value>> {
    let values = items.iter().map(|item| {
        let id = item["record_id"].as_str().unwrap();
        let row = world.control().record(&world.org, id).unwrap();
        let names = proposed(item).unwrap().keys();
        names.map(|name| (name.clone(), row[name].clone())).collect()
    });
    values.collect()
}

/// Puts two contacts behind the directory that are saved for the seller: one has another place, one
/// another title. Gives their ids, and that of a contact that is not saved.
async fn fall_behind(world: &World, served: &Served, token: &str) -> ([String; 2], String) {
    let saved = served.get(token, &at(served, "/saved?kind=leads")).await.body;
    let saved = saved["items"].as_array().unwrap().iter();
    let contacts = saved.filter(|item| item["object"] == "Contact");
    let ids: Vec<String> =
        contacts.map(|item| item["record"].as_str().unwrap().to_owned()).collect();
    let ids: [String; 2] = ids.try_into().unwrap();
    for (id, behind) in ids.iter().zip([
        json!({ "MailingCity": "Unterlampen", "MailingCountry": "Iceland" }),
        json!({ "Title": "Deputy Apprentice of Lamps" }),
    ]) {
        world.control().update(&world.org, id, &behind).unwrap();
    }
    import(world, served).await;
    let contacts = world.control().records(&world.org, "Contact", 0, 100).unwrap();
    let mut others = contacts.iter().map(|contact| contact["Id"].as_str().unwrap().to_owned());
    let other = others.find(|id| !ids.contains(id)).unwrap();
    (ids, other)
}

/// The items of a worklist that are about these records.
fn about<'a>(list: &'a [Value], ids: &[String]) -> Vec<&'a Value> {
    let is_about = |item: &&Value| ids.iter().any(|id| item["record_id"] == *id);
    list.iter().filter(is_about).filter(|item| proposed(item).is_some()).collect()
}

#[tokio::test]
async fn a_worklist_tells_what_the_directory_has_and_no_value_of_a_record() {
    let (world, served, token, _folder) = day().await;
    let (ids, _) = fall_behind(&world, &served, &token).await;
    let list = worklist(&served, &token).await;
    let behind = about(&list, &ids);
    assert_eq!(behind.len(), 2, "{list:#?}");
    for item in &list {
        let text = item.to_string();
        let is_told = text.contains("Apprentice") || text.contains("Unterlampen");
        assert!(!is_told, "{item}");
    }
    world.control().advance(60);
    let approved = json!({ "changes": update(&served, &token, &behind).await });
    served.post(&token, &at(&served, "/bulks"), &approved).await;
    world.run().await;
    let left = worklist(&served, &token).await;
    for item in &behind {
        let still = left.iter().find(|left| left["record_id"] == item["record_id"]);
        assert_ne!(still.and_then(proposed), proposed(item), "it is as the directory has it");
    }
}

#[tokio::test]
async fn what_a_seller_approves_together_is_made_once_each_and_taken_back_together() {
    let (world, served, token, _folder) = day().await;
    let (ids, other) = fall_behind(&world, &served, &token).await;
    let list = worklist(&served, &token).await;
    let behind = about(&list, &ids);
    world.control().advance(60);
    let before = values(&world, &behind);
    let mut changes = update(&served, &token, &behind).await;
    for (field, from) in [("Title", json!("What nobody saw")), ("Phone", Value::Null)] {
        changes.push(json!({ "kind": "update", "object": "Contact", "record_id": other,
            "fields": { field: { "from": from, "to": "Chief" } } }));
    }
    let approved = json!({ "changes": changes });
    let path = at(&served, "/bulks");
    let posted = served.keyed(&token, &path, "all", &approved).await;
    assert_eq!(posted.status, StatusCode::ACCEPTED, "{}", posted.body);
    let items = posted.body["items"].as_array().unwrap();
    assert_eq!(items.len(), changes.len());
    assert_eq!(items[3]["problem"]["type"], "invalid", "{}", posted.body);
    assert_repeated(&served, &token, &posted.body, &approved).await;

    world.run().await;
    let bulk = at(&served, &format!("/bulks/{}", posted.body["bulk_id"].as_str().unwrap()));
    let shown = served.get(&token, &bulk).await.body;
    let states = shown["changes"].as_array().unwrap().iter().map(|change| &change["state"]);
    assert_eq!(states.collect::<Vec<_>>(), ["made", "made", "refused"], "{shown:#}");
    let wanted: Vec<_> = behind.iter().map(|item| proposed(item).unwrap().clone()).collect();
    assert_eq!(values(&world, &behind), wanted);

    let undo = served.call("POST", &format!("{bulk}/undo"), Some(&token), None).await;
    assert_eq!(undo.status, StatusCode::ACCEPTED, "{}", undo.body);
    assert_eq!(undo.body["items"][2]["problem"]["type"], "not_now", "it was refused");
    world.run().await;
    assert_eq!(values(&world, &behind), before, "each is as it was");
    let writes = world.control().writes(&world.org).unwrap();
    let of_ours = writes.iter().filter(|write| write.object == "Contact").count();
    assert_eq!(of_ours, 2 * behind.len(), "each once, and back once");
}

/// The same bulk again is the same, and its key is no other one's.
async fn assert_repeated(served: &Served, token: &str, posted: &Value, approved: &Value) {
    let path = at(served, "/bulks");
    let again = served.keyed(token, &path, "all", approved).await;
    let ids = |answer: &Value| -> Vec<Value> {
        let items = answer["items"].as_array().unwrap().iter();
        items.map(|item| item["change"]["change_id"].clone()).collect()
    };
    assert_eq!(ids(&again.body), ids(posted));
    let other = json!({ "changes": [approved["changes"][0]] });
    let reused = served.keyed(token, &path, "all", &other).await;
    assert_eq!((reused.status, &reused.body["type"]), (StatusCode::CONFLICT, &json!("key_reused")));
}

#[tokio::test]
async fn a_bulk_of_none_of_too_many_or_of_a_stranger_is_refused() {
    let (_world, served, token, _folder) = day().await;
    let path = at(&served, "/bulks");
    let change = json!({ "kind": "update", "object": "Contact", "record_id": "003000000000001AAA",
        "fields": { "Title": { "from": null, "to": "Chief" } } });
    for changes in [vec![], vec![change.clone(); 101]] {
        let answer = served.keyed(&token, &path, "1", &json!({ "changes": changes })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.body["pointer"], "/changes");
    }
    for records in
        [vec![], vec![json!({ "object": "Lead", "record_id": "00Q000000000001EAA" }); 101]]
    {
        let asked = json!({ "records": records });
        let answer = served.post(&token, &at(&served, "/crm/records"), &asked).await;
        assert_eq!(answer.body["pointer"], "/records", "{}", answer.body);
    }
    let deal =
        json!({ "records": [{ "object": "Opportunity", "record_id": "006000000000001AAA" }] });
    let answer = served.post(&token, &at(&served, "/crm/records"), &deal).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    let unseen = json!({ "records": [{ "object": "Lead", "record_id": "00Q000000000001EAA" }] });
    let answer = served.post(&token, &at(&served, "/crm/records"), &unseen).await;
    assert_eq!((answer.status, &answer.body["items"]), (StatusCode::OK, &json!([])));
    let nobody = at(&served, "/bulks/bulk_00000000000000000000000001");
    assert_eq!(served.get(&token, &nobody).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_may_update_nothing_has_no_worklist() {
    let (world, served, token, _folder) = day().await;
    world.set(&json!({ "update_contacts": false, "update_leads": false })).await;
    let answer = served.get(&token, &at(&served, "/worklist")).await;
    assert_eq!((answer.status, &answer.body["type"]), (StatusCode::CONFLICT, &json!("turned_off")));
    let made_up = served.get(&token, &at(&served, "/worklist?cursor=x")).await;
    assert_eq!(made_up.status, StatusCode::CONFLICT, "the settings come first");
}
