//! Leads and contacts that sellers create, update and take back: each once, as the org lets them.

use salesforce_simulator::{Fault, FaultKind, Profile, WriteEntry};
use serde_json::{Value, json};
use shared::capabilities::activities::{ActivityKind, ActivityState, HoldReason};
use shared::capabilities::audit::Actor;
use shared::capabilities::changing::{
    Change, ChangeError, ChangeKind, ChangeState, ChangeValues, NewChange, OpportunityRole, Values,
};
use shared::kernel::{RecordRef, SObject};
use shared::salesforce::SalesforceId;
use tests::world::{Delivery, World};

use super::connection::Scene;
use super::main_job::state;
use super::observe::lists;
use super::sellers::{
    contact, correct, end_login, is_not, link, log_in, logged_on, logged_out, nobodys, post,
};

const SELLER: &str = "noor.castellan@acme.example";

const SOBJECTS: &str = "/services/data/v62.0/sobjects/";

/// A scene whose admin has turned on all that sellers may change, and whose person has no record.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    turn_on(&scene.world).await;
    let contact = contact(&scene).await;
    correct(&scene.world, contact, is_not(&scene.person)).await;
    scene
}

pub(super) async fn turn_on(world: &World) {
    let on = json!({ "create_leads": true, "create_contacts": true, "update_leads": true,
        "update_contacts": true, "bulk_changes": true });
    world.set(&on).await;
}

pub(super) fn values(values: &Value) -> Values {
    serde_json::from_value(values.clone()).unwrap()
}

pub(super) fn new(scene: &Scene, key: &str, what: ChangeKind) -> NewChange {
    NewChange {
        seat: scene.seat,
        idempotency_key: key.to_owned(),
        what,
        entity: Some(scene.person.clone()),
        to: Values::new(),
        from: Values::new(),
        role: None,
        create_anyway: false,
    }
}

fn lead(scene: &Scene, key: &str) -> NewChange {
    let to =
        values(&json!({ "FirstName": "Ida", "LastName": "Aurelian", "Company": "Aurelian Ltd",
        "Email": "ida@aurelian.example" }));
    NewChange { to, ..new(scene, key, ChangeKind::Create { object: SObject::Lead }) }
}

pub(super) async fn account(scene: &Scene) -> String {
    let record = contact(scene).await;
    let row = scene.world.control().record(&scene.world.org, record.id.as_str()).unwrap();
    row["AccountId"].as_str().unwrap().to_owned()
}

pub(super) fn update(
    scene: &Scene,
    key: &str,
    record: RecordRef,
    title: (&Value, &str),
) -> NewChange {
    let (from, to) = (values(&json!({ "Title": title.0 })), values(&json!({ "Title": title.1 })));
    NewChange { from, to, ..new(scene, key, ChangeKind::Update { record }) }
}

/// Posts a change, and lets all be done that follows.
pub(super) async fn made(scene: &Scene, new: NewChange) -> (Change, ChangeValues) {
    let world = &scene.world;
    let posted = world.functions.changes.post(world.at(), new).await.unwrap();
    world.run().await;
    seen(scene, &posted).await
}

async fn undone(scene: &Scene, change: &Change) -> (Change, ChangeValues) {
    let world = &scene.world;
    let undoing = world.functions.changes.undo(world.at(), scene.seat, change.id).await.unwrap();
    world.run().await;
    seen(scene, &undoing).await
}

async fn seen(scene: &Scene, change: &Change) -> (Change, ChangeValues) {
    let world = &scene.world;
    let found = world.functions.changes.get(world.at(), change.seat, change.id).await.unwrap();
    (found.1, found.2)
}

/// Values as JSON, to be compared.
fn told(values: &Values) -> Value {
    serde_json::to_value(values).unwrap()
}

fn codes(values: &ChangeValues) -> Vec<&str> {
    values.refusals.iter().map(|refusal| refusal.code.as_str()).collect()
}

fn refused(code: &str) -> ChangeState {
    ChangeState::Refused { code: code.to_owned() }
}

fn written(world: &World) -> Vec<WriteEntry> {
    world.control().writes(&world.org).unwrap()
}

/// A contact whose owner still works there, and its title: Salesforce lets nobody save another's.
pub(super) async fn editable(world: &World) -> (RecordRef, Value) {
    for list in lists(world, SObject::Contact).await.into_iter().filter(|list| !list.gone) {
        let contact = row(world, list.id);
        let owner = contact["OwnerId"].as_str().unwrap();
        if world.control().record(&world.org, owner).unwrap()["IsActive"] == true {
            return (list.record(), contact["Title"].clone());
        }
    }
    panic!("no contact has an owner who works there");
}

