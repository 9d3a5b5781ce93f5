//! Badges over HTTP: what they say, of whom, to whom, and what they cost.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::capabilities::linking::{CandidateList, EntityBid, EntityMatches};
use shared::kernel::{Fields, ImportRunId, Reading, Record, RecordRef, SObject, SeatId, TenantId};
use shared::matching::EntityKind;
use shared::ports::{Item, Ports};
use shared::store::{self, Commit};
use shared::testing::{Fuse, entity_id, record_id};
use tempfile::TempDir;
use tests::world::World;

use super::canary::{SELLER, imported, marked};
use super::limits::connected;
use super::{Answer, Served};

/// A world that has imported and matched the small org, behind the API of its seller.
pub(super) async fn seller() -> (World, Served, TempDir) {
    let folder = marked();
    let world = Box::pin(imported(folder.path())).await;
    let mut served = Served::over(world.memory.ports(), "crm-sync/").await;
    served.seat = SeatId::derived(SELLER);
    (world, served, folder)
}

async fn ask(served: &Served, role: &str, kind: &str, ids: &[String]) -> Answer {
    let path = served.connection(&format!("/seats/{}/badges", served.seat));
    served
        .post(&served.token(role), &path, &json!({ "entity_kind": kind, "entity_ids": ids }))
        .await
}

/// The badges of entities, a hundred a call, by id.
pub(super) async fn badges(served: &Served, kind: &str, ids: &[String]) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for ids in ids.chunks(100) {
        let answer = ask(served, "seat", kind, ids).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let badges = answer.body["badges"].as_array().unwrap();
        let of: Vec<&str> = badges.iter().map(|b| b["entity_id"].as_str().unwrap()).collect();
        assert_eq!(of, ids, "in the order asked for");
        found.extend(of.into_iter().map(str::to_owned).zip(badges.clone()));
    }
    found
}

/// The ids of the entities in a file of JSON lines.
pub(super) fn ids(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].clone();
    text.lines().map(|text| line(text).as_str().unwrap().to_owned()).collect()
}

/// The links that the matches' own routes show: object and record, by entity.
pub(super) async fn links(served: &Served, objects: &[&str]) -> BTreeMap<String, (String, String)> {
    let (mut links, admin) = (BTreeMap::new(), served.token("admin"));
    for object in objects {
        let first = served.connection(&format!("/matches?object={object}"));
        let mut path = Some(first.clone());
        while let Some(at) = path {
            let page = served.get(&admin, &at).await.body;
            for item in page["items"].as_array().unwrap() {
                if let Some(entity) = item["entity_id"].as_str() {
                    let record = item["record_id"].as_str().unwrap().to_owned();
                    links.insert(entity.to_owned(), ((*object).to_owned(), record));
                }
            }
            path = page["next"].as_str().map(|next| format!("{first}&cursor={next}"));
        }
    }
    links
}

/// Spec, CRM badge: in CRM (link to record), not in CRM, out of date, on all matched accounts,
/// contacts and leads.
#[tokio::test]
async fn the_crm_badge_is_in_crm_with_a_link_to_the_record_or_not_in_crm_or_out_of_date() {
    let (world, served, folder) = seller().await;
    let instance = world.connection().await.instance_url.to_string();
    let mut states: BTreeMap<String, u32> = BTreeMap::new();
    for (kind, file, objects) in [
        ("person", "people.jsonl", &["Contact", "Lead"][..]),
        ("company", "companies.jsonl", &["Account"][..]),
    ] {
        let links = links(&served, objects).await;
        assert!(links.len() > 20, "{}", links.len());
        for (entity, badge) in badges(&served, kind, &ids(&folder.path().join(file))).await {
            let state = badge["state"].as_str().unwrap();
            *states.entry(state.to_owned()).or_default() += 1;
            let expected = links.get(&entity).map(|(object, record)| {
                json!({ "object": object, "record_id": record,
                    "record_url": format!("{instance}/{record}"), "linked_by": "engine" })
            });
            assert_eq!(badge["record"], json!(expected), "{entity}");
            let outdated = badge["outdated"].as_array().unwrap();
            let expected = match (expected, outdated.is_empty()) {
                (None, _) => "not_in_crm",
                (Some(_), true) => "in_crm",
                (Some(_), false) => "out_of_date",
            };
            assert_eq!(state, expected, "{badge}");
        }
    }
    assert_eq!(states.len(), 3, "{states:?}");
}

