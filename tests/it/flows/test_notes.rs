//! The test note: written, read back and removed, whatever becomes of its requests.

use jiff::SignedDuration;
use salesforce_simulator::{Fault, FaultKind};
use serde_json::{Value, json};
use shared::capabilities::activities::CrmObject;
use shared::capabilities::asking::{AskError, NoteReadBack};
use shared::kernel::{RecordRef, SObject};
use tests::world::World;

use super::connection::Scene;
use super::sellers::{contact, logged_out, nobodys};

const NOTES: &str = "/sobjects/Note";

async fn tested(scene: &Scene, record: RecordRef) -> Result<NoteReadBack, AskError> {
    scene.world.functions.asking.test_note(scene.world.at(), scene.seat, record).await
}

/// The test notes that the org shows, the recycle bin's not among them.
fn left(world: &World) -> Vec<Value> {
    let of = |object| world.control().records(&world.org, object, 0, usize::MAX).unwrap();
    let mut rows = [of("Note"), of("ContentNote")].concat();
    let is_test = |row: &Value| row["Title"].as_str().is_some_and(|t| t.starts_with("Test note"));
    rows.retain(|row| is_test(row) && row["IsDeleted"] != true);
    rows
}

fn wait(world: &World) {
    world.memory.clock.advance(SignedDuration::from_mins(12));
}

#[tokio::test]
async fn a_test_note_is_written_read_back_and_removed() {
    let scene = Scene::new().await;
    let world = &scene.world;
    for (enhanced, object) in [(false, CrmObject::Note), (true, CrmObject::ContentNote)] {
        world.set(&json!({ "enhanced_notes": enhanced })).await;
        for record in [contact(&scene).await, nobodys(world, SObject::Lead).await] {
            let told = tested(&scene, record).await.unwrap();
            assert_eq!((told.object, &told.left), (object, &None));
            assert!(told.title.starts_with("Test note "), "{}", told.title);
            assert!(told.body.contains("This note shows that notes can be written here."));
            assert!(told.record_url.ends_with(record.id.as_str()), "{}", told.record_url);
            assert_eq!(left(world), Vec::<Value>::new());
        }
    }
    let created = world.control().writes(&world.org).unwrap();
    let created = created.iter().filter(|write| write.operation == "create");
    // An enhanced note comes with the link that attaches it.
    assert_eq!(created.count(), 2 + 2 * 2);
}

#[tokio::test]
async fn a_test_note_whose_requests_get_lost_is_gone_after_the_next_test() {
    let faults = [
        FaultKind::DropBefore,
        FaultKind::DropAfter,
        FaultKind::Truncate { bytes: 10 },
        FaultKind::Html { status: 503 },
    ];
    for kind in faults {
        for method in ["POST", "GET", "DELETE"] {
            let scene = Scene::new().await;
            let world = &scene.world;
            let record = contact(&scene).await;
            world.control().add_fault(Fault::at(NOTES, kind.clone()).method(method));
            let first = tested(&scene, record).await;
            if let Ok(told) = &first {
                assert_eq!(told.left, None, "{method} {kind:?}");
            }
            wait(world);
            let told = tested(&scene, record).await.unwrap();
            assert_eq!(told.left, None, "{method} {kind:?}");
            assert_eq!(left(world), Vec::<Value>::new(), "{method} {kind:?}: {first:?}");
        }
    }
}

#[tokio::test]
async fn a_test_note_that_may_still_come_is_waited_for() {
    let scene = Scene::new().await;
    let record = contact(&scene).await;
    let lost = Fault::at(NOTES, FaultKind::DropBefore).method("POST");
    scene.world.control().add_fault(lost);
    let first = tested(&scene, record).await;
    assert!(matches!(first, Err(AskError::Later(_))), "{first:?}");
    let at_once = tested(&scene, record).await;
    let Err(AskError::Later(left)) = at_once else { panic!("{at_once:?}") };
    assert!((600..=660).contains(&left.as_secs()), "{left:?}");
    wait(&scene.world);
    assert!(tested(&scene, record).await.is_ok());
}

#[tokio::test]
async fn killed_at_any_call_a_test_note_is_gone_after_the_next_test() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let record = contact(&scene).await;
    tested(&scene, record).await.unwrap(); // what is cached by then is not asked for again
    world.fuse.resume();
    let before = world.fuse.calls();
    tested(&scene, record).await.unwrap();
    let calls = world.fuse.calls() - before;
    world.fuse.pause();
    assert!(calls > 3, "{calls} calls");
    for n in 1..=calls {
        world.fuse.resume();
        world.fuse.light(n, n % 2 == 0);
        let died = tested(&scene, record).await;
        world.fuse.pause();
        wait(world);
        let told = tested(&scene, record).await.unwrap();
        assert_eq!((told.left, left(world)), (None, Vec::new()), "killed at {n}: {died:?}");
    }
}

#[tokio::test]
async fn a_test_note_that_the_seller_may_not_delete_stays_and_is_told() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let record = contact(&scene).await;
    let said = json!([{ "errorCode": "INSUFFICIENT_ACCESS_OR_READONLY", "fields": [],
        "message": "insufficient access rights on object id" }]);
    let refuse = FaultKind::Respond {
        status: 400,
        body: said.to_string(),
        content_type: None,
        retry_after: None,
    };
    world.control().add_fault(Fault::at(NOTES, refuse).method("DELETE").times(1));
    let told = tested(&scene, record).await.unwrap();
    assert_eq!(told.left.as_deref(), Some("insufficient access rights on object id"));
    assert_eq!(left(world).len(), 1);
    // The next test is another note, and waits for nothing.
    assert_eq!(tested(&scene, record).await.unwrap().left, None);
    assert_eq!(left(world).len(), 1);
}

#[tokio::test]
async fn what_the_crm_refuses_and_a_missing_login_are_told_and_leave_nothing() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let account = RecordRef { object: SObject::Account, id: "001000000000001AAA".parse().unwrap() };
    assert!(matches!(tested(&scene, account).await, Err(AskError::Invalid(_))));
    let said = json!([{ "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": [],
        "message": "Notes are closed" }]);
    let refuse = FaultKind::Respond {
        status: 400,
        body: said.to_string(),
        content_type: None,
        retry_after: None,
    };
    world.control().add_fault(Fault::at(NOTES, refuse).method("POST").times(1));
    let record = contact(&scene).await;
    let refused = tested(&scene, record).await;
    let Err(AskError::Refused { message, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(message, "Notes are closed");
    // Nothing is waited for: the note is known not to be there.
    assert_eq!(tested(&scene, record).await.unwrap().left, None);
    assert_eq!(left(world), Vec::<Value>::new());

    let scene = logged_out().await;
    let record = contact(&scene).await;
    let told = tested(&scene, record).await;
    assert!(matches!(told, Err(AskError::LoginRequired)), "{told:?}");
}