/// The records of an object that have this value.
fn rows(world: &World, object: &str, field: &str, value: &str) -> Vec<Value> {
    let mut rows = world.control().records(&world.org, object, 0, usize::MAX).unwrap();
    rows.retain(|row| row[field] == value);
    rows
}

pub(super) fn row(world: &World, id: SalesforceId) -> Value {
    world.control().record(&world.org, id.as_str()).unwrap()
}

/// What the seller's profile does not allow, on top of what anybody may.
fn forbid(world: &World, profile: &Value) {
    let mut own = json!({ "name": "Sales", "view_all_data": true, "modify_all_data": true });
    own.as_object_mut().unwrap().extend(profile.as_object().unwrap().clone());
    let profile: Profile = serde_json::from_value(own).unwrap();
    world.control().put_profile(&world.org, profile).unwrap();
    world.control().assign_profile(&world.org, SELLER, "Sales").unwrap();
}

#[tokio::test]
async fn a_lead_that_a_seller_created_is_theirs_and_becomes_the_match() {
    let scene = scene().await;
    let world = &scene.world;
    let waiting = post(&scene, "1", ActivityKind::Message).await;
    let (change, values) = made(&scene, lead(&scene, "1")).await;
    assert_eq!((&change.state, codes(&values)), (&ChangeState::Made, vec![]));
    let id = change.created.unwrap();
    let row = row(world, id);
    assert_eq!((&row["LastName"], &row["Company"]), (&json!("Aurelian"), &json!("Aurelian Ltd")));
    let seller = rows(world, "User", "Username", SELLER);
    assert_eq!(row["OwnerId"], seller[0]["Id"], "the seller owns it");
    assert_eq!(told(&values.left)["Email"], "ida@aurelian.example", "it is read back");

    let matched = link(world, &scene.person).await.matched;
    assert_eq!(matched, Some(RecordRef { object: SObject::Lead, id }));
    assert_eq!(logged_on(world, &waiting).await, id.as_str(), "what waited for a record is logged");

    world.control().advance(3600);
    super::main_job::import_again(world, "afterwards").await;
    assert_eq!(link(world, &scene.person).await.matched, matched, "an import changes nothing");
}

#[tokio::test]
async fn a_contact_is_created_in_its_account_with_its_role_in_an_opportunity() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let account = account(&scene).await;
    let deal = json!({ "Name": "Deal", "AccountId": account, "StageName": "Prospecting",
        "CloseDate": "2026-12-24" });
    let deal = world.control().create(&world.org, "Opportunity", &deal).unwrap();
    let (opportunity, role) = (deal.parse().unwrap(), Some("Decision Maker".to_owned()));
    let what = ChangeKind::Create { object: SObject::Contact };
    let to = values(&json!({ "LastName": "Aurelian", "AccountId": account }));
    let role = Some(OpportunityRole { opportunity, role });
    let (change, values) = made(&scene, NewChange { to, role, ..new(&scene, "1", what) }).await;
    assert_eq!((&change.state, codes(&values)), (&ChangeState::Made, vec![]));
    let contact = change.created.unwrap();
    let roles = rows(world, "OpportunityContactRole", "ContactId", contact.as_str());
    let told: Vec<_> = roles.iter().map(|row| (&row["OpportunityId"], &row["Role"])).collect();
    assert_eq!(told, [(&json!(deal), &json!("Decision Maker"))]);
}

#[tokio::test]
async fn a_role_that_the_org_refuses_leaves_the_contact_and_is_told() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let to = values(&json!({ "LastName": "Aurelian", "AccountId": account(&scene).await }));
    let opportunity = "006000000000001AAA".parse().unwrap();
    let role = Some(OpportunityRole { opportunity, role: None });
    let what = ChangeKind::Create { object: SObject::Contact };
    let (change, values) = made(&scene, NewChange { to, role, ..new(&scene, "1", what) }).await;
    assert_eq!(change.state, ChangeState::Made);
    assert_eq!(values.refusals.len(), 1, "{:?}", codes(&values));
    assert!(world.control().record(&world.org, change.created.unwrap().as_str()).is_ok());
}

