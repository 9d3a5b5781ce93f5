//! What a seller did in the past, logged many at once: none that the CRM has already, and the rest
//! in the order of the activities.

use serde_json::{Value, json};
use shared::capabilities::activities::{
    ActivityKind, ActivityState, CallSource, NewActivity, Retroactive,
};
use shared::capabilities::audit::Actor;
use shared::kernel::{Grantee, RecordRef, SObject};
use tests::world::World;

use super::connection::Scene;
use super::main_job::{ADMIN, activity, import_again, state};
use super::sellers::contact;

const SELLER: &str = "noor.castellan@acme.example";
const DAY: &str = "2026-11-10";

/// An activity of the past, on the tenth of November.
fn past_activity(scene: &Scene, key: &str, kind: ActivityKind, body: &str) -> NewActivity {
    let mut new = activity(scene.seat, key, kind, scene.person.as_str());
    body.clone_into(&mut new.text.body);
    new.occurred_at = format!("{DAY}T15:00:00Z").parse().unwrap();
    new.source = (kind == ActivityKind::Call).then_some(CallSource::Mobile);
    new
}

async fn seller(scene: &Scene) -> String {
    let slot = scene.world.keys().await.seat_grant(scene.seat);
    let grant = scene.world.documents().await.read(&slot).await.unwrap().unwrap();
    grant.user_id.to_string()
}

/// Somebody logs something in the CRM itself, and an import sees it.
struct ByHand<'a> {
    world: &'a World,
    contact: RecordRef,
    owner: String,
}

impl ByHand<'_> {
    fn row(&self, object: &str, fields: &Value) -> String {
        let about = if object == "Note" { "ParentId" } else { "WhoId" };
        let mut row = json!({ "OwnerId": self.owner, about: self.contact.id });
        row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.world.control().create(&self.world.org, object, &row).unwrap()
    }

    fn task(&self, subject: &str, description: &str, day: &str) -> String {
        let fields = json!({ "Subject": subject, "Description": description, "ActivityDate": day });
        self.row("Task", &fields)
    }
}

async fn by_hand(scene: &Scene) -> ByHand<'_> {
    let (contact, owner) = (contact(scene).await, seller(scene).await);
    ByHand { world: &scene.world, contact, owner }
}

async fn seen(world: &World, name: &str) {
    world.control().advance(3600);
    import_again(world, name).await;
}

/// Logs activities, and tells where each stands in the end.
async fn logged(scene: &Scene, past: Vec<NewActivity>) -> Vec<ActivityState> {
    let world = &scene.world;
    let told = world.functions.activities.post_retroactively(world.at(), past).await.unwrap();
    world.run().await;
    let mut states = Vec::new();
    for told in told {
        let Retroactive::TakenIn(activity) = told else { panic!("{told:?}") };
        states.push(state(world, activity.id).await);
    }
    states
}

fn before(id: &str) -> ActivityState {
    ActivityState::LoggedBefore { salesforce_id: id.parse().unwrap() }
}

fn writes(world: &World) -> usize {
    world.control().writes(&world.org).unwrap().len()
}

#[tokio::test]
async fn what_somebody_logged_in_the_crm_is_recognised_and_the_rest_is_logged() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let hand = by_hand(&scene).await;
    let message = hand.task("Message sent from Sales Navigator", "Shall we\n talk?", DAY);
    hand.task("Follow up", "Something else", DAY);
    hand.task("Message sent from Sales Navigator", "See you", "2026-11-11");
    let event = json!({
        "Subject": "Call", "Description": "Asked for prices",
        "StartDateTime": format!("{DAY}T14:00:00Z"), "DurationInMinutes": 30,
    });
    let event = hand.row("Event", &event);
    let private = json!({
        "Subject": "Lunch", "Description": "Ate together", "IsPrivate": true,
        "StartDateTime": format!("{DAY}T12:00:00Z"), "DurationInMinutes": 30,
    });
    hand.row("Event", &private);
    let note = hand.row("Note", &json!({ "Title": "Fair", "Body": "Met at the fair" }));
    seen(world, "by hand").await;

    let wrote = writes(world);
    let states = logged(
        &scene,
        vec![
            past_activity(&scene, "1", ActivityKind::Message, "Shall we talk?"),
            past_activity(&scene, "2", ActivityKind::Call, "Asked for prices"),
            past_activity(&scene, "3", ActivityKind::Note, "Met at the fair"),
            past_activity(&scene, "4", ActivityKind::Message, "See you"),
            past_activity(&scene, "5", ActivityKind::Message, "Ate together"),
            past_activity(&scene, "6", ActivityKind::Note, "Met again"),
        ],
    )
    .await;
    assert_eq!(states[..3], [before(&message), before(&event), before(&note)]);
    for state in &states[3..] {
        assert!(matches!(state, ActivityState::Logged { .. }), "{states:?}");
    }
    assert_eq!(writes(world), wrote + 3);
}

