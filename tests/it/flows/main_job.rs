//! Connect, import, match, save, write back, import again, disconnect and purge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::Value;
use shared::capabilities::activities::{
    ActivityKind, ActivityState, ActivityText, LogWish, NewActivity,
};
use shared::capabilities::importing::RunState;
use shared::capabilities::linking::{MATCHED_OBJECTS, MatchRun, MatchRunState};
use shared::kernel::{
    ActivityId, Author, EntityId, Grantee, ImportMessage, ImportRunId, ImportTrigger, MatchTrigger,
    SObject, SeatId,
};
use shared::matching::EntityKind;
use shared::store::{self, Next};
use tests::Home;
use tests::world::{Delivery, World, WorldOptions};

use super::observe::{is_one_to_one, lists, matched, objects, runs, saved, saved_anywhere};
use super::org::{Row, directory, json_of, rows, small};

pub(super) const ADMIN: &str = "crm.integration@acme.example";

in_both_homes!(
    the_first_import_brings_every_row_of_all_eleven_objects,
    what_belongs_to_open_opportunities_is_saved_for_their_owners,
    a_second_import_writes_only_what_changed_and_saves_a_reopened_deal,
    a_new_directory_version_alone_changes_a_match,
    activities_are_logged_once_with_the_subjects_of_the_documents,
);

/// A world with seats and a directory, connected, and at rest after its first import.
pub(crate) async fn imported(folder: &Path, delivery: Delivery) -> World {
    imported_at(Home::Memory, folder, delivery).await
}

/// The same in a world of this home.
pub(super) async fn imported_at(home: Home, folder: &Path, delivery: Delivery) -> World {
    let options = WorldOptions { home, ..WorldOptions::default() };
    imported_with(options, folder, delivery).await
}

/// The same in a world of these options.
pub(super) async fn imported_with(
    options: WorldOptions,
    folder: &Path,
    delivery: Delivery,
) -> World {
    let mut world = World::with(folder, options).await;
    world.delivery = delivery;
    for seat in json_of(folder, "seats.json").as_array().unwrap() {
        world.seat(seat["email"].as_str().unwrap()).await;
    }
    world.publish(None, &directory(folder)).await;
    world.run().await;
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    world.run().await;
    world
}

pub(super) async fn import_again(world: &World, name: &str) -> ImportRunId {
    let scope = world.connection().await.scope();
    let run = ImportRunId::derived(name);
    let message = ImportMessage::Start { scope, run, trigger: ImportTrigger::Requested };
    assert!(
        world.functions.outbox.commit(vec![], vec![Next::now(message)]).await.unwrap().is_done()
    );
    world.run().await;
    run
}

pub(super) fn activity(seat: SeatId, key: &str, kind: ActivityKind, entity: &str) -> NewActivity {
    NewActivity {
        seat,
        idempotency_key: key.to_owned(),
        kind,
        entity_kind: EntityKind::Person,
        entity: entity.parse().unwrap(),
        occurred_at: "2026-11-20T15:00:00Z".parse().unwrap(),
        text: ActivityText {
            subject: Some("Hello".to_owned()),
            body: "Shall we talk next week?".to_owned(),
            ..ActivityText::default()
        },
        opportunity: None,
        source: None,
        wish: LogWish::default(),
    }
}

pub(super) async fn state(world: &World, id: ActivityId) -> ActivityState {
    world.functions.activities.get(world.at(), id).await.unwrap().unwrap().state
}

async fn the_first_import_brings_every_row_of_all_eleven_objects(home: Home) {
    let folder = small();
    let world = imported_at(home, folder.path(), Delivery::Plain).await;
    let runs = runs(&world).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].state, RunState::Complete);
    let expected = json_of(folder.path(), "expectations.json");
    let objects = objects(&world, runs[0].id).await;
    assert_eq!(objects.len(), 11);
    for (object, import) in objects {
        let rows = expected["rows"][object.name()].as_u64().unwrap();
        assert_eq!(import.counts.new, rows, "{object}: {import:?}");
        assert_eq!(import.salesforce_count, Some(rows), "{object}");
        assert_eq!(import.live, Some(rows), "{object}");
        assert!(import.selection.hidden.is_empty(), "{object}: {:?}", import.selection.hidden);
    }
}

#[tokio::test]
async fn most_records_with_a_true_match_are_matched_to_it() {
    let folder = small();
    let world = imported(folder.path(), Delivery::Plain).await;
    let truth = std::fs::read_to_string(folder.path().join("truth.csv")).unwrap();
    let truth: BTreeMap<&str, &str> = truth
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|fields| (fields[0], fields[1]))
        .collect();
    let (mut right, mut wrong) = (0, 0);
    for object in MATCHED_OBJECTS {
        for list in lists(&world, object).await {
            let Some(entity) = list.matched else { continue };
            match truth.get(list.id.as_str()) {
                Some(&true_entity) if true_entity == entity.as_str() => right += 1,
                _ => wrong += 1,
            }
        }
    }
    assert!(is_one_to_one(&world).await);
    let linkable = truth.values().filter(|entity| !entity.is_empty()).count();
    assert!(right * 10 >= linkable * 8, "{right} of {linkable}");
    assert!(wrong * 20 <= right, "{wrong} wrong, {right} right");
}