#[tokio::test]
async fn who_looks_the_same_is_told_before_anything_is_written_and_may_be_created_anyway() {
    let scene = scene().await;
    let world = &scene.world;
    let known = world.control().create(
        &world.org,
        "Lead",
        &json!({ "LastName": "Other",
        "Company": "Other Ltd", "Email": "IDA@aurelian.example" }),
    );
    let before = written(world).len();
    let (change, values) = made(&scene, lead(&scene, "1")).await;
    assert_eq!(change.state, refused("DUPLICATES_FOUND"));
    let found: Vec<_> = values.duplicates.iter().map(|found| found.id.to_string()).collect();
    assert_eq!((found, values.may_create_anyway), (vec![known.unwrap()], true));
    assert_eq!(written(world).len(), before);

    let anyway = NewChange { create_anyway: true, ..lead(&scene, "2") };
    let (change, _) = made(&scene, anyway).await;
    assert_eq!(change.state, ChangeState::Made);
}

#[tokio::test]
async fn a_duplicate_rule_that_blocks_is_told_with_what_it_found_and_one_that_warns_may_be_passed()
{
    for allow_save in [false, true] {
        let scene = scene().await;
        let world = &scene.world;
        let rule = json!({ "object": "Lead", "name": "Same_name", "fields": ["LastName"],
            "allow_save": allow_save });
        world.control().set(&world.org, &json!({ "duplicate_rules": [rule] })).unwrap();
        let known = json!({ "LastName": "Aurelian", "Company": "Another Ltd" });
        let known = world.control().create(&world.org, "Lead", &known).unwrap();
        let (change, values) = made(&scene, lead(&scene, "1")).await;
        assert_eq!(change.state, refused("DUPLICATES_DETECTED"));
        let found: Vec<_> = values.duplicates.iter().map(|found| found.id.to_string()).collect();
        assert_eq!((found, values.may_create_anyway), (vec![known], allow_save));

        let anyway = NewChange { create_anyway: true, ..lead(&scene, "2") };
        let (change, _) = made(&scene, anyway).await;
        let expected = if allow_save { ChangeState::Made } else { refused("DUPLICATES_DETECTED") };
        assert_eq!(change.state, expected);
    }
}

#[tokio::test]
async fn what_the_org_would_refuse_is_told_all_at_once_and_nothing_is_written() {
    let scene = scene().await;
    let world = &scene.world;
    forbid(world, &json!({ "fields": { "Lead.Email": { "read": true, "edit": false } } }));
    let before = written(world).len();
    let mut lead = lead(&scene, "1");
    lead.to.extend(values(&json!({ "Nothing__c": "x", "Title": "x".repeat(200) })));
    let (change, values) = made(&scene, lead).await;
    assert_eq!(change.state, refused("FIELD_NOT_WRITABLE"));
    let told: Vec<_> = values.refusals.iter().map(|r| (&*r.code, r.fields.join(","))).collect();
    let expected = [
        ("FIELD_NOT_WRITABLE", "Email".to_owned()),
        ("FIELD_NOT_WRITABLE", "Nothing__c".to_owned()),
        ("STRING_TOO_LONG", "Title".to_owned()),
    ];
    assert_eq!(told, expected);
    assert_eq!(written(world).len(), before);
}

#[tokio::test]
async fn an_admins_own_rule_is_told_in_its_own_words() {
    let scene = scene().await;
    let world = &scene.world;
    let rule = json!({ "object": "Lead", "refuse_when": "LeadSource = null", "field": "LeadSource",
        "message": "Say where the lead comes from." });
    world.control().set(&world.org, &json!({ "validation_rules": [rule] })).unwrap();
    let (change, values) = made(&scene, lead(&scene, "1")).await;
    assert_eq!(change.state, refused("FIELD_CUSTOM_VALIDATION_EXCEPTION"));
    assert_eq!(values.refusals[0].message, "Say where the lead comes from.");
    assert_eq!(values.refusals[0].fields, ["LeadSource"]);
}

#[tokio::test]
async fn who_may_not_create_records_in_the_crm_is_told_so() {
    let scene = scene().await;
    forbid(&scene.world, &json!({ "objects": { "Lead": { "create": false } } }));
    let (change, _) = made(&scene, lead(&scene, "1")).await;
    assert_eq!(change.state, refused("INSUFFICIENT_ACCESS"));
}