#[tokio::test]
async fn one_row_made_by_hand_stands_for_one_deed_though_two_have_its_words() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let row = by_hand(&scene).await.task("Message sent from Sales Navigator", "Thanks!", DAY);
    seen(world, "by hand").await;
    let wrote = writes(world);
    let of = |key| past_activity(&scene, key, ActivityKind::Message, "Thanks!");
    for _ in 0..2 {
        let states = logged(&scene, vec![of("1"), of("2")]).await;
        assert_eq!(states[0], before(&row));
        assert!(matches!(states[1], ActivityState::Logged { .. }), "{states:?}");
        assert_eq!(writes(world), wrote + 1);
    }
}

#[tokio::test]
async fn what_somebody_else_logged_or_about_somebody_else_is_another_deed() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let hand = by_hand(&scene).await;
    let users = world.control().records(&world.org, "User", 0, 100).unwrap();
    let other = users.iter().find(|user| user["Id"] != hand.owner.as_str()).unwrap();
    let subject = "Message sent from Sales Navigator";
    let colleague =
        ByHand { owner: other["Id"].as_str().unwrap().to_owned(), ..by_hand(&scene).await };
    colleague.task(subject, "Shall we talk?", DAY);
    let contacts = world.control().records(&world.org, "Contact", 0, 100).unwrap();
    let elsewhere = contacts.iter().find(|row| row["Id"] != hand.contact.id.as_str()).unwrap();
    let id = elsewhere["Id"].as_str().unwrap().parse().unwrap();
    let elsewhere = RecordRef { object: SObject::Contact, id };
    ByHand { contact: elsewhere, ..by_hand(&scene).await }.task(subject, "Shall we talk?", DAY);
    seen(world, "by hand").await;
    let states =
        logged(&scene, vec![past_activity(&scene, "1", ActivityKind::Message, "Shall we talk?")])
            .await;
    assert!(matches!(states[..], [ActivityState::Logged { .. }]), "{states:?}");
}

#[tokio::test]
async fn a_task_that_went_to_another_day_or_person_or_is_gone_is_recognised_no_more() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let hand = by_hand(&scene).await;
    let moved = hand.task("Message sent from Sales Navigator", "Shall we talk?", DAY);
    let gone = hand.task("Message sent from Sales Navigator", "See you", DAY);
    seen(world, "by hand").await;
    let other_day = json!({ "ActivityDate": "2026-11-12" });
    world.control().update(&world.org, &moved, &other_day).unwrap();
    world.control().delete(&world.org, &gone).unwrap();
    seen(world, "changed").await;
    let states = logged(
        &scene,
        vec![
            past_activity(&scene, "1", ActivityKind::Message, "Shall we talk?"),
            past_activity(&scene, "2", ActivityKind::Message, "See you"),
        ],
    )
    .await;
    for state in &states {
        assert!(matches!(state, ActivityState::Logged { .. }), "{states:?}");
    }
}

