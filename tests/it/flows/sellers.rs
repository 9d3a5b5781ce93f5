//! What sellers do, and the record that it is logged on: the one that its person or company is
//! linked to when it is logged, whatever happened since it was posted.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use salesforce_simulator::{Fault, FaultKind};
use serde_json::{Value, json};
use shared::capabilities::activities::{
    Activity, ActivityError, ActivityKind, ActivityState, HoldReason, NewActivity,
};
use shared::capabilities::asking::AskError;
use shared::capabilities::audit::Actor;
use shared::capabilities::directory::{HeldFile, ShardFiles};
use shared::capabilities::linking::{Correcting, EntityMatches, RecordDecision};
use shared::kernel::{Author, EntityId, Grantee, MatchMessage, RecordRef, SObject, SeatId};
use shared::matching::EntityKind;
use shared::product::Product;
use shared::work::{Done, WorkError};
use tests::world::World;

use super::connection::{Scene, TOKEN};
use super::main_job::{activity, import_again, state};
use super::meanwhile::{at_each_call, meanwhile};
use super::observe::lists;

const SELLER: &str = "noor.castellan@acme.example";
const OTHER: &str = "another.seller@acme.example";

pub(super) async fn post(scene: &Scene, key: &str, kind: ActivityKind) -> Activity {
    post_as(scene, scene.seat, key, kind).await
}

async fn post_as(scene: &Scene, seat: SeatId, key: &str, kind: ActivityKind) -> Activity {
    let new = activity(seat, key, kind, scene.person.as_str());
    scene.world.functions.activities.post(scene.world.at(), new).await.unwrap()
}

fn held(reason: HoldReason) -> ActivityState {
    ActivityState::Held { reason }
}

/// The record on which an activity was logged.
pub(super) async fn logged_on(world: &World, posted: &Activity) -> String {
    let now = state(world, posted.id).await;
    let ActivityState::Logged { salesforce_id } = now else { panic!("not logged: {now:?}") };
    let row = world.control().record(&world.org, salesforce_id.as_str()).unwrap();
    let parent = row["WhoId"].as_str().or(row["ParentId"].as_str());
    parent.unwrap().to_owned()
}

pub(super) async fn correct(world: &World, of: RecordRef, what: Correcting) {
    let scope = world.connection().await.scope();
    let corrections = &world.functions.corrections;
    corrections.say(scope, of.object, of.id, what, &Author::Service).await.unwrap();
    world.run().await;
}

fn is(entity: &EntityId) -> Correcting {
    Correcting::Match { entity_id: entity.clone() }
}

pub(super) fn is_not(entity: &EntityId) -> Correcting {
    Correcting::Unmatch { entity_id: Some(entity.clone()) }
}

pub(super) async fn link(world: &World, entity: &EntityId) -> EntityMatches {
    let slot = world.keys().await.entity(EntityKind::Person, entity);
    world.documents().await.read(&slot).await.unwrap().unwrap()
}

/// The contact that the scene's person is linked to.
pub(super) async fn contact(scene: &Scene) -> RecordRef {
    link(&scene.world, &scene.person).await.matched.unwrap()
}

/// A lead or contact that is nobody's.
pub(super) async fn nobodys(world: &World, object: SObject) -> RecordRef {
    let lists = lists(world, object).await;
    let free = lists.into_iter().find(|list| list.matched.is_none() && !list.gone);
    free.unwrap().record()
}

async fn import(world: &World, name: &str) {
    world.control().advance(3600);
    import_again(world, name).await;
}

/// A scene whose seller's login has ended.
pub(super) async fn logged_out() -> Scene {
    let scene = Scene::new().await;
    end_login(&scene).await;
    scene.world.run().await;
    scene
}

/// Ends the seller's login.
pub(super) async fn end_login(scene: &Scene) {
    let (world, by) = (&scene.world, Actor::Service);
    world.functions.offboarding.end_authorization(world.at(), scene.seat, &by).await.unwrap();
}

