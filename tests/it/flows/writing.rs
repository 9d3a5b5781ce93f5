//! What sellers do as rows of the CRM, kind by kind; what is left out and who said so; and what
//! becomes of an activity that waits or failed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use salesforce_simulator::{Fault, FaultKind, WriteEntry};
use serde_json::{Value, json};
use shared::capabilities::activities::{
    Activity, ActivityError, ActivityKind, ActivityState, CallSource, FailureGroup, HoldReason,
    LEAD_CONVERTED, LogWish, NewActivity, NotLogged, SeatList, SteerError,
};
use shared::capabilities::audit::Actor;
use shared::capabilities::linking::Correcting;
use shared::capabilities::settings::LogType;
use shared::kernel::{Author, Grantee, RecordRef, SObject};
use shared::matching::EntityKind;
use shared::product::Product;
use tests::world::World;

use super::connection::Scene;
use super::main_job::{activity, import_again, state};
use super::meanwhile::{at_each_call, meanwhile};
use super::observe::lists;

const SELLER: &str = "noor.castellan@acme.example";
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/write-back.md");

const KINDS: [ActivityKind; 6] = [
    ActivityKind::Message,
    ActivityKind::Inmail,
    ActivityKind::Note,
    ActivityKind::Call,
    ActivityKind::SmartLinkView,
    ActivityKind::ConnectionRequest,
];

/// An activity of a kind, with all that belongs to one.
fn whole(scene: &Scene, key: &str, kind: ActivityKind) -> NewActivity {
    let mut new = activity(scene.seat, key, kind, scene.person.as_str());
    new.text.subject = Some("Our offer".to_owned());
    "Shall we talk?".clone_into(&mut new.text.body);
    if kind == ActivityKind::SmartLinkView {
        new.text.link = Some("https://links.example/1".to_owned());
        new.text.location = Some("Oslo, Norway".to_owned());
    }
    new.source = (kind == ActivityKind::Call).then_some(CallSource::Mobile);
    new
}

async fn post(scene: &Scene, new: NewActivity) -> Activity {
    scene.world.functions.activities.post(scene.world.at(), new).await.unwrap()
}

async fn refusal(scene: &Scene, new: NewActivity) -> String {
    let refused = scene.world.functions.activities.post(scene.world.at(), new).await;
    refused.unwrap_err().to_string()
}

/// The id of the row that an activity became.
async fn row_of(world: &World, posted: &Activity) -> String {
    let now = state(world, posted.id).await;
    let ActivityState::Logged { salesforce_id } = now else { panic!("not logged: {now:?}") };
    salesforce_id.to_string()
}

fn row(world: &World, id: &str) -> Value {
    world.control().record(&world.org, id).unwrap()
}

fn writes_of(world: &World, object: &str) -> Vec<WriteEntry> {
    let writes = world.control().writes(&world.org).unwrap();
    writes.into_iter().filter(|write| write.object == object).collect()
}

async fn listed(scene: &Scene, list: &SeatList) -> Vec<Activity> {
    let (at, activities) = (scene.world.at(), &scene.world.functions.activities);
    activities.listed(at, scene.seat, list, None).await.unwrap().items
}

fn ids(activities: &[Activity]) -> BTreeSet<String> {
    activities.iter().map(|activity| activity.id.to_string()).collect()
}

/// The contact that the scene's person is linked to.
async fn contact(scene: &Scene) -> RecordRef {
    let world = &scene.world;
    let slot = world.keys().await.entity(EntityKind::Person, &scene.person);
    let link = world.documents().await.read(&slot).await.unwrap().unwrap();
    link.matched.unwrap()
}

async fn link_to(scene: &Scene, record: RecordRef) {
    let scope = scene.world.connection().await.scope();
    let what = Correcting::Match { entity_id: scene.person.clone() };
    let corrections = &scene.world.functions.corrections;
    corrections.say(scope, record.object, record.id, what, &Author::Service).await.unwrap();
    scene.world.run().await;
}

async fn a_lead(world: &World) -> RecordRef {
    let lists = lists(world, SObject::Lead).await;
    lists.into_iter().find(|list| list.matched.is_none() && !list.gone).unwrap().record()
}