/// A contact whose person works elsewhere now, as the directory's next version says.
#[tokio::test]
async fn a_person_who_changed_the_job_turns_the_badge_out_of_date_and_back() {
    let (world, served, folder) = seller().await;
    let people = std::fs::read_to_string(folder.path().join("people.jsonl")).unwrap();
    let people: BTreeMap<String, Value> = people
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|person| (person["id"].as_str().unwrap().to_owned(), person))
        .collect();
    let all: Vec<String> = people.keys().cloned().collect();
    let found = badges(&served, "person", &all).await;
    let is_current = |badge: &&Value| {
        badge["state"] == "in_crm"
            && badge["record"]["object"] == "Contact"
            && badge["missing"] == json!([])
    };
    let before = found.values().find(is_current).expect("a contact that is as its person is");
    let id = before["entity_id"].as_str().unwrap().to_owned();
    let file = folder.path().join("changed.jsonl");
    let publish = async |person: &Value| {
        std::fs::write(&file, format!("{person}\n")).unwrap();
        world.memory.clock.advance(SignedDuration::from_secs(1));
        let current = served.api.directory.current().await.unwrap().unwrap().id;
        world.publish(Some(current), &[(EntityKind::Person, file.clone())]).await;
        world.run().await;
        badges(&served, "person", std::slice::from_ref(&id)).await.remove(&id).unwrap()
    };
    let mut moved = people[&id].clone();
    let old = json!({ "title": moved["title"], "company": moved["company"]["name"] });
    moved["past_positions"].as_array_mut().unwrap().insert(0, old);
    moved["company"] = json!({ "name": "Zephyr Quarries", "start_date": "2026-10" });
    let after = publish(&moved).await;
    assert_eq!(after["state"], "out_of_date", "{after}");
    assert_eq!(after["record"], before["record"], "it still is that person");
    assert_eq!(after["outdated"], json!([{ "fact": "company", "now": "Zephyr Quarries" }]));
    let back = publish(&people[&id]).await;
    assert_eq!(&back, before);
}

/// Spec section 1, 16: the badge is for every seat, the record's fields are not.
#[tokio::test]
async fn a_badge_is_shown_to_every_seat_of_the_tenant_and_holds_no_field_of_the_record() {
    let (world, served, _folder) = seller().await;
    let linked = links(&served, &["Contact"]).await;
    let (entity, (_, record)) = linked.first_key_value().unwrap();
    let wanted = std::slice::from_ref(entity);
    let own = ask(&served, "seat", "person", wanted).await.body;
    let other = Served { seat: SeatId::derived("another seat"), ..served };
    assert_eq!(ask(&other, "seat", "person", wanted).await.body, own);
    assert_eq!(ask(&other, "service", "person", wanted).await.body, own);
    assert_eq!(ask(&other, "admin", "person", wanted).await.status, StatusCode::FORBIDDEN);
    let row = world.control().record(&world.org, record).unwrap();
    let text = own.to_string();
    for field in ["LastName", "Email", "Phone", "Title"] {
        let value = row[field].as_str().unwrap_or_default();
        assert!(value.is_empty() || !text.contains(value), "{field} in {text}");
    }
    let elsewhere = TenantId::derived("another");
    let path = other.connection(&format!("/seats/{}/badges", other.seat));
    let body = json!({ "entity_kind": "person", "entity_ids": [entity] });
    let stranger = other.post(&other.token_of(elsewhere, "seat"), &path, &body).await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    assert_eq!(stranger.body["detail"], "there is no such tenant");
}

#[tokio::test]
async fn what_is_no_question_for_badges_is_refused_with_its_place() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let path = served.connection(&format!("/seats/{}/badges", served.seat));
    let some = |n: usize| (0..n).map(|n| format!("pr_{n}")).collect::<Vec<_>>();
    let question = |kind: Value, ids: Value| json!({ "entity_kind": kind, "entity_ids": ids });
    let mut unknown = question(json!("person"), json!(["pr_1"]));
    unknown["fields"] = json!(["Email"]);
    for (body, pointer) in [
        (question(json!("person"), json!([])), "/entity_ids"),
        (question(json!("person"), json!(some(101))), "/entity_ids"),
        (question(json!("lead"), json!(["pr_1"])), "/entity_kind"),
        (question(json!("person"), json!(["pr_1", ""])), "/entity_ids/1"),
        (question(json!("person"), json!(["x".repeat(513)])), "/entity_ids/0"),
        (question(json!("person"), json!([7])), "/entity_ids/0"),
        (question(json!("person"), json!("pr_1")), "/entity_ids"),
        (unknown, "/fields"),
    ] {
        let answer = served.post(&served.token("seat"), &path, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(answer.content_type, "application/problem+json");
        assert_eq!(answer.body["pointer"], pointer, "{}", answer.body);
    }
    // Before the first directory version nobody is in the CRM.
    let twice = ["co_1", "co_1"].map(str::to_owned);
    let answer = ask(&served, "seat", "company", &twice).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["directory_version"], Value::Null);
    assert_eq!(answer.body["badges"].as_array().unwrap().len(), 2);
    assert_eq!(answer.body["badges"][1]["state"], "not_in_crm");
}