pub(super) async fn log_in(scene: &Scene) {
    scene.world.authorize(Grantee::Seat(scene.seat), SELLER).await.unwrap();
    scene.world.run().await;
}

#[tokio::test]
async fn i24_a_lead_that_a_person_chose_gets_the_message_though_a_contact_was_found() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let found = contact(&scene).await;
    assert_eq!(found.object, SObject::Contact);
    let lead = lists(world, SObject::Lead).await.into_iter().find(|l| !l.gone).unwrap().record();
    correct(world, lead, is(&scene.person)).await;

    let matches = link(world, &scene.person).await;
    assert_eq!(matches.matched, Some(lead));
    let listed: Vec<RecordRef> = matches.bids.iter().map(|bid| bid.record).collect();
    assert!(listed.contains(&found), "the alternative is listed: {listed:?}");
    let contacts = lists(world, SObject::Contact).await;
    let loser = contacts.iter().find(|list| list.record() == found).unwrap();
    assert_eq!((&loser.matched, loser.decision), (&None, RecordDecision::Duplicate));

    let posted = post(&scene, "1", ActivityKind::Message).await;
    world.run().await;
    assert_eq!(logged_on(world, &posted).await, lead.id.as_str());
}

#[tokio::test]
async fn what_had_no_record_is_logged_once_one_is_matched() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let contact = contact(&scene).await;
    correct(world, contact, is_not(&scene.person)).await;
    let waiting = post(&scene, "1", ActivityKind::Message).await;
    let note = post(&scene, "2", ActivityKind::Note).await;
    world.run().await;
    for posted in [&waiting, &note] {
        assert_eq!(state(world, posted.id).await, held(HoldReason::NoCrmRecord));
    }
    correct(world, contact, is(&scene.person)).await;
    for posted in [&waiting, &note] {
        assert_eq!(logged_on(world, posted).await, contact.id.as_str());
    }
    assert_eq!(world.control().writes(&world.org).unwrap().len(), 2);
    let left = world.item_keys().await.into_iter().filter(|key| key.contains(" WAITING#"));
    assert_eq!(left.count(), 0, "nobody waits any more");
}

#[tokio::test]
async fn what_had_no_record_is_logged_once_one_is_created_in_the_crm() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let contact = contact(&scene).await;
    let row = world.control().record(&world.org, contact.id.as_str()).unwrap();
    world.control().delete(&world.org, contact.id.as_str()).unwrap();
    import(world, "deleted").await;
    let waiting = post(&scene, "1", ActivityKind::Message).await;
    assert_eq!(waiting.state, held(HoldReason::NoCrmRecord));
    let fields = ["FirstName", "LastName", "Email", "Title", "AccountId", "MailingCity"];
    let fields: Value =
        fields.iter().map(|name| ((*name).to_owned(), row[*name].clone())).collect();
    let created = world.control().create(&world.org, "Contact", &fields).unwrap();
    import(world, "created").await;
    assert_eq!(logged_on(world, &waiting).await, created);
}

struct NoFiles;

#[async_trait]
impl ShardFiles for NoFiles {
    async fn file(&self, _: &str) -> Result<HeldFile, WorkError> {
        Err(WorkError::reject("read a shard", "a correction needs none"))
    }

    async fn forget(&self, _: &str) {}
}

/// The person is linked before call `n` of a post, or after the last one. True when there was no
/// such call.
async fn linked_at(scene: &Scene, contact: RecordRef, n: usize) -> bool {
    let world = &scene.world;
    correct(world, contact, is_not(&scene.person)).await;
    let product = Product::new(world.memory.ports()).opening("crm-sync/".to_owned());
    let steps = product.match_steps(std::sync::Arc::new(NoFiles)).unwrap();
    let scope = world.connection().await.scope();
    let RecordRef { object, id: record } = contact;
    let link = async {
        let corrections = product.corrections();
        corrections.say(scope, object, record, is(&scene.person), &Author::Service).await.unwrap();
        let settled = steps.handle(MatchMessage::Correct { scope, object, record }).await;
        assert!(matches!(settled, Ok(Done::Finished)), "{settled:?}");
    };
    let key = n.to_string();
    let posting = post(scene, &key, ActivityKind::Message);
    let (posted, was_over) = meanwhile(world, n, Box::pin(posting), Box::pin(link)).await;
    world.run().await;
    assert_eq!(logged_on(world, &posted).await, record.as_str(), "linked at call {n}");
    was_over
}