/// The fields of a row that we wrote, as the CRM gives them back.
fn told(world: &World, write: &WriteEntry) -> Vec<(String, String)> {
    let row = row(world, &write.id);
    let shown = |name: &String| {
        let value = row[name].as_str().unwrap_or_default();
        let value = match name.as_str() {
            "OwnerId" => "the seller".to_owned(),
            "WhoId" | "ParentId" | "LinkedEntityId" => "the record".to_owned(),
            "ContentDocumentId" => "the note".to_owned(),
            "Content" => quoted(&content(value)),
            _ => quoted(value),
        };
        (name.clone(), value)
    };
    write.fields.as_object().unwrap().keys().map(shown).collect()
}

/// A value on one line of a table, with its marker as every marker is.
fn quoted(value: &str) -> String {
    let (text, marker) = value.split_once("[ref ").unwrap_or((value, ""));
    let behind = marker.split_once(']').map(|(_, behind)| format!("[ref …]{behind}"));
    let text = format!("{text}{}", behind.unwrap_or_default());
    format!("`{}`", text.replace('\n', "⏎").replace('|', "\\|"))
}

/// The HTML of an enhanced note.
fn content(base64: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(base64).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Posts one of each kind, and one enhanced note; the table of what the CRM gives back.
async fn table_of_kinds(scene: &Scene) -> String {
    let world = &scene.world;
    let mut table = String::from("| What was done | Object | Field | Value as read back |\n");
    table.push_str("|---|---|---|---|\n");
    for (n, kind) in KINDS.into_iter().chain([ActivityKind::Note]).enumerate() {
        if n == KINDS.len() {
            world.set(&json!({ "enhanced_notes": true })).await;
        }
        let before = world.control().writes(&world.org).unwrap().len();
        let posted = post(scene, whole(scene, &n.to_string(), kind)).await;
        world.run().await;
        row_of(world, &posted).await;
        let name = serde_json::to_value(kind).unwrap();
        for write in &world.control().writes(&world.org).unwrap()[before..] {
            for (field, value) in told(world, write) {
                let (name, object) = (name.as_str().unwrap(), &write.object);
                writeln!(table, "| `{name}` | {object} | {field} | {value} |").unwrap();
            }
        }
    }
    table
}

/// The table in the docs is what the simulator gives back; `UPDATE_OPENAPI` writes it again, as it
/// does the description of the API.
#[tokio::test]
async fn every_kind_becomes_the_row_that_the_docs_show() {
    const MARK: &str = "<!-- Written by a test: tests/it/flows/writing.rs -->\n\n";
    let scene = Scene::new().await;
    let table = table_of_kinds(&scene).await;
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (head, rest) = page.split_once(MARK).expect("the mark of the table");
    let rest = rest.trim_start_matches(|c| c != '#');
    let text = format!("{head}{MARK}{table}\n{rest}");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(PAGE, &text).unwrap();
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    assert_eq!(page, text, "docs/write-back.md is stale");
}

/// A note as an enhanced one: its content is HTML that shows what was written, and it is attached
/// to its record.
#[tokio::test]
async fn i34_an_enhanced_note_shows_markup_as_text_and_is_attached_to_its_record() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.set(&json!({ "enhanced_notes": true })).await;
    let mut new = whole(&scene, "1", ActivityKind::Note);
    new.text.body = "<b>Ada</b> & \"Co\"\nsecond".to_owned();
    let posted = post(&scene, new).await;
    world.run().await;
    let note = row_of(world, &posted).await;
    assert!(note.starts_with("069"), "{note}");
    let html = content(row(world, &note)["Content"].as_str().unwrap());
    let shown = "<p>&lt;b&gt;Ada&lt;/b&gt; &amp; &quot;Co&quot;<br>second<br>";
    assert!(html.starts_with(shown), "{html}");
    let links = writes_of(world, "ContentDocumentLink");
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].fields["LinkedEntityId"], contact(&scene).await.id.as_str());
    assert_eq!(row(world, &links[0].id)["ContentDocumentId"], note.as_str());
}

