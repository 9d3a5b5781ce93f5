//! The lives of what an import keeps in the object store, and answers that cannot be used.

use jiff::SignedDuration;
use salesforce_simulator::{Fault, FaultKind};
use shared::capabilities::importing::{ObjectImport, ObjectPhase, RunState};
use shared::kernel::{RUNS, SObject};
use tests::Home;

use super::case::Case;

in_both_homes!(
    m04_what_a_run_needed_goes_soon_after_its_end,
    m04_what_a_run_needed_goes_when_it_is_called_off,
    m04_a_page_that_vanished_is_fetched_again,
);

async fn of_runs(case: &Case) -> Vec<String> {
    let mut keys = case.world.object_keys().await;
    keys.retain(|key| key.starts_with(RUNS));
    keys
}

fn landing(phase: &ObjectPhase) -> bool {
    matches!(phase, ObjectPhase::Landing { page: 1, .. })
}

fn told(progress: &ObjectImport) -> Vec<(&str, u64)> {
    progress.errors.iter().map(|group| (group.code.as_str(), group.count)).collect()
}

async fn m04_what_a_run_needed_goes_soon_after_its_end(home: Home) {
    let case = Case::at(home).await;
    let run = case.first().await;
    case.until(run, SObject::Contact, landing).await;
    assert!(!of_runs(&case).await.is_empty(), "a run under way has pages");
    case.world.run().await;
    assert_eq!(of_runs(&case).await, Vec::<String>::new());
    // A step of the run that comes after all writes nothing.
    for step in 0..12 {
        case.deliver(&case.step(run, SObject::Contact, step).await).await;
    }
    assert_eq!(of_runs(&case).await, Vec::<String>::new());
    case.equals_the_org().await;
}

async fn m04_what_a_run_needed_goes_when_it_is_called_off(home: Home) {
    let case = Case::at(home).await;
    let run = case.first().await;
    case.until(run, SObject::Contact, landing).await;
    case.world.functions.import().cancel(case.world.at(), run).await.unwrap();
    case.world.run().await;
    assert_eq!(of_runs(&case).await, Vec::<String>::new());
    // So it does when another run takes its lease.
    let second = case.ask("second").await;
    case.until(second, SObject::Lead, landing).await;
    case.world.memory.lose_messages();
    case.world.memory.clock.advance(SignedDuration::from_hours(3));
    let third = case.ask("third").await;
    case.world.run().await;
    assert_eq!(case.run(second).await.unwrap().state, RunState::Failed);
    assert_eq!(case.run(third).await.unwrap().state, RunState::Complete);
    assert_eq!(of_runs(&case).await, Vec::<String>::new());
    case.equals_the_org().await;
}

async fn m04_a_page_that_vanished_is_fetched_again(home: Home) {
    let case = Case::at(home).await;
    let run = case.first().await;
    case.until(run, SObject::Contact, landing).await;
    case.world.ports().objects.delete_folder(RUNS).await.unwrap();
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    let contacts = &case.objects(run).await[&SObject::Contact];
    assert_eq!((told(contacts), contacts.restarts), (vec![("PAGE_GONE", 1)], 1));
    case.equals_the_org().await;
}

#[tokio::test]
async fn m04_pages_that_vanish_each_time_end_their_object_with_an_error_and_not_the_run() {
    let case = Case::new().await;
    let run = case.first().await;
    for _ in 0..3 {
        case.until(run, SObject::Contact, |phase| matches!(phase, ObjectPhase::Landing { .. }))
            .await;
        let contacts = "/pages/Contact/";
        let mut gone = of_runs(&case).await;
        gone.retain(|key| key.contains(contacts));
        case.world.ports().objects.delete(&gone).await.unwrap();
        let step = case.objects(run).await[&SObject::Contact].step;
        case.deliver(&case.step(run, SObject::Contact, step).await).await;
    }
    case.world.run().await;
    let objects = case.objects(run).await;
    let contacts = &objects[&SObject::Contact];
    assert!(
        matches!(&contacts.phase, ObjectPhase::Failed { code, .. } if code == "PAGE_GONE"),
        "{contacts:?}"
    );
    assert_eq!(told(contacts), [("PAGE_GONE", 3)]);
    assert_eq!(objects[&SObject::Lead].phase, ObjectPhase::Done);
    assert_eq!(case.run(run).await.unwrap().state, RunState::Failed);
    assert!(case.active().await.is_none(), "the run ended");
    case.import("second").await;
    case.equals_the_org().await;
}