#[tokio::test]
async fn a_link_that_comes_at_any_call_of_a_post_is_not_missed() {
    let scene = Scene::new().await;
    let contact = contact(&scene).await;
    at_each_call(5, async |n| linked_at(&scene, contact, n).await).await;
}

#[tokio::test]
async fn a_missing_or_dead_login_is_told_at_once_and_the_activity_is_logged_after_it() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let other = world.seat(OTHER).await;
    let missing = post_as(&scene, other, "1", ActivityKind::Message).await;
    assert_eq!(missing.state, held(HoldReason::CrmLoginRequired));

    end_login(&scene).await;
    let dead = post(&scene, "1", ActivityKind::Message).await;
    assert_eq!(dead.state, held(HoldReason::CrmLoginRequired));
    world.run().await;
    assert_eq!(state(world, dead.id).await, held(HoldReason::CrmLoginRequired), "it is kept");
    log_in(&scene).await;
    assert_eq!(logged_on(world, &dead).await, contact(&scene).await.id.as_str());
    assert_eq!(state(world, missing.id).await, missing.state, "another's login is not this seat's");
}

/// A login of the seat's ends before call `n` of a post, or after the last one. True when there was
/// no such call.
async fn logs_in_at(scene: &Scene, n: usize) -> bool {
    let world = &scene.world;
    end_login(scene).await;
    world.run().await;
    let login = async {
        world.authorize(Grantee::Seat(scene.seat), SELLER).await.unwrap();
        // What it releases is released before the post goes on.
        world.run().await;
    };
    let key = n.to_string();
    let posting = post(scene, &key, ActivityKind::Message);
    let (posted, was_over) = meanwhile(world, n, Box::pin(posting), Box::pin(login)).await;
    // No time passes: the hourly upkeep comes to nobody's help.
    for _ in 0..9 {
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
    }
    let told = state(world, posted.id).await;
    assert!(matches!(told, ActivityState::Logged { .. }), "logged in at call {n}: {told:?}");
    was_over
}

#[tokio::test]
async fn a_login_that_comes_at_any_call_of_a_post_is_not_missed() {
    let scene = Scene::new().await;
    at_each_call(5, async |n| logs_in_at(&scene, n).await).await;
}

#[tokio::test]
async fn a_connection_that_does_not_work_is_told_at_once() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.control().revoke_grants(&world.org).unwrap();
    world.control().end_sessions(&world.org).unwrap();
    import_again(world, "refused").await;
    let posted = post(&scene, "1", ActivityKind::Message).await;
    assert_eq!(posted.state, held(HoldReason::ReconnectRequired));
}

#[tokio::test]
async fn a_correction_made_while_it_is_held_decides_where_it_is_logged() {
    let scene = logged_out().await;
    let world = &scene.world;
    let posted = post(&scene, "1", ActivityKind::Message).await;
    let before = contact(&scene).await;
    let right = nobodys(world, SObject::Contact).await;
    correct(world, before, is_not(&scene.person)).await;
    correct(world, right, is(&scene.person)).await;
    log_in(&scene).await;
    assert_eq!(logged_on(world, &posted).await, right.id.as_str());
}