/// Whatever becomes of the call that makes an enhanced note, there is one note in the end: it is
/// found by the marker in its content.
#[tokio::test]
async fn an_enhanced_note_is_made_once_whatever_becomes_of_the_call_that_makes_it() {
    let locked = json!([{ "errorCode": "UNABLE_TO_LOCK_ROW", "message": "locked" }]).to_string();
    let busy =
        FaultKind::Respond { status: 503, body: locked, content_type: None, retry_after: None };
    let scene = Scene::new().await;
    let world = &scene.world;
    world.set(&json!({ "enhanced_notes": true })).await;
    let faults =
        [FaultKind::DropBefore, FaultKind::DropAfter, FaultKind::Truncate { bytes: 20 }, busy];
    for (n, kind) in faults.into_iter().enumerate() {
        world.control().add_fault(Fault::at("/composite", kind.clone()).method("POST"));
        let posted = post(&scene, whole(&scene, &n.to_string(), ActivityKind::Note)).await;
        world.run().await;
        row_of(world, &posted).await;
        assert_eq!(writes_of(world, "ContentNote").len(), n + 1, "{kind:?}");
        assert_eq!(writes_of(world, "ContentDocumentLink").len(), n + 1, "{kind:?}");
    }
    let hits: u64 = world.control().faults().iter().map(|fault| fault.hits).sum();
    assert_eq!(hits, 4, "every fault was met");
}

/// A note that was claimed as an enhanced one is looked for as one, whatever the admin chose since.
#[tokio::test]
async fn a_claimed_note_is_looked_for_as_what_it_was_claimed_as() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.set(&json!({ "enhanced_notes": true })).await;
    world.control().add_fault(Fault::at("/composite", FaultKind::DropAfter).method("POST"));
    let posted = post(&scene, whole(&scene, "1", ActivityKind::Note)).await;
    for message in world.memory.receive() {
        world.deliver(&message.body).await;
    }
    assert!(matches!(state(world, posted.id).await, ActivityState::Claimed { .. }));
    world.set(&json!({ "enhanced_notes": false })).await;
    world.run().await;
    assert!(row_of(world, &posted).await.starts_with("069"));
    assert_eq!((writes_of(world, "ContentNote").len(), writes_of(world, "Note").len()), (1, 0));
}