#[tokio::test]
async fn an_update_writes_what_was_confirmed_keeps_what_was_there_and_can_be_undone() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let (record, title) = editable(world).await;
    let (change, values) = made(&scene, update(&scene, "1", record, (&title, "Chief"))).await;
    assert_eq!((&change.state, codes(&values)), (&ChangeState::Made, vec![]));
    assert_eq!(row(world, record.id)["Title"], "Chief");
    let (from, left) = (told(&values.from), told(&values.left));
    assert_eq!((&from["Title"], &left["Title"]), (&title, &json!("Chief")));

    let (undoing, _) = undone(&scene, &change).await;
    assert_eq!((&undoing.state, undoing.undoes), (&ChangeState::Made, Some(change.id)));
    assert_eq!(row(world, record.id)["Title"], title);
    let again = undone(&scene, &change).await.0;
    assert_eq!(again.id, undoing.id, "it is undone once");
}

#[tokio::test]
async fn a_value_that_somebody_changed_meanwhile_is_told_with_both_and_kept() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let (record, title) = editable(world).await;
    let ours = json!({ "Title": "Hers" });
    world.control().update(&world.org, record.id.as_str(), &ours).unwrap();
    let (change, values) = made(&scene, update(&scene, "1", record, (&title, "Chief"))).await;
    assert_eq!(change.state, refused("STALE"));
    let (from, found) = (told(&values.from), told(&values.found));
    assert_eq!((&from["Title"], &found["Title"]), (&title, &json!("Hers")));
    assert_eq!(row(world, record.id)["Title"], "Hers");

    let (change, _) = made(&scene, update(&scene, "2", record, (&json!("Hers"), "Chief"))).await;
    assert_eq!(change.state, ChangeState::Made);
    world.control().update(&world.org, record.id.as_str(), &ours).unwrap();
    let (undoing, _) = undone(&scene, &change).await;
    assert_eq!(undoing.state, ChangeState::Made, "it is as the undoing would leave it");
}

#[tokio::test]
async fn what_somebody_else_wrote_meanwhile_is_not_undone() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let (record, title) = editable(world).await;
    world.control().update(&world.org, record.id.as_str(), &json!({ "Title": "Chief" })).unwrap();
    let before = written(world).len();
    let (change, _) = made(&scene, update(&scene, "1", record, (&title, "Chief"))).await;
    assert_eq!(change.state, ChangeState::Made, "the CRM has what the seller wants");
    assert_eq!(written(world).len(), before);
    let undoing = world.functions.changes.undo(world.at(), scene.seat, change.id).await;
    assert!(matches!(undoing, Err(ChangeError::Conflict(_))), "{undoing:?}");
    world.run().await;
    assert_eq!(row(world, record.id)["Title"], "Chief");
}

#[tokio::test]
async fn a_record_that_was_created_here_is_deleted_again_unless_somebody_worked_on_it() {
    let scene = scene().await;
    let world = &scene.world;
    let (change, _) = made(&scene, lead(&scene, "1")).await;
    let id = change.created.unwrap();
    world.control().advance(60);
    world.control().update(&world.org, id.as_str(), &json!({ "Title": "Buyer" })).unwrap();
    let (undoing, _) = undone(&scene, &change).await;
    assert_eq!(undoing.state, refused("STALE"));
    assert_eq!(row(world, id)["IsDeleted"], false);

    let (change, _) = made(&scene, NewChange { create_anyway: true, ..lead(&scene, "2") }).await;
    let id = change.created.unwrap();
    let (undoing, _) = undone(&scene, &change).await;
    assert_eq!(undoing.state, ChangeState::Made);
    assert_eq!(row(world, id)["IsDeleted"], true);
    assert_ne!(link(world, &scene.person).await.matched.map(|of| of.id), Some(id));
}

#[tokio::test]
async fn a_converted_lead_and_a_record_that_the_seller_may_not_edit_are_told_and_left() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let lead = nobodys(world, SObject::Lead).await;
    let title = row(world, lead.id)["Title"].clone();
    world.control().convert_lead(&world.org, lead.id.as_str(), &json!({})).unwrap();
    let (change, _) = made(&scene, update(&scene, "1", lead, (&title, "Chief"))).await;
    assert_eq!(change.state, refused("CANNOT_UPDATE_CONVERTED_LEAD"));

    let record = contact(&scene).await;
    let title = row(world, record.id)["Title"].clone();
    let seller = rows(world, "User", "Username", SELLER);
    let user = seller[0]["Id"].as_str().unwrap();
    forbid(world, &json!({ "view_all_data": true, "modify_all_data": false }));
    let readonly = json!({ "readonly_records": { user: [record.id.as_str()] } });
    world.control().set(&world.org, &readonly).unwrap();
    let (change, values) = made(&scene, update(&scene, "2", record, (&title, "Chief"))).await;
    assert!(matches!(change.state, ChangeState::Refused { .. }), "{:?}", change.state);
    assert!(codes(&values)[0].starts_with("INSUFFICIENT_ACCESS"), "{:?}", codes(&values));
    assert_eq!(row(world, record.id)["Title"], title);
}