#[tokio::test]
async fn a_dry_run_names_what_looks_alike_and_does_nothing() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let hand = by_hand(&scene).await;
    let task = hand.task("Message sent from Another Product", "Shall we talk?", DAY);
    hand.task("Follow up", "Something else", DAY);
    seen(world, "by hand").await;
    let wrote = writes(world);
    let past = [
        past_activity(&scene, "1", ActivityKind::Message, "Shall we talk?"),
        past_activity(&scene, "2", ActivityKind::Inmail, "Our offer"),
        past_activity(&scene, "3", ActivityKind::Note, " "),
        NewActivity {
            occurred_at: "2021-06-22T23:59:59Z".parse().unwrap(),
            ..past_activity(&scene, "4", ActivityKind::Note, "Too old")
        },
    ];
    let activities = &world.functions.activities;
    for _ in 0..2 {
        let told = activities.dry_run(world.at(), &past).await.unwrap();
        let alike: Vec<_> = told.iter().map(alike).collect();
        assert_eq!(alike[..2], [Some(vec![task.clone()]), Some(Vec::new())]);
        let why: Vec<_> = told.iter().filter_map(refusal).collect();
        assert_eq!(why, ["body is empty", "activities before 2021-06-23 cannot be logged"]);
        let Retroactive::WouldBe { activity, .. } = &told[0] else { panic!("{told:?}") };
        assert_eq!(activity.state, ActivityState::Queued);
        assert!(activities.get(world.at(), activity.id).await.unwrap().is_none());
    }
    world.run().await;
    assert_eq!(writes(world), wrote, "nothing is written");

    let states = logged(&scene, past[..2].to_vec()).await;
    assert_eq!(states[0], before(&task));
    let told = activities.dry_run(world.at(), &past[..2]).await.unwrap();
    assert!(told.iter().all(|told| matches!(told, Retroactive::TakenIn(_))), "{told:?}");
}

fn alike(told: &Retroactive) -> Option<Vec<String>> {
    let Retroactive::WouldBe { alike, .. } = told else { return None };
    let shown = |row: &shared::capabilities::activities::AlikeRow| {
        assert!(row.url.ends_with(row.row.id.as_str()), "{}", row.url);
        row.row.id.to_string()
    };
    Some(alike.iter().map(shown).collect())
}

fn refusal(told: &Retroactive) -> Option<String> {
    let Retroactive::Refused(why) = told else { return None };
    Some(why.to_string())
}

#[tokio::test]
async fn the_earliest_activity_is_logged_first_and_what_is_refused_stops_no_other() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let at = |day: &str, key: &str, body: &str| NewActivity {
        occurred_at: format!("{day}T10:00:00Z").parse().unwrap(),
        ..past_activity(&scene, key, ActivityKind::Message, body)
    };
    let past = vec![
        at("2026-03-03", "c", "third"),
        at("2021-06-23", "a", "first"),
        at("2021-06-22", "z", "too old"),
        at("2024-02-29", "b", "second"),
    ];
    let activities = &world.functions.activities;
    let told = activities.post_retroactively(world.at(), past.clone()).await.unwrap();
    let taken: Vec<bool> = told.iter().map(|t| matches!(t, Retroactive::TakenIn(_))).collect();
    assert_eq!(taken, [true, true, false, true], "in the order of the call");
    world.run().await;
    let tasks = world.control().writes(&world.org).unwrap();
    let days: Vec<_> = tasks.iter().map(|task| task.fields["ActivityDate"].clone()).collect();
    assert_eq!(days, ["2021-06-23", "2024-02-29", "2026-03-03"]);
    // The whole call again is the same activities.
    let again = activities.post_retroactively(world.at(), past).await.unwrap();
    world.run().await;
    assert!(matches!(&again[0], Retroactive::TakenIn(a) if a.state != ActivityState::Queued));
    assert_eq!(writes(world), 3);
}

#[tokio::test]
async fn what_was_logged_before_the_org_was_connected_anew_is_found_by_its_marker() {
    let scene = Scene::new().await;
    let past = |scene: &Scene| {
        vec![
            past_activity(scene, "1", ActivityKind::Message, "Thanks!"),
            past_activity(scene, "2", ActivityKind::Message, "Thanks!"),
            past_activity(scene, "3", ActivityKind::Note, "Met"),
        ]
    };
    let first = logged(&scene, past(&scene)).await;
    let ids: Vec<_> = first.iter().map(row).collect();
    let wrote = writes(&scene.world);
    scene.world.functions.disconnect.disconnect(scene.world.at(), &Actor::Service).await.unwrap();
    scene.world.run().await;
    scene.world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    scene.world.run().await;
    scene.world.authorize(Grantee::Seat(scene.seat), SELLER).await.unwrap();
    scene.world.run().await;
    let again = logged(&scene, past(&scene)).await;
    let found: Vec<_> = ids.iter().map(|id| before(id)).collect();
    assert_eq!(again, found, "each by its own, though two have the same words");
    assert_eq!(writes(&scene.world), wrote);
}

fn row(state: &ActivityState) -> String {
    let ActivityState::Logged { salesforce_id } = state else { panic!("{state:?}") };
    salesforce_id.to_string()
}