/// Every kind of task is made once, though the answer to the call that made it was lost.
#[tokio::test]
async fn f49_every_kind_is_made_once_though_the_answer_was_lost() {
    let scene = Scene::new().await;
    let world = &scene.world;
    for (n, kind) in KINDS.into_iter().enumerate() {
        let object = if kind == ActivityKind::Note { "Note" } else { "Task" };
        let before = writes_of(world, object).len();
        let path = format!("/sobjects/{object}");
        world.control().add_fault(Fault::at(&path, FaultKind::DropAfter).method("POST"));
        let posted = post(&scene, whole(&scene, &n.to_string(), kind)).await;
        world.run().await;
        row_of(world, &posted).await;
        assert_eq!(writes_of(world, object).len(), before + 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_record_type_stands_in_the_tasks_of_the_kind_that_it_was_chosen_for() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let fields = json!({ "Name": "Call", "DeveloperName": "Call", "SobjectType": "Task",
        "IsActive": true });
    let chosen = world.control().create(&world.org, "RecordType", &fields).unwrap();
    world.set(&json!({ "record_type_call": chosen })).await;
    for (n, kind) in [ActivityKind::Call, ActivityKind::Message].into_iter().enumerate() {
        let posted = post(&scene, whole(&scene, &n.to_string(), kind)).await;
        world.run().await;
        row_of(world, &posted).await;
    }
    let tasks = writes_of(world, "Task");
    assert_eq!(tasks[0].fields["RecordTypeId"], chosen.as_str());
    assert_eq!(tasks[1].fields.get("RecordTypeId"), None, "left to the org");
}

/// An opportunity of the contact's account, and one of another.
fn opportunities(world: &World, contact: RecordRef) -> (Value, Value) {
    let account = row(world, contact.id.as_str())["AccountId"].clone();
    let other = world.control().records(&world.org, "Account", 0, 100).unwrap();
    let other = other.into_iter().find(|row| row["Id"] != account).unwrap()["Id"].clone();
    let deal = |account: Value| {
        let fields = json!({ "Name": "Deal", "StageName": "Prospecting", "AccountId": account,
            "CloseDate": "2027-01-31" });
        json!(world.control().create(&world.org, "Opportunity", &fields).unwrap())
    };
    (deal(account), deal(other))
}

#[tokio::test]
async fn an_opportunity_is_of_the_contacts_account_and_a_lead_has_none() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let (own, others) = opportunities(world, contact(&scene).await);
    world.set(&json!({ "log_on_opportunities": true })).await;
    world.control().advance(60);
    import_again(world, "deals").await;
    let about = |key: &str, deal: &Value| {
        let opportunity = Some(deal.as_str().unwrap().parse().unwrap());
        NewActivity { opportunity, ..whole(&scene, key, ActivityKind::Call) }
    };
    let told = refusal(&scene, about("1", &others)).await;
    assert!(told.contains("no opportunity of the person's account"), "{told}");
    let unknown = refusal(&scene, about("1", &json!("006000000000999AAA"))).await;
    assert_eq!(unknown, told, "who has no right to know learns nothing");
    let posted = post(&scene, about("1", &own)).await;
    world.run().await;
    assert_eq!(row(world, &row_of(world, &posted).await)["WhatId"], own);

    world.set(&json!({ "log_on_opportunities": false })).await;
    let off = refusal(&scene, about("4", &own)).await;
    assert!(off.contains("turns on log_on_opportunities"), "{off}");
    world.set(&json!({ "log_on_opportunities": true })).await;

    // The person turns out to be somebody else while it waits: the deal is not theirs.
    end_login(&scene).await;
    let waiting = post(&scene, about("2", &own)).await;
    let lead = a_lead(world).await;
    link_to(&scene, lead).await;
    let refused = refusal(&scene, about("3", &own)).await;
    assert!(refused.starts_with("a lead has no opportunity"), "{refused}");
    log_in(&scene).await;
    let task = row(world, &row_of(world, &waiting).await);
    assert_eq!((&task["WhoId"], &task["WhatId"]), (&json!(lead.id), &Value::Null));
}

async fn end_login(scene: &Scene) {
    let by = shared::capabilities::audit::Actor::Service;
    let offboarding = &scene.world.functions.offboarding;
    offboarding.end_authorization(scene.world.at(), scene.seat, &by).await.unwrap();
    scene.world.run().await;
}

async fn log_in(scene: &Scene) {
    scene.world.authorize(Grantee::Seat(scene.seat), SELLER).await.unwrap();
    scene.world.run().await;
}

#[tokio::test]
async fn what_an_admin_turned_off_is_told_type_by_type_and_seat_by_seat() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let switches = [
        ("log_messages", [ActivityKind::Message, ActivityKind::Inmail]),
        ("log_notes", [ActivityKind::Note; 2]),
        ("log_calls", [ActivityKind::Call; 2]),
        ("log_smart_links", [ActivityKind::SmartLinkView; 2]),
        ("log_connection_requests", [ActivityKind::ConnectionRequest; 2]),
    ];
    for (switch, off) in switches {
        world.set(&json!({ switch: false })).await;
        for kind in KINDS {
            let key = format!("{switch} {kind:?}");
            let posted =
                world.functions.activities.post(world.at(), whole(&scene, &key, kind)).await;
            let is_off = matches!(posted, Err(ActivityError::TurnedOff));
            assert_eq!(is_off, off.contains(&kind), "{key}: {posted:?}");
        }
        world.set(&json!({ switch: true })).await;
    }
    let of = BTreeSet::from([scene.seat]);
    let logging = &world.functions.seat_logging;
    logging.switch(world.at(), &of, false, &Author::Service).await.unwrap();
    let told = refusal(&scene, whole(&scene, "x", ActivityKind::Note)).await;
    assert_eq!(told, "the admin has turned logging off for this seat");
    logging.switch(world.at(), &of, true, &Author::Service).await.unwrap();
    post(&scene, whole(&scene, "x", ActivityKind::Note)).await;
}