#[tokio::test]
async fn what_is_unlinked_while_it_is_held_waits_for_the_next_link() {
    let scene = logged_out().await;
    let world = &scene.world;
    let posted = post(&scene, "1", ActivityKind::Message).await;
    let contact = contact(&scene).await;
    correct(world, contact, is_not(&scene.person)).await;
    log_in(&scene).await;
    assert_eq!(state(world, posted.id).await, held(HoldReason::NoCrmRecord));
    correct(world, contact, is(&scene.person)).await;
    assert_eq!(logged_on(world, &posted).await, contact.id.as_str());
}

#[tokio::test]
async fn f44_a_message_to_a_merged_contact_goes_to_its_survivor() {
    for is_imported in [false, true] {
        let scene = logged_out().await;
        let world = &scene.world;
        let posted = post(&scene, "1", ActivityKind::Message).await;
        let loser = contact(&scene).await;
        // A person's link follows the record in the import, too.
        correct(world, loser, is(&scene.person)).await;
        let master = nobodys(world, SObject::Contact).await.id;
        world.control().merge(&world.org, master.as_str(), &[loser.id.as_str()]).unwrap();
        if is_imported {
            import(world, "merged").await;
        }
        log_in(&scene).await;
        assert_eq!(logged_on(world, &posted).await, master.as_str(), "imported: {is_imported}");
    }
}

#[tokio::test]
async fn f44_a_message_to_a_converted_lead_goes_to_its_contact() {
    for is_imported in [false, true] {
        let scene = logged_out().await;
        let world = &scene.world;
        let lead = nobodys(world, SObject::Lead).await;
        correct(world, lead, is(&scene.person)).await;
        let posted = post(&scene, "1", ActivityKind::Message).await;
        let note = post(&scene, "2", ActivityKind::Note).await;
        let became = world.control().convert_lead(&world.org, lead.id.as_str(), &json!({}));
        let contact = became.unwrap()["contact"].as_str().unwrap().to_owned();
        if is_imported {
            import(world, "converted").await;
        }
        log_in(&scene).await;
        assert_eq!(logged_on(world, &posted).await, contact, "imported: {is_imported}");
        assert_eq!(logged_on(world, &note).await, contact, "imported: {is_imported}");
    }
}

#[tokio::test]
async fn f44_a_message_to_a_deleted_contact_waits_and_is_logged_when_it_is_back() {
    let scene = logged_out().await;
    let world = &scene.world;
    let posted = post(&scene, "1", ActivityKind::Message).await;
    let contact = contact(&scene).await.id;
    world.control().delete(&world.org, contact.as_str()).unwrap();
    world.authorize(Grantee::Seat(scene.seat), SELLER).await.unwrap();
    for _ in 0..3 {
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
    }
    assert_eq!(state(world, posted.id).await, held(HoldReason::NoCrmRecord));
    // No import saw that it was gone.
    world.control().undelete(&world.org, contact.as_str()).unwrap();
    world.run().await;
    assert_eq!(logged_on(world, &posted).await, contact.as_str());
}

#[tokio::test]
async fn i66_a_note_is_logged_on_an_account_and_a_message_is_not() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let accounts = lists(world, SObject::Account).await;
    let account = accounts.iter().find(|list| list.matched.is_some()).unwrap();
    let entity = account.matched.clone().unwrap();
    let new = |key: &str, kind| NewActivity {
        entity_kind: EntityKind::Company,
        ..activity(scene.seat, key, kind, entity.as_str())
    };
    let activities = &world.functions.activities;
    for kind in [ActivityKind::Message, ActivityKind::Inmail] {
        let refused = activities.post(world.at(), new("1", kind)).await.unwrap_err();
        assert_eq!(refused.to_string(), "only notes can be logged on an account");
    }
    let posted = activities.post(world.at(), new("2", ActivityKind::Note)).await.unwrap();
    world.run().await;
    assert_eq!(logged_on(world, &posted).await, account.id.as_str());
}