#[tokio::test]
async fn a_change_that_waits_for_a_login_is_kept_and_made_after_it_or_withdrawn() {
    let scene = logged_out().await;
    let world = &scene.world;
    turn_on(world).await;
    let held = ChangeState::Held { reason: HoldReason::CrmLoginRequired };
    let changes = &world.functions.changes;
    let posted = changes.post(world.at(), lead(&scene, "1")).await.unwrap();
    assert_eq!(posted.state, held, "it is told at once");
    let other = changes.post(world.at(), lead(&scene, "2")).await.unwrap();
    let withdrawn = changes.withdraw(world.at(), scene.seat, other.id).await.unwrap();
    assert_eq!(withdrawn.state, ChangeState::Withdrawn);
    log_in(&scene).await;
    assert_eq!(seen(&scene, &posted).await.0.state, ChangeState::Made);
    assert_eq!(seen(&scene, &other).await.0.state, ChangeState::Withdrawn);
    let conflict = changes.withdraw(world.at(), scene.seat, posted.id).await;
    assert!(matches!(conflict, Err(ChangeError::Conflict(_))), "{conflict:?}");
}

#[tokio::test]
async fn a_login_that_ends_under_way_holds_the_change_and_the_next_one_makes_it() {
    let scene = scene().await;
    let world = &scene.world;
    let posted = world.functions.changes.post(world.at(), lead(&scene, "1")).await.unwrap();
    end_login(&scene).await;
    world.run().await;
    let held = ChangeState::Held { reason: HoldReason::CrmLoginRequired };
    assert_eq!(seen(&scene, &posted).await.0.state, held);
    log_in(&scene).await;
    assert_eq!(seen(&scene, &posted).await.0.state, ChangeState::Made);
}

#[tokio::test]
async fn what_the_admin_has_not_turned_on_is_refused_and_so_is_what_cannot_be() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let changes = &world.functions.changes;
    let off = changes.post(world.at(), lead(&scene, "1")).await;
    assert!(matches!(off, Err(ChangeError::TurnedOff("create_leads"))), "{off:?}");
    turn_on(world).await;
    let bad = NewChange {
        to: values(&json!({ "OwnerId": "x", "a b": 1, "Title": "\u{0}" })),
        ..lead(&scene, "1")
    };
    let told = changes.post(world.at(), bad).await.unwrap_err().to_string();
    for part in ["OwnerId is not", "a b is no", "Title holds", "LastName must", "Company must"] {
        assert!(told.contains(part), "{told}");
    }
    let first = changes.post(world.at(), lead(&scene, "1")).await.unwrap();
    assert_eq!(changes.post(world.at(), lead(&scene, "1")).await.unwrap().id, first.id);
    let reused = NewChange { create_anyway: true, ..lead(&scene, "1") };
    let reused = changes.post(world.at(), reused).await;
    assert!(matches!(reused, Err(ChangeError::KeyReused)), "{reused:?}");
    let record = contact(&scene).await;
    let phone = values(&json!({ "Phone": "1" }));
    let phone = NewChange {
        from: phone.clone(),
        to: phone,
        ..new(&scene, "2", ChangeKind::Update { record })
    };
    assert!(matches!(changes.post(world.at(), phone).await, Err(ChangeError::Invalid(_))));
}

/// One row, whatever happens to the request that makes it.
#[tokio::test]
async fn a_record_is_created_once_whatever_becomes_of_the_request() {
    let faults = [
        FaultKind::DropBefore,
        FaultKind::DropAfter,
        FaultKind::Truncate { bytes: 10 },
        FaultKind::Html { status: 503 },
        FaultKind::InvalidSession,
    ];
    for kind in faults {
        let scene = scene().await;
        let world = &scene.world;
        let path = format!("{SOBJECTS}Lead");
        world.control().add_fault(Fault::at(&path, kind.clone()).method("POST"));
        let (change, _) = made(&scene, lead(&scene, "1")).await;
        assert_eq!(change.state, ChangeState::Made, "{kind:?}");
        assert_eq!(rows(world, "Lead", "LastName", "Aurelian").len(), 1, "{kind:?}");
        let id = RecordRef { object: SObject::Lead, id: change.created.unwrap() };
        assert_eq!(link(world, &scene.person).await.matched, Some(id), "{kind:?}");
    }
}