async fn what_belongs_to_open_opportunities_is_saved_for_their_owners(home: Home) {
    let folder = small();
    let world = imported_at(home, folder.path(), Delivery::Plain).await;
    let seats = open_deals_by_owner(folder.path(), |_| true).len();
    assert!(seats > 5, "the org has open opportunities of many seats");
    assert_saved(&world, folder.path(), |_| true).await;
}

/// Saved is what belongs to the open deals that count, and nothing else.
pub(super) async fn assert_saved(world: &World, folder: &Path, counts: impl Fn(&Row) -> bool) {
    let accounts = matched(world, SObject::Account).await;
    let contacts = matched(world, SObject::Contact).await;
    let expected = open_deals_by_owner(folder, counts);
    for seat in json_of(folder, "seats.json").as_array().unwrap() {
        let email = seat["email"].as_str().unwrap();
        let id = SeatId::derived(email);
        let (of_accounts, of_contacts) =
            expected.get(&email.to_lowercase()).cloned().unwrap_or_default();
        let of_accounts: BTreeSet<String> = of_accounts.intersection(&accounts).cloned().collect();
        let of_contacts: BTreeSet<String> = of_contacts.intersection(&contacts).cloned().collect();
        assert_eq!(saved(world, id, "accounts").await, of_accounts, "{email}");
        assert_eq!(saved(world, id, "leads").await, of_contacts, "{email}");
    }
}

/// Read from the org's files alone: the accounts and contacts of the open opportunities of each
/// active user, by lower-case e-mail.
pub(crate) fn open_deals_by_owner(
    folder: &Path,
    counts: impl Fn(&Row) -> bool,
) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let users: BTreeMap<String, String> = rows(folder, "User.csv")
        .into_iter()
        .filter(|user| user["IsActive"] == "true")
        .map(|user| (user["Id"].clone(), user["Email"].to_lowercase()))
        .collect();
    let roles = rows(folder, "OpportunityContactRole.csv");
    let mut deals: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for deal in rows(folder, "Opportunity.csv") {
        let Some(email) = users.get(&deal["OwnerId"]) else { continue };
        if deal["IsClosed"] == "true" || !counts(&deal) {
            continue;
        }
        let (accounts, contacts) = deals.entry(email.clone()).or_default();
        accounts.insert(deal["AccountId"].clone());
        let own = roles.iter().filter(|role| role["OpportunityId"] == deal["Id"]);
        contacts.extend(own.map(|role| role["ContactId"].clone()));
    }
    deals
}

async fn a_second_import_writes_only_what_changed_and_saves_a_reopened_deal(home: Home) {
    let folder = small();
    let world = imported_at(home, folder.path(), Delivery::Plain).await;
    let script = json_of(folder.path(), "changes.json");
    let reopened = &script["changes"][0];
    let account =
        world.control().record(&world.org, reopened["id"].as_str().unwrap()).unwrap()["AccountId"]
            .as_str()
            .unwrap()
            .to_owned();
    let before = saved_anywhere(&world, "accounts").await;
    assert!(!before.contains(&account));
    world.control().advance(3600);
    for change in script["changes"].as_array().unwrap() {
        apply(&world, change);
    }
    world.control().advance(60);
    let run = import_again(&world, "second").await;
    for (object, import) in objects(&world, run).await {
        let expected = &script["expected"][object.name()];
        let count = |name: &str| expected[name].as_u64().unwrap_or(0);
        let counts = import.counts;
        assert_eq!(
            (counts.new, counts.updated, counts.deleted),
            (count("created"), count("updated"), count("deleted")),
            "{object}: {import:?}"
        );
        assert_eq!(import.live, import.salesforce_count, "{object}");
    }
    assert!(saved_anywhere(&world, "accounts").await.contains(&account));
}