/// An answer that cannot be used, each time.
fn broken(path: &str) -> Fault {
    let body = r#"{"fields": ["#.to_owned();
    let kind = FaultKind::Respond { status: 200, body, content_type: None, retry_after: None };
    Fault::at(path, kind).times(0)
}

#[tokio::test]
async fn m06_a_page_that_stays_broken_is_read_by_another_job() {
    let case = Case::new().await;
    let run = case.first().await;
    let landing = |phase: &ObjectPhase| matches!(phase, ObjectPhase::Landing { page: 0, .. });
    case.until(run, SObject::Contact, landing).await;
    let ObjectPhase::Landing { job, .. } = case.objects(run).await[&SObject::Contact].phase.clone()
    else {
        panic!("it was landing")
    };
    case.world.control().add_fault(broken(&format!("/jobs/query/{job}/results")));
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    let contacts = &case.objects(run).await[&SObject::Contact];
    assert_eq!(contacts.restarts, 1);
    let (code, count) = told(contacts)[0];
    assert!(code == "UNUSABLE_ANSWER" && (3..20).contains(&count), "{:?}", contacts.errors);
    case.equals_the_org().await;
}

#[tokio::test]
async fn m06_an_answer_that_stays_unusable_ends_its_object_within_the_hour_and_not_the_run() {
    let case = Case::new().await;
    let run = case.first().await;
    case.world.control().add_fault(broken("/sobjects/Lead/describe"));
    case.world.run().await;
    let objects = case.objects(run).await;
    let leads = &objects[&SObject::Lead];
    assert!(
        matches!(&leads.phase, ObjectPhase::Failed { code, .. } if code == "UNUSABLE_ANSWER"),
        "{leads:?}"
    );
    let took = leads.finished_at.unwrap().duration_since(case.run(run).await.unwrap().started_at);
    assert!(took < SignedDuration::from_hours(1), "{took}");
    assert!(leads.api_calls >= leads.errors[0].count, "every call is counted: {leads:?}");
    assert_eq!(objects[&SObject::Contact].phase, ObjectPhase::Done);
    let run = case.run(run).await.unwrap();
    assert_eq!(run.state, RunState::Failed);
}

#[tokio::test]
async fn m06_an_answer_that_cannot_be_used_is_no_sign_of_life() {
    let case = Case::new().await;
    let run = case.first().await;
    let waiting = |phase: &ObjectPhase| matches!(phase, ObjectPhase::Waiting);
    case.until(run, SObject::Lead, waiting).await;
    case.world.control().add_fault(broken("/sobjects/Lead/describe"));
    let step = case.objects(run).await[&SObject::Lead].step;
    let begun = case.active().await.unwrap().beat_at;
    for _ in 0..3 {
        case.world.memory.clock.advance(SignedDuration::from_mins(6));
        case.deliver(&case.step(run, SObject::Lead, step).await).await;
    }
    assert_eq!(case.active().await.unwrap().beat_at, begun);
    // An org that does not answer is waited for, and the run lives.
    case.world.control().remove_faults(None);
    let down = Fault::at("/sobjects/Lead/describe", FaultKind::Html { status: 503 }).times(0);
    case.world.control().add_fault(down);
    case.world.memory.clock.advance(SignedDuration::from_mins(6));
    let step = case.objects(run).await[&SObject::Lead].step;
    case.deliver(&case.step(run, SObject::Lead, step).await).await;
    assert!(case.active().await.unwrap().beat_at > begun);
}
