//! What the table holds in the clear, before a purge and after it. Backups hold the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use shared::capabilities::activities::{ActivityKind, ActivityText, LogWish, NewActivity};
use shared::capabilities::audit::{Actor, AuditFilter, KEPT, check};
use shared::capabilities::changing::{ChangeKind, FieldValue, NewChange, Values};
use shared::capabilities::linking::Correcting;
use shared::capabilities::seats;
use shared::kernel::{Author, EntityId, Grantee, RecordRef, SObject, SeatId};
use shared::matching::EntityKind;
use shared::ports::{Clock, Item};
use shared::store::keys::Kind;
use tests::world::{Delivery, World};

use super::main_job::{ADMIN, imported};
use super::observe::{lists, saved};
use super::org::small;

const SELLER: &str = "noor.castellan@acme.example";

/// Words of a text that nobody may read in the table.
const TEXT: &str = "as discussed over lunch";

/// The attributes that items of each kind have in the clear. `sealed` is a sealed document.
const IN_THE_CLEAR: [(Kind, &[&str]); 7] = [
    (
        Kind::Record,
        &["change", "digest", "gone", "id", "object", "read_at", "run", "stamp", "step"],
    ),
    (Kind::Edge, &[]),
    (Kind::Candidates, &["revision", "sealed"]),
    (Kind::Entity, &["revision", "sealed"]),
    (Kind::Saved, &["revision", "sealed"]),
    (Kind::Correction, &["revision", "sealed"]),
    // A lane counts places.
    (Kind::Activity, &["done", "given", "revision", "sealed"]),
];

/// A world in which everything happened that leaves something of a person.
async fn lived_in(folder: &std::path::Path) -> (World, Vec<EntityId>) {
    let world = imported(folder, Delivery::Plain).await;
    let seat = SeatId::derived(SELLER);
    world.authorize(Grantee::Seat(seat), SELLER).await.unwrap();
    let contacts = lists(&world, SObject::Contact).await;
    let linked: Vec<_> = contacts.into_iter().filter(|list| list.matched.is_some()).collect();
    let people: Vec<EntityId> = linked.iter().filter_map(|list| list.matched.clone()).collect();
    assert!(people.len() > 3 && !saved(&world, seat, "leads").await.is_empty());
    let scope = world.connection().await.scope();
    let what = Correcting::Match { entity_id: people[0].clone() };
    let by = Author::Seat { seat };
    let corrections = &world.functions.corrections;
    corrections.say(scope, SObject::Contact, linked[0].id, what, &by).await.unwrap();
    let new = NewActivity {
        seat,
        idempotency_key: "1".to_owned(),
        kind: ActivityKind::Message,
        entity_kind: EntityKind::Person,
        entity: people[1].clone(),
        occurred_at: "2026-11-20T15:00:00Z".parse().unwrap(),
        text: ActivityText { body: TEXT.to_owned(), ..ActivityText::default() },
        opportunity: None,
        source: None,
        wish: LogWish::default(),
    };
    world.functions.activities.post(world.at(), new).await.unwrap();
    world.run().await;
    world.set(&json!({ "update_contacts": true, "bulk_changes": true })).await;
    let title = |title: &str| Values::from([("Title".to_owned(), FieldValue::from(title))]);
    let record = RecordRef { object: SObject::Contact, id: linked[1].id };
    let update = NewChange {
        seat,
        idempotency_key: String::new(),
        what: ChangeKind::Update { record },
        entity: Some(people[1].clone()),
        to: title(TEXT),
        from: title(SELLER),
        role: None,
        create_anyway: false,
    };
    world.functions.changes.post_bulk(world.at(), seat, "1", vec![update]).await.unwrap();
    world.run().await;
    (world, people)
}

/// An item as whoever has a copy of the table reads it, without what is sealed.
fn readable(item: &Item) -> String {
    let mut doc = item.doc.clone();
    doc.remove("sealed");
    format!("{} {} {}", item.key.pk(), item.key.sk(), serde_json::Value::Object(doc))
}

/// The words that a text is made of.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !"_-.@".contains(c)).collect()
}