fn apply(world: &World, change: &Value) {
    let control = world.control();
    let id = change["id"].as_str().unwrap_or_default();
    match change["op"].as_str().unwrap() {
        "update" => control.update(&world.org, id, &change["fields"]).unwrap(),
        "create" => {
            let object = change["object"].as_str().unwrap();
            control.create(&world.org, object, &change["fields"]).unwrap();
        }
        "delete" => control.delete(&world.org, id).unwrap(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_unchanged_org_costs_no_write_of_a_record() {
    let folder = small();
    let world = imported(folder.path(), Delivery::Plain).await;
    world.control().advance(3600);
    let run = import_again(&world, "second").await;
    for (object, import) in objects(&world, run).await {
        assert_eq!(import.counts.written(), 0, "{object}: {import:?}");
    }
}

async fn a_new_directory_version_alone_changes_a_match(home: Home) {
    let folder = small();
    let world = imported_at(home, folder.path(), Delivery::Plain).await;
    let expected = json_of(folder.path(), "expectations.json");
    let merge = &expected["merge"];
    let (old, into) = (merge["person_id"].as_str().unwrap(), merge["into"].as_str().unwrap());
    let version = world.publish_current(folder.path()).await;
    world.run().await;
    let keys = world.keys().await;
    let ports = world.ports();
    let runs: Vec<MatchRun> = store::query_all(&*ports.table, &keys.match_runs()).await.unwrap();
    let run = runs.iter().find(|r| r.directory == version).unwrap();
    assert_eq!(run.trigger, MatchTrigger::Directory);
    assert_eq!(run.state, MatchRunState::Complete);
    let contacts = lists(&world, SObject::Contact).await;
    assert!(
        contacts.iter().all(|l| l.matched != Some(old.parse().unwrap())),
        "the merged one is gone"
    );
    assert!(
        contacts.iter().any(|l| l.matched == Some(into.parse().unwrap())),
        "its survivor is matched"
    );
    let change = &expected["job_changes"][0];
    let contact = change["contact_id"].as_str().unwrap();
    let list = contacts.iter().find(|l| l.id.as_str() == contact).unwrap();
    assert_eq!(list.matched.as_ref().map(EntityId::as_str), change["person_id"].as_str());
    let employer = list.matched_candidate().unwrap().employer;
    assert_eq!(employer, shared::matching::EmployerEvidence::Past);
}

async fn activities_are_logged_once_with_the_subjects_of_the_documents(home: Home) {
    let folder = small();
    let world = imported_at(home, folder.path(), Delivery::Plain).await;
    let email = "noor.castellan@acme.example";
    let seat = SeatId::derived(email);
    let contact =
        lists(&world, SObject::Contact).await.into_iter().find(|l| l.matched.is_some()).unwrap();
    let person = contact.matched.clone().unwrap();
    let at = world.at();
    let held = activity(seat, "1", ActivityKind::Message, person.as_str());
    let held = world.functions.activities.post(at, held).await.unwrap();
    world.run().await;
    assert!(matches!(state(&world, held.id).await, ActivityState::Held { .. }), "no login so far");
    world.authorize(Grantee::Seat(seat), email).await.unwrap();
    world.run().await;
    let mut ids = vec![held.id];
    for (key, kind) in [("2", ActivityKind::Inmail), ("3", ActivityKind::Note)] {
        let new = activity(seat, key, kind, person.as_str());
        let posted = world.functions.activities.post(at, new.clone()).await.unwrap();
        let again = world.functions.activities.post(at, new).await.unwrap();
        assert_eq!(posted.id, again.id, "the same key is the same activity");
        ids.push(posted.id);
    }
    world.run().await;
    let subjects = [
        ("Subject", "Message sent from Sales Navigator"),
        ("Subject", "InMail sent from Sales Navigator – Hello"),
        ("Title", "Notes from Sales Navigator"),
    ];
    for (id, (field, text)) in ids.into_iter().zip(subjects) {
        let ActivityState::Logged { salesforce_id } = state(&world, id).await else {
            panic!("{id} is not logged: {:?}", state(&world, id).await);
        };
        let row = world.control().record(&world.org, salesforce_id.as_str()).unwrap();
        assert_eq!(row[field], text);
        let parent = if field == "Title" { "ParentId" } else { "WhoId" };
        assert_eq!(row[parent], contact.id.as_str());
    }
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 3);
}

#[tokio::test]
async fn a_denied_consent_a_used_state_and_another_org_are_refused() {
    let folder = small();
    let world = World::new(folder.path()).await;
    let connect = &world.functions.connect;
    let begun = connect.begin(world.at(), Grantee::Admin, None, &Author::Service).await.unwrap();
    let state = begun.url.query_pairs().find(|(k, _)| k == "state").unwrap().1.into_owned();
    let environment = world.at().environment;
    let code = || Ok("code".to_owned().into());
    for stranger in [None, Some("another browser's")] {
        let error = connect.finish(environment, &state, stranger, code()).await.unwrap_err();
        assert!(error.to_string().contains("another browser"), "{error}");
    }
    let browser = Some(begun.cookie.1.expose_secret());
    let denied = Err("end-user denied authorization".to_owned());
    let error = connect.finish(environment, &state, browser, denied).await.unwrap_err();
    assert!(error.to_string().contains("denied"), "{error}");
    let error = connect.finish(environment, &state, browser, code()).await.unwrap_err();
    assert!(error.to_string().contains("used before"), "{error}");
    let hosts = ["evil.com", "acme.my.salesforce.com.evil.com", "127.0.0.1", "na1.salesforce.com"];
    for host in hosts {
        let begun = world
            .functions
            .connect
            .begin(world.at(), Grantee::Admin, Some(host), &Author::Service)
            .await;
        assert!(begun.is_err(), "{host}");
    }
}
