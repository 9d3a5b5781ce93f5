//! The main job while Salesforce has a bad day: every call that we make meets every kind of
//! failure, and the end is the same as without; nothing is lost, nothing is written twice.

use salesforce_simulator::{Fault, FaultKind};
use tests::world::{Delivery, World};

use super::killed::job_in;
use super::org::tiny;

/// The calls of a job, as method and path.
const CALLS: [(&str, &str); 9] = [
    ("POST", "/services/oauth2/token"),
    ("GET", "/describe"),
    ("POST", "/jobs/query"),
    ("GET", "/services/data/v*/jobs/query/750*"),
    ("GET", "/results"),
    ("DELETE", "/jobs/query/"),
    ("GET", "/query"),
    ("POST", "/sobjects/Task"),
    ("POST", "/sobjects/Note"),
];

/// Meets each call with `kind`, so many times from the second call on, one job for each.
async fn every_call_meets(kind: FaultKind, times: u64) {
    let folder = tiny();
    let job = async |fault: Option<Fault>| {
        let world = World::new(folder.path()).await;
        let control = world.control();
        fault.map(|fault| control.add_fault(fault));
        let (seen, _) = job_in(world, folder.path(), Delivery::Plain, None).await;
        (seen, control.faults().iter().map(|fault| fault.hits).sum::<u64>())
    };
    let (plain, _) = job(None).await;
    for (method, path) in CALLS {
        let fault = Fault {
            method: Some(method.to_owned()),
            skip: 1,
            times,
            ..Fault::at(path, kind.clone())
        };
        let (seen, hits) = job(Some(fault)).await;
        let told = format!("{kind:?} at {method} {path}");
        assert!(hits > 0, "{told}: nothing met it");
        assert_eq!(plain.differences(&seen), [""; 0], "{told}");
        assert!(seen.written().values().all(|rows| *rows == 1), "{told}: {:?}", seen.written());
    }
}

/// Salesforce's own error body.
fn error(status: u16, code: &str) -> FaultKind {
    let body = format!(r#"[{{"message":"planned","errorCode":"{code}"}}]"#);
    FaultKind::Respond { status, body, content_type: None, retry_after: None }
}

/// Once: a session that is refused right after its renewal is for a person to look at.
#[tokio::test]
async fn a_session_that_is_refused() {
    every_call_meets(FaultKind::InvalidSession, 1).await;
}

#[tokio::test]
async fn a_request_limit() {
    every_call_meets(error(403, "REQUEST_LIMIT_EXCEEDED"), 2).await;
}

#[tokio::test]
async fn too_many_requests() {
    every_call_meets(error(429, "TOO_MANY_REQUESTS"), 2).await;
}

#[tokio::test]
async fn a_server_error() {
    every_call_meets(error(500, "UNKNOWN_EXCEPTION"), 2).await;
}

#[tokio::test]
async fn a_server_that_is_not_available() {
    every_call_meets(error(503, "SERVER_UNAVAILABLE"), 2).await;
}

#[tokio::test]
async fn a_maintenance_page() {
    every_call_meets(FaultKind::Html { status: 503 }, 2).await;
}

#[tokio::test]
async fn a_page_of_the_edge_under_status_200() {
    every_call_meets(FaultKind::Html { status: 200 }, 2).await;
}

#[tokio::test]
async fn a_connection_that_is_closed_before_the_call_is_done() {
    every_call_meets(FaultKind::DropBefore, 2).await;
}

#[tokio::test]
async fn a_connection_that_is_closed_after_the_call_is_done() {
    every_call_meets(FaultKind::DropAfter, 2).await;
}

#[tokio::test]
async fn an_answer_that_is_cut() {
    every_call_meets(FaultKind::Truncate { bytes: 40 }, 2).await;
}