fn wishing(scene: &Scene, key: &str, kind: ActivityKind, wish: LogWish) -> NewActivity {
    NewActivity { wish, ..whole(scene, key, kind) }
}

fn off(reason: NotLogged) -> ActivityState {
    ActivityState::NotLogged { reason }
}

#[tokio::test]
async fn what_a_seller_says_of_one_item_holds_for_the_next_of_its_type() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let say = |log| LogWish { log, ..LogWish::default() };
    let unticked =
        post(&scene, wishing(&scene, "1", ActivityKind::Message, say(Some(false)))).await;
    assert_eq!(unticked.state, off(NotLogged::SellerChoice));
    let again = post(&scene, wishing(&scene, "1", ActivityKind::Message, say(Some(false)))).await;
    assert_eq!(again, unticked, "a repetition is the same");
    // InMails are of the same type; notes are not.
    let inmail = post(&scene, wishing(&scene, "2", ActivityKind::Inmail, say(None))).await;
    assert_eq!(inmail.state, off(NotLogged::SellerChoice));
    let note = post(&scene, wishing(&scene, "3", ActivityKind::Note, say(None))).await;
    assert_eq!(note.state, ActivityState::Queued);
    let ticked = post(&scene, wishing(&scene, "4", ActivityKind::Inmail, say(Some(true)))).await;
    let next = post(&scene, wishing(&scene, "5", ActivityKind::Message, say(None))).await;
    assert_eq!((&ticked.state, &next.state), (&ActivityState::Queued, &ActivityState::Queued));
    world.run().await;
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 3);
    assert_eq!(state(world, unticked.id).await, off(NotLogged::SellerChoice), "never later");

    let choices = BTreeMap::from([(LogType::Messages, false)]);
    world.functions.seat_logging.choose(world.at(), scene.seat, &choices).await.unwrap();
    let after = post(&scene, wishing(&scene, "6", ActivityKind::Message, say(None))).await;
    assert_eq!(after.state, off(NotLogged::SellerChoice), "the same choice by the panel");
}

#[tokio::test]
async fn a_conversation_has_a_switch_of_its_own() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let activities = &world.functions.activities;
    let of = |name: &str| LogWish { conversation: Some(name.to_owned()), ..LogWish::default() };
    activities.switch_conversation(at, scene.seat, "thread-1", false).await.unwrap();
    let said = async |name| activities.conversation_switch(at, scene.seat, name).await.unwrap();
    assert_eq!((said("thread-1").await, said("thread-2").await), (Some(false), None));
    let left_out = post(&scene, wishing(&scene, "1", ActivityKind::Message, of("thread-1"))).await;
    assert_eq!(left_out.state, off(NotLogged::ConversationOff));
    let other = post(&scene, wishing(&scene, "2", ActivityKind::Message, of("thread-2"))).await;
    assert_eq!(other.state, ActivityState::Queued);
    let ticked = LogWish { log: Some(true), ..of("thread-1") };
    let logged = post(&scene, wishing(&scene, "3", ActivityKind::Message, ticked)).await;
    assert_eq!((logged.state, said("thread-1").await), (ActivityState::Queued, Some(true)));
    let keys = world.item_keys().await;
    assert!(!keys.iter().any(|key| key.contains("thread-")), "no key tells of a conversation");
}

#[tokio::test]
async fn a_private_note_stays_out_of_the_crm_unless_its_author_says_so_of_it() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let private = |log| LogWish { log, private: true, ..LogWish::default() };
    let kept = post(&scene, wishing(&scene, "1", ActivityKind::Note, private(None))).await;
    assert_eq!(kept.state, off(NotLogged::PrivateNote));
    let slot = world.keys().await.activity(kept.id);
    let stored = world.documents().await.load(&slot).await.unwrap().unwrap();
    assert!(stored.body().is_some_and(|body| body.len() < 80), "its text is not kept");
    let shared = post(&scene, wishing(&scene, "2", ActivityKind::Note, private(Some(true)))).await;
    let next = post(&scene, wishing(&scene, "3", ActivityKind::Note, private(None))).await;
    assert_eq!(next.state, off(NotLogged::PrivateNote), "said of one, not of the next");
    world.run().await;
    assert_eq!(writes_of(world, "Note").len(), 1);
    row_of(world, &shared).await;
}