#[tokio::test]
async fn a_directory_whose_bodies_are_missing_is_told_with_what_to_do() {
    let (world, served, _folder) = seller().await;
    let linked = links(&served, &["Contact"]).await;
    let wanted: Vec<String> = linked.keys().take(1).cloned().collect();
    let version = served.api.directory.current().await.unwrap().unwrap();
    let folder = format!("{}bodies/", version.prefix());
    world.memory.ports().objects.delete_folder(&folder).await.unwrap();
    let answer = ask(&served, "seat", "person", &wanted).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.body["type"], "directory_outdated");
    assert_eq!(
        answer.body["detail"],
        "the version keeps no bodies of its entities: publish the directory anew"
    );
}

/// Puts so many candidates and records where imports and matching leave them.
async fn fill(world: &World, records: u64) {
    let (keys, mut items) = (world.keys().await, Vec::<Item>::new());
    for n in 1_000..1_000 + records {
        let id = record_id("003", n);
        let list = CandidateList::empty(SObject::Contact, id);
        items.push(store::item(keys.candidates(SObject::Contact, id), &list).unwrap());
        let matches = EntityMatches::empty(EntityKind::Person, entity_id(&format!("pr_{n}")));
        items
            .push(store::item(keys.entity(EntityKind::Person, &matches.entity), &matches).unwrap());
    }
    world.memory.ports().table.put_many(items).await.unwrap();
}

/// Links a hundred people to contacts, each of an account of its own.
async fn link_hundred(world: &World) {
    let opened = world.functions.custody.shown(world.at()).await.unwrap();
    let stamp = world.memory.ports().clock.now();
    let row = |object, prefix, n, fields: &[(&'static str, String)]| {
        Record::read(object, record_id(prefix, n), stamp, Fields::from_iter(fields.to_vec()))
    };
    let contacts = (0..100).map(|n| {
        let account = record_id("001", n).to_string();
        row(SObject::Contact, "003", n, &[("AccountId", account), ("Title", "Buyer".into())])
    });
    let accounts = (0..100).map(|n| row(SObject::Account, "001", n, &[("Name", "Acme".into())]));
    let run = ImportRunId::derived("filling");
    for (step, rows) in [(1, contacts.collect()), (2, accounts.collect())] {
        opened.records.land(Reading { run, step, at: stamp }, rows).await.unwrap();
    }
    let mut commit = Commit::new();
    for n in 0..100 {
        let record = RecordRef { object: SObject::Contact, id: record_id("003", n) };
        let entity = entity_id(&format!("pr_{n}"));
        let bids = vec![EntityBid { record, probability: 0.9, always: n == 7 }];
        let kind = EntityKind::Person;
        let matches = EntityMatches { kind, entity, bids, matched: Some(record) };
        commit.put(&opened.keys.entity(kind, &matches.entity), &matches).unwrap();
    }
    assert!(opened.store.commit(commit).await.unwrap().is_done());
}

/// The table requests of a call for a hundred badges, the first and a later one, with so many
/// records.
async fn requests_with(records: u64) -> (u64, u64) {
    let (world, folder) = connected().await;
    let employer = json!({ "name": "Acme" });
    let person = |n: u64| json!({ "id": format!("pr_{n}"), "title": "Buyer", "company": employer });
    let people: Vec<String> = (0..100).map(|n| person(n).to_string()).collect();
    let file = folder.path().join("hundred.jsonl");
    std::fs::write(&file, people.join("\n")).unwrap();
    world.publish(None, &[(EntityKind::Person, file)]).await;
    world.run().await;
    fill(&world, records).await;
    link_hundred(&world).await;
    let (ports, fuse) = (world.memory.ports(), Fuse::default());
    let counted = Ports { table: fuse.guard(&ports).table, ..ports };
    let served = Served::over(counted, "crm-sync/").await;
    let ids: Vec<String> = (0..100).map(|n| format!("pr_{n}")).collect();
    let mut requests = Vec::new();
    for _ in 0..2 {
        let before = fuse.calls();
        let answer = ask(&served, "seat", "person", &ids).await;
        requests.push(fuse.calls() - before);
        let badges = answer.body["badges"].as_array().unwrap();
        assert!(badges.iter().all(|badge| badge["state"] == "in_crm"), "{}", answer.body);
        assert_eq!(badges[7]["record"]["linked_by"], "person");
        assert_eq!(badges[8]["record"]["linked_by"], "engine");
    }
    (requests[0], requests[1])
}

#[tokio::test]
async fn a_hundred_badges_cost_four_table_requests_however_many_records_there_are() {
    let few = Box::pin(requests_with(1_000)).await;
    let many = Box::pin(requests_with(100_000)).await;
    // The first call of a process also reads the contract and the directory version.
    assert_eq!((few, many), ((6, 4), (6, 4)));
}
