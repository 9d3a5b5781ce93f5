//! Salesforce forgets where it was (docs/decisions/0005).

use salesforce_simulator::{Fault, FaultKind};
use shared::capabilities::importing::{ObjectPhase, RunState};
use shared::kernel::SObject;

use super::case::Case;

#[tokio::test]
async fn a_lost_locator_begins_its_object_anew_and_what_landed_is_not_written_again() {
    let case = Case::new().await;
    let run = case.first().await;
    let third_page = |phase: &ObjectPhase| matches!(phase, ObjectPhase::Landing { page: 2, .. });
    case.until(run, SObject::Contact, third_page).await;
    let body = r#"[{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid query locator"}]"#;
    let lost = FaultKind::Respond {
        status: 400,
        body: body.to_owned(),
        content_type: None,
        retry_after: None,
    };
    let ObjectPhase::Landing { job, .. } = &case.objects(run).await[&SObject::Contact].phase else {
        panic!("no page is landed")
    };
    // The fourth page is asked for beside the landing of the third, and then by its own step.
    let lost = Fault { times: 2, ..Fault::at(&format!("{job}/results"), lost) };
    case.world.control().add_fault(lost);
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    let contacts = &case.objects(run).await[&SObject::Contact];
    assert_eq!((contacts.restarts, contacts.errors[0].count), (1, 1));
    assert_eq!(contacts.errors[0].code, "INVALID_QUERY_LOCATOR");
    assert_eq!((contacts.counts.new, contacts.counts.unchanged), (30, 21));
    assert_eq!((contacts.rows_fetched, contacts.rows_expected), (30, 30));
    case.equals_the_org().await;
}