/// Salesforce refuses tasks with this code, until the faults are removed.
fn refuse_tasks(world: &World, code: &str) {
    let body = json!([{ "errorCode": code, "message": "no" }]).to_string();
    let kind = FaultKind::Respond { status: 400, body, content_type: None, retry_after: None };
    world.control().add_fault(Fault::at("/sobjects/Task", kind).method("POST").times(0));
}

#[tokio::test]
async fn what_failed_is_listed_by_code_and_tried_again_one_or_all() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let activities = &world.functions.activities;
    let mut failed = Vec::new();
    for (code, count) in [("REQUIRED_FIELD_MISSING", 1), ("INSUFFICIENT_ACCESS_OR_READONLY", 3)] {
        refuse_tasks(world, code);
        for n in 0..count {
            let new = whole(&scene, &format!("{code} {n}"), ActivityKind::Message);
            failed.push(post(&scene, new).await);
        }
        world.run().await;
        world.control().remove_faults(None);
    }
    let told = activities.failures(at, scene.seat).await.unwrap();
    let group = |code: &str, count| FailureGroup { code: code.to_owned(), count };
    let expected =
        [group("INSUFFICIENT_ACCESS_OR_READONLY", 3), group("REQUIRED_FIELD_MISSING", 1)];
    assert_eq!((&told.groups[..], told.more), (&expected[..], false));
    assert_eq!(ids(&listed(&scene, &SeatList::Failed).await), ids(&failed));
    let one = SeatList::FailedWith("REQUIRED_FIELD_MISSING".to_owned());
    assert_eq!(ids(&listed(&scene, &one).await), ids(&failed[..1]));
    assert_eq!(listed(&scene, &SeatList::Pending).await, []);

    activities.retry(at, failed[0].id).await.unwrap();
    world.run().await;
    row_of(world, &failed[0]).await;
    let again = activities.retry(at, failed[0].id).await;
    assert!(matches!(again, Err(SteerError::NothingToRetry(_))), "{again:?}");
    let code = "INSUFFICIENT_ACCESS_OR_READONLY";
    let retried = activities.retry_all(at, scene.seat, code).await.unwrap();
    assert_eq!((retried.count, retried.more), (3, false));
    let twice = activities.retry_all(at, scene.seat, code).await.unwrap();
    assert_eq!(twice.count, 0, "there is nothing left");
    world.run().await;
    assert_eq!(writes_of(world, "Task").len(), 4, "each is one row");
    assert_eq!(activities.failures(at, scene.seat).await.unwrap().groups, []);
    assert_eq!(listed(&scene, &SeatList::Failed).await, []);
}

#[tokio::test]
async fn what_is_pending_is_listed_until_it_is_logged_and_reads_do_not_grow() {
    let scene = Scene::new().await;
    end_login(&scene).await;
    let mut waiting = Vec::new();
    for n in 0..53 {
        let new = whole(&scene, &n.to_string(), ActivityKind::Call);
        waiting.push(post(&scene, new).await);
    }
    let (at, activities) = (scene.world.at(), &scene.world.functions.activities);
    let page = async |cursor: Option<&str>| {
        activities.listed(at, scene.seat, &SeatList::Pending, cursor).await.unwrap()
    };
    let first = page(None).await;
    let second = page(first.next.as_deref()).await;
    assert_eq!((first.items.len(), second.items.len(), &second.next), (50, 3, &None));
    let both: Vec<Activity> = first.items.iter().chain(&second.items).cloned().collect();
    assert_eq!(ids(&both), ids(&waiting));
    let held = ActivityState::Held { reason: HoldReason::CrmLoginRequired };
    assert!(both.iter().all(|activity| activity.state == held));
    let forged = activities.listed(at, scene.seat, &SeatList::Failed, first.next.as_deref()).await;
    assert!(forged.is_err(), "a cursor is one list's");
    log_in(&scene).await;
    assert_eq!(page(None).await.items, []);
    let keys = scene.world.item_keys().await.into_iter();
    let left: Vec<String> =
        keys.filter(|key| key.contains("#pending#") || key.contains("#failed#")).collect();
    assert_eq!(left, Vec::<String>::new(), "no entry is left behind");
}