#[tokio::test]
async fn what_a_generation_holds_unsealed_is_known_kind_by_kind() {
    let folder = small();
    let (world, people) = lived_in(folder.path()).await;
    let kinds: BTreeMap<String, Kind> =
        world.keys().await.partitions().map(|(kind, pk)| (pk, kind)).collect();
    let mut met: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for item in world.memory.items() {
        let Some(&kind) = kinds.get(item.key.pk()) else { continue };
        met.entry(kind).or_default().extend(item.doc.keys().cloned());
        let text = readable(&item);
        let named = people.iter().find(|person| words(&text).contains(person.as_str()));
        assert_eq!(named, None, "{kind:?} names a person: {text}");
        for mark in [TEXT, SELLER, "noor", "Noor"] {
            assert!(!text.contains(mark), "{kind:?} holds {mark}: {text}");
        }
    }
    for (kind, attributes) in IN_THE_CLEAR {
        let found = met.remove(&kind).unwrap_or_else(|| panic!("no item of {kind:?}"));
        let known: BTreeSet<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
        let unknown: Vec<_> = found.difference(&known).collect();
        assert!(unknown.is_empty(), "{kind:?} holds {unknown:?} in the clear");
        let keyed = ["sealed", "digest"].iter().any(|name| found.contains(*name));
        assert!(keyed || kind == Kind::Edge, "{kind:?}: {found:?}");
    }
    // The others hold states and counts of work, and of grants.
    let rest: BTreeSet<Kind> = met.into_keys().collect();
    assert!(
        rest.is_subset(&[Kind::Run, Kind::MatchRun, Kind::Grant, Kind::Model, Kind::Export].into())
    );
}

#[tokio::test]
async fn after_a_purge_the_raw_items_name_nobody() {
    let folder = small();
    let (world, people) = lived_in(folder.path()).await;
    let connection = world.connection().await;
    let scope = connection.scope();
    let records: BTreeSet<String> =
        lists(&world, SObject::Contact).await.iter().map(|list| list.id.to_string()).collect();
    let by = Actor::Admin { subject: Some(ADMIN.to_owned()) };
    world.functions.disconnect.disconnect(world.at(), &by).await.unwrap();
    world.run().await;
    let purge = world.functions.disconnect.get(scope).await.unwrap().unwrap();
    assert!(purge.completed_at.is_some(), "{purge:?}");

    let marks = [
        connection.org_name.clone(),
        connection.integration_user.to_string(),
        connection.instance_url.to_string(),
        connection.login_host.to_string(),
        TEXT.to_owned(),
        ADMIN.to_owned(),
    ];
    let mut left = BTreeSet::new();
    for item in world.memory.items() {
        let (pk, sk) = (item.key.pk(), item.key.sk());
        // The directory and the contract are not what the connection brought in.
        if pk.starts_with("DIRECTORY") || (pk.starts_with("TEN#") && is_of_the_contract(sk)) {
            continue;
        }
        left.insert(pk.split('#').next().unwrap().to_owned());
        let text = readable(&item);
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{mark} is left: {text}");
        }
        for word in words(&text) {
            assert!(!records.contains(word), "a record is left: {text}");
            assert!(people.iter().all(|person| person.as_str() != word), "{text}");
        }
    }
    let known = ["AUDIT", "ENV", "TEN"].map(str::to_owned);
    assert_eq!(left, BTreeSet::from(known), "the log, settings, and the certificate");
    assert!(world.functions.custody.find(world.at()).await.is_err(), "no connection is left");

    // The log tells the whole life, and checks.
    let log = &world.functions.audit_log;
    let page = log.page(world.tenant, &AuditFilter::default(), None).await.unwrap();
    let told: Vec<String> = page.entries.iter().map(|e| format!("{:?}", e.deed.action)).collect();
    for deed in ["Connected", "SeatAuthorized", "MatchCorrected", "Disconnected", "Purged"] {
        assert!(told.iter().any(|told| told == deed), "{deed}: {told:?}");
    }
    let now = (world.memory.clock.now(), KEPT);
    let checked = check(world.tenant, page.entries, &[page.head], now).unwrap();
    assert_eq!(checked.first, Some(1));
}

/// What a contract is made of: the tenant, its seats and their addresses.
fn is_of_the_contract(sk: &str) -> bool {
    let tenant = shared::kernel::TenantId::derived("any");
    let seat = seats::keys::seats(tenant);
    let shared::ports::Range::Prefix(seat) = seat.range() else { return false };
    sk == "TENANT" || sk.starts_with(seat.as_str()) || sk.starts_with("EMAIL")
}