#[tokio::test]
async fn f38_a_row_that_another_one_holds_is_updated_when_it_is_free() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let (record, title) = editable(world).await;
    let locked = json!([{ "errorCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain \
        exclusive access to this record", "fields": [] }]);
    let respond = FaultKind::Respond {
        status: 400,
        body: locked.to_string(),
        content_type: None,
        retry_after: None,
    };
    let path = format!("{SOBJECTS}Contact/{}", record.id);
    world.control().add_fault(Fault::at(&path, respond).method("PATCH").times(3));
    let (change, _) = made(&scene, update(&scene, "1", record, (&title, "Chief"))).await;
    assert_eq!(change.state, ChangeState::Made);
    assert_eq!(row(world, record.id)["Title"], "Chief");
}

/// What a seller wants of the org, with the process killed at call `n`: how often the contact was
/// created and the other one updated, and how many calls that took.
async fn killed_at(scene: &Scene, n: u64, death: Option<bool>) -> (usize, usize, u64) {
    let world = &scene.world;
    let (record, title) = editable(world).await;
    let account = row(world, record.id)["AccountId"].clone();
    let before = written(world).len();
    let changes = &world.functions.changes;
    let (key, name) = (format!("create {n} {death:?}"), format!("Aurelian{n}"));
    let to = values(&json!({ "LastName": name, "AccountId": account }));
    let what = ChangeKind::Create { object: SObject::Contact };
    let contact = NewChange { to, entity: None, ..new(scene, &key, what) };
    let created = changes.post(world.at(), contact).await.unwrap();
    let wanted = update(scene, &format!("update {n} {death:?}"), record, (&title, &name));
    let updated = changes.post(world.at(), wanted).await.unwrap();
    world.fuse.resume();
    let calls = world.fuse.calls();
    if let Some(after) = death {
        world.fuse.light(n, after);
    }
    world.run().await;
    let calls = world.fuse.calls() - calls;
    world.fuse.pause();
    for posted in [&created, &updated] {
        let state = seen(scene, posted).await.0.state;
        assert_eq!(state, ChangeState::Made, "killed at {n}, {death:?}");
    }
    assert_eq!(row(world, record.id)["Title"], name);
    let entries = written(world).split_off(before);
    let patched = entries.iter().filter(|entry| entry.id == record.id.as_str()).count();
    (rows(world, "Contact", "LastName", &name).len(), patched, calls)
}

#[tokio::test]
async fn killed_at_any_call_a_change_is_made_once() {
    let mut scene = scene().await;
    // What is cached by then is not asked for again.
    killed_at(&scene, 10_000, None).await;
    let (created, updated, calls) = killed_at(&scene, 0, None).await;
    assert_eq!((created, updated), (1, 1));
    assert!(calls > 20, "{calls} calls");
    for n in 1..=calls {
        let (created, updated, _) = killed_at(&scene, n, Some(n % 2 == 0)).await;
        assert_eq!(created, 1, "killed at {n}");
        assert!(updated <= 2, "an update that is sent again ends in the same values");
    }
    scene.world.delivery = Delivery::TwiceAndBackwards;
    let (created, updated, _) = killed_at(&scene, 9_999, None).await;
    assert_eq!((created, updated), (1, 1));
}

#[tokio::test]
async fn a_seat_that_was_removed_leaves_nothing_under_way() {
    let scene = logged_out().await;
    let world = &scene.world;
    turn_on(world).await;
    let posted = world.functions.changes.post(world.at(), lead(&scene, "1")).await.unwrap();
    world
        .functions
        .offboarding
        .remove_seat(world.tenant, scene.seat, &Actor::Service)
        .await
        .unwrap();
    world.run().await;
    let opened = world.functions.changes.get(world.at(), scene.seat, posted.id).await.unwrap();
    assert_eq!(opened.1.state, refused("SEAT_REMOVED"));
    assert_eq!(written(world).len(), 0);
}

/// The person of the scene, to whom nothing else is done.
#[tokio::test]
async fn a_record_for_nobody_of_the_directory_links_nobody() {
    let scene = scene().await;
    let world = &scene.world;
    let nobody = NewChange { entity: None, ..lead(&scene, "1") };
    let (change, _) = made(&scene, nobody).await;
    assert_eq!(change.state, ChangeState::Made);
    let message = post(&scene, "1", ActivityKind::Message).await;
    let held = ActivityState::Held { reason: HoldReason::NoCrmRecord };
    assert_eq!(state(world, message.id).await, held);
}