#[tokio::test]
async fn an_activity_is_taken_back_until_it_is_claimed_and_holds_up_nobody() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let activities = &world.functions.activities;
    let mut posted = Vec::new();
    for n in 0..4 {
        let new = whole(&scene, &n.to_string(), ActivityKind::Message);
        posted.push(post(&scene, new).await);
    }
    for _ in 0..2 {
        let taken = activities.withdraw(at, posted[1].id).await.unwrap();
        assert_eq!(taken.state, ActivityState::Withdrawn);
    }
    world.run().await;
    let tasks: Vec<String> = writes_of(world, "Task").into_iter().map(|write| write.id).collect();
    let mut logged = Vec::new();
    for n in [0, 2, 3] {
        logged.push(row_of(world, &posted[n]).await);
    }
    assert_eq!(tasks, logged, "the others, in their order");
    assert_eq!(state(world, posted[1].id).await, ActivityState::Withdrawn);
    let late = activities.withdraw(at, posted[0].id).await.unwrap_err();
    assert_eq!(late.to_string(), "it is in the CRM: delete it there");

    // Its outcome is unknown: it may be there.
    world.control().add_fault(Fault::at("/sobjects/Task", FaultKind::DropAfter).method("POST"));
    let claimed = post(&scene, whole(&scene, "claimed", ActivityKind::Message)).await;
    for message in world.memory.receive() {
        world.deliver(&message.body).await;
    }
    assert!(matches!(state(world, claimed.id).await, ActivityState::Claimed { .. }));
    let late = activities.withdraw(at, claimed.id).await;
    assert!(matches!(late, Err(SteerError::TooLate(_))), "{late:?}");
    world.run().await;
    row_of(world, &claimed).await;
}

#[tokio::test]
async fn what_waits_for_a_login_or_a_record_is_taken_back_too_and_is_never_logged() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let activities = &world.functions.activities;
    let unknown = NewActivity {
        entity: "pr_of_nobody".parse().unwrap(),
        ..whole(&scene, "1", ActivityKind::Note)
    };
    let unlinked = post(&scene, unknown).await;
    end_login(&scene).await;
    let waiting = post(&scene, whole(&scene, "2", ActivityKind::Note)).await;
    for held in [&unlinked, &waiting] {
        assert!(matches!(held.state, ActivityState::Held { .. }), "{:?}", held.state);
        activities.withdraw(at, held.id).await.unwrap();
    }
    log_in(&scene).await;
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 0);
    let left = world.item_keys().await.into_iter().filter(|key| key.contains(" WAITING#"));
    assert_eq!(left.count(), 0, "nobody waits any more");
}

#[tokio::test]
async fn f44_what_is_about_a_converted_lead_is_refused_where_an_admin_wants_it_so() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    world.set(&json!({ "refuse_converted_leads": true })).await;
    let lead = a_lead(world).await;
    link_to(&scene, lead).await;
    let became = world.control().convert_lead(&world.org, lead.id.as_str(), &json!({}));
    let contact = became.unwrap()["contact"].as_str().unwrap().to_owned();
    let posted = post(&scene, whole(&scene, "1", ActivityKind::Message)).await;
    world.run().await;
    let ActivityState::Failed { code, message } = state(world, posted.id).await else { panic!() };
    assert_eq!(code, LEAD_CONVERTED);
    assert!(message.contains("read-only") && message.contains("successfully delivered"));
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 0);

    world.set(&json!({ "refuse_converted_leads": false })).await;
    world.functions.activities.retry(at, posted.id).await.unwrap();
    world.run().await;
    assert_eq!(row(world, &row_of(world, &posted).await)["WhoId"], contact.as_str());
}

