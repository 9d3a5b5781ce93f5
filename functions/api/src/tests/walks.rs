//! What a request costs does not grow with what a tenant holds.

use std::collections::BTreeMap;

use shared::capabilities::linking::{CandidateList, DecisionCounts, EntityMatches, RecordDecision};
use shared::capabilities::saving::{Saved, SavedList};
use shared::kernel::{RecordRef, SObject};
use shared::matching::EntityKind;
use shared::ports::{Item, Ports};
use shared::store::{self, keys::GenerationKeys};
use shared::testing::{Fuse, entity_id, record_id};

use super::Served;
use super::guards::path_of;
use super::limits::connected;

/// No request asks the ports more often.
const MOST_CALLS: u64 = 20;

/// Puts `records` candidate lists of leads, and as many saved leads, as settlements and auto-save
/// leave them.
async fn fill(ports: &Ports, keys: &GenerationKeys, served: &Served, records: u64) {
    let now = ports.clock.now();
    let mut items: Vec<Item> = Vec::new();
    for n in 0..records {
        let id = record_id("00Q", n);
        let list = CandidateList {
            decision: RecordDecision::Review,
            ..CandidateList::empty(SObject::Lead, id)
        };
        items.push(store::item(keys.candidates(SObject::Lead, id), &list).unwrap());
        let entity = entity_id(&format!("pr_{n}"));
        let saved = Saved {
            seat: served.seat,
            list: SavedList::Leads,
            entity: entity.clone(),
            record: id,
            object: SObject::Lead,
            reasons: Vec::new(),
            saved_at: now,
            rules: 1,
            uncalled: None,
        };
        let record = RecordRef { object: SObject::Lead, id };
        let linked = EntityMatches {
            matched: Some(record),
            ..EntityMatches::empty(EntityKind::Person, entity.clone())
        };
        items.push(store::item(keys.entity(EntityKind::Person, &entity), &linked).unwrap());
        let slot = keys.saved(served.seat, SavedList::Leads.as_str(), &entity);
        items.push(store::item(slot, &saved).unwrap());
    }
    let counts =
        DecisionCounts { review: i64::try_from(records).unwrap(), ..DecisionCounts::default() };
    items.push(store::item(keys.decision_counts(SObject::Lead), &counts).unwrap());
    ports.table.put_many(items).await.unwrap();
}

/// How often each route that reads asks the ports, with so many records.
async fn calls_with(records: u64) -> BTreeMap<String, u64> {
    let (world, _folder) = connected().await;
    let (ports, fuse) = (world.memory.ports(), Fuse::default());
    let served = Served::over(fuse.guard(&ports), "crm-sync/").await;
    fill(&ports, &world.keys().await, &served, records).await;
    let mut calls = BTreeMap::new();
    for operation in served.description.operations() {
        let roles = operation.roles();
        let role = ["admin", "seat", "service"].into_iter().find(|role| roles.contains(role));
        let (Some(role), "get") = (role, operation.method.as_str()) else { continue };
        let path = path_of(&served, &operation);
        // The first call opens the generation; what every later one costs is what counts.
        for _ in 0..2 {
            let before = fuse.calls();
            served.get(&served.token(role), &path).await;
            calls.insert(operation.path.clone(), fuse.calls() - before);
        }
    }
    let summary = served.get(&served.token("admin"), &served.connection("/matches/summary")).await;
    assert_eq!(summary.body["Lead"]["review"], records, "{}", summary.body);
    let filter = served.connection("/crm-filter?entity_kind=person&in_crm=true");
    let page = served.get(&served.token("seat"), &filter).await;
    assert!(page.body["entity_ids"].as_array().unwrap().len() > 50, "{}", page.body);
    calls
}

#[tokio::test]
async fn no_route_that_reads_asks_more_often_when_there_are_more_records() {
    let (few, many) = (Box::pin(calls_with(1_000)).await, Box::pin(calls_with(100_000)).await);
    assert_eq!(few, many);
    assert!(many.len() > 30, "{}", many.len());
    let summary = many.iter().find(|(path, _)| path.ends_with("/matches/summary")).unwrap();
    assert_eq!(*summary.1, 4, "the connection, and three counts");
    let filter = many.iter().find(|(path, _)| path.ends_with("/crm-filter")).unwrap();
    assert_eq!(*filter.1, 2, "the connection, and a page");
    let costly: Vec<_> = many.iter().filter(|(_, calls)| **calls > MOST_CALLS).collect();
    assert!(costly.is_empty(), "{costly:?}");
}