#[tokio::test]
async fn i65_activities_are_logged_back_to_the_23rd_of_june_2021_and_not_before() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let first: Timestamp = "2021-06-23T00:00:00Z".parse().unwrap();
    let now = world.ports().clock.now();
    let post = async |key: &str, occurred_at| {
        let new = activity(scene.seat, key, ActivityKind::Message, scene.person.as_str());
        let new = NewActivity { occurred_at, ..new };
        world.functions.activities.post(world.at(), new).await
    };
    let second = SignedDuration::from_secs(1);
    let too_early = [Timestamp::UNIX_EPOCH, first - second];
    for occurred_at in too_early.into_iter().chain([now + SignedDuration::from_mins(6)]) {
        let refused = post("0", occurred_at).await.unwrap_err();
        assert!(matches!(refused, ActivityError::Invalid(_)), "{occurred_at}: {refused}");
    }
    let posted = post("1", first).await.unwrap();
    world.run().await;
    let ActivityState::Logged { salesforce_id } = state(world, posted.id).await else { panic!() };
    let row = world.control().record(&world.org, salesforce_id.as_str()).unwrap();
    assert_eq!(row["ActivityDate"], "2021-06-23", "the day in Berlin");
}

/// Links the person of a message that waits, killed at call `n` of what follows; how many calls
/// that made.
async fn killed_at(scene: &Scene, contact: RecordRef, n: Option<u64>) -> u64 {
    let world = &scene.world;
    correct(world, contact, is_not(&scene.person)).await;
    let posted = post(scene, &format!("{n:?}"), ActivityKind::Message).await;
    assert_eq!(posted.state, held(HoldReason::NoCrmRecord));
    let written = world.control().writes(&world.org).unwrap().len();
    let scope = world.connection().await.scope();
    let what = is(&scene.person);
    world
        .functions
        .corrections
        .say(scope, contact.object, contact.id, what, &Author::Service)
        .await
        .unwrap();
    let before = world.fuse.calls();
    if let Some(n) = n {
        world.fuse.light(n, n.is_multiple_of(2));
    }
    world.run().await;
    let calls = world.fuse.calls() - before;
    world.fuse.restart();
    assert_eq!(logged_on(world, &posted).await, contact.id.as_str(), "killed at {n:?}");
    let written = world.control().writes(&world.org).unwrap().len() - written;
    assert_eq!(written, 1, "killed at {n:?}");
    calls
}

#[tokio::test]
async fn killed_at_any_call_of_a_link_and_its_logging_the_message_is_logged_once() {
    let scene = Scene::new().await;
    let contact = contact(&scene).await;
    // What is cached by then is not asked for again.
    killed_at(&scene, contact, Some(10_000)).await;
    let calls = killed_at(&scene, contact, None).await;
    let stride = usize::try_from(calls / 20).unwrap();
    for n in (1..calls).step_by(stride) {
        killed_at(&scene, contact, Some(n)).await;
    }
    assert!(calls > 20, "{calls} calls");
}

/// Ninety days after the login a seller logs in again, whatever the token is still good for.
#[tokio::test]
async fn ninety_days_after_the_login_a_question_needs_another_one() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let ask = async || world.functions.asking.accounts(world.at(), scene.seat, "Ac").await;
    ask().await.unwrap();
    world.memory.clock.advance(SignedDuration::from_hours(24 * 91));
    let told = ask().await.unwrap_err();
    assert!(matches!(told, AskError::LoginRequired), "{told:?}");
}

/// An answer that never came may still take effect: the old token is not sent once more before that
/// is over.
#[tokio::test]
async fn after_an_answer_that_never_came_the_old_token_rests() {
    let scene = Scene::new().await;
    let (world, control) = (&scene.world, scene.world.control());
    control.end_sessions(&world.org).unwrap();
    control.add_fault(Fault::at(TOKEN, FaultKind::DropAfter));
    control.clear_requests();
    for _ in 0..2 {
        let told = world.functions.asking.accounts(world.at(), scene.seat, "Ac").await;
        let told = told.unwrap_err();
        assert!(matches!(told, AskError::Later(_)), "{told:?}");
    }
    assert_eq!(scene.token_calls(), 1);
}