/// Takes a message back before call `n` of its logging, or after the last one. True when there was
/// no such call.
async fn taken_back_at(scene: &Scene, n: usize) -> bool {
    let world = &scene.world;
    let before = writes_of(world, "Task").len();
    let posted = post(scene, whole(scene, &format!("back {n}"), ActivityKind::Message)).await;
    let product = Product::new(world.memory.ports()).opening("crm-sync/".to_owned());
    let activities = product.activities();
    let told = std::cell::RefCell::new(None);
    let takes_back = async {
        let taken = activities.withdraw(world.at(), posted.id).await;
        *told.borrow_mut() = Some(taken.map_err(|refused| refused.to_string()));
    };
    let logging = async {
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
    };
    let ((), was_over) = meanwhile(world, n, Box::pin(logging), Box::pin(takes_back)).await;
    world.run().await;
    let rows = writes_of(world, "Task").len() - before;
    let now = state(world, posted.id).await;
    match told.take().unwrap() {
        Ok(_) => assert_eq!((rows, now), (0, ActivityState::Withdrawn), "at call {n}"),
        Err(why) => {
            assert_eq!(rows, 1, "at call {n}: {why}");
            assert!(matches!(now, ActivityState::Logged { .. }), "at call {n}: {now:?}");
        }
    }
    was_over
}

/// Whoever takes an activity back and is told so finds no row of it, at whatever moment that was;
/// whoever is told that it is too late finds one.
#[tokio::test]
async fn what_is_taken_back_at_any_call_of_its_logging_is_logged_or_not_as_was_told() {
    let scene = Scene::new().await;
    at_each_call(5, async |n| taken_back_at(&scene, n).await).await;
}

/// Logs an enhanced note, killed at call `n`; how many calls that made.
async fn note_killed_at(scene: &Scene, n: Option<u64>) -> u64 {
    let world = &scene.world;
    let before = writes_of(world, "ContentNote").len();
    let key = format!("killed {n:?} {before}");
    let posted = post(scene, whole(scene, &key, ActivityKind::Note)).await;
    let calls = world.fuse.calls();
    if let Some(n) = n {
        world.fuse.light(n, n.is_multiple_of(2));
    }
    world.run().await;
    world.fuse.restart();
    // One whose call did not come to pass burns no more.
    world.fuse.light(u64::from(u32::MAX), true);
    row_of(world, &posted).await;
    assert_eq!(writes_of(world, "ContentNote").len(), before + 1, "killed at {n:?}");
    world.fuse.calls() - calls
}

#[tokio::test]
async fn killed_at_any_call_of_its_logging_an_enhanced_note_is_made_once() {
    let scene = Scene::new().await;
    scene.world.set(&json!({ "enhanced_notes": true })).await;
    note_killed_at(&scene, None).await;
    // The first has more to read than those after it.
    let calls = note_killed_at(&scene, None).await;
    for n in 1..calls {
        note_killed_at(&scene, Some(n)).await;
    }
    assert!(calls > 10, "{calls} calls");
}

#[tokio::test]
async fn a_seat_that_is_removed_leaves_no_word_of_what_it_had_logged() {
    let scene = Scene::new().await;
    let (world, at) = (&scene.world, scene.world.at());
    let of = BTreeSet::from([scene.seat]);
    let choices = BTreeMap::from([(LogType::Notes, false)]);
    let functions = &world.functions;
    functions.seat_logging.choose(at, scene.seat, &choices).await.unwrap();
    functions.seat_logging.switch(at, &of, false, &Author::Service).await.unwrap();
    for name in ["thread-1", "thread-2"] {
        functions.activities.switch_conversation(at, scene.seat, name, false).await.unwrap();
    }
    let words = async || {
        let keys = world.item_keys().await.into_iter();
        let said = [" SEATSWITCH#", " SEATCHOICES#", " CONVERSATION#"];
        keys.filter(|key| said.iter().any(|of| key.contains(of))).count()
    };
    assert_eq!(words().await, 4);
    functions.offboarding.remove_seat(at.tenant, scene.seat, &Actor::Service).await.unwrap();
    world.run().await;
    assert_eq!(words().await, 0);
}
