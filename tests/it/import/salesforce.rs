//! The faults of Salesforce, each by the number of the catalogue.

use jiff::{SignedDuration, Timestamp};
use salesforce_simulator::{Fault, FaultKind};
use serde_json::json;
use shared::capabilities::importing::{ObjectPhase, RunState};
use shared::kernel::{ImportTrigger, Occurrence, SObject};

use super::case::Case;

fn fetching(phase: &ObjectPhase) -> bool {
    matches!(phase, ObjectPhase::Fetching { page: 0, .. })
}

fn landing(phase: &ObjectPhase) -> bool {
    matches!(phase, ObjectPhase::Landing { page: 0, .. })
}

#[tokio::test]
async fn f29_f30_a_session_that_ends_in_mid_job_is_renewed_once_and_the_page_read_again() {
    for path in ["/jobs/query/*", "*/results"] {
        let case = Case::new().await;
        let run = case.first().await;
        case.until(run, SObject::Contact, fetching).await;
        let tokens = case.calls("/oauth2/token");
        case.world.control().add_fault(Fault::at(path, FaultKind::InvalidSession));
        case.world.run().await;
        assert!(case.calls("/oauth2/token") <= tokens + 1, "renewed once, no loop");
        assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
        case.equals_the_org().await;
    }
    // Bulk says it in its own way.
    let case = Case::new().await;
    let run = case.first().await;
    case.until(run, SObject::Contact, fetching).await;
    let body = r#"[{"errorCode":"InvalidSessionId","message":"Invalid session id"}]"#;
    case.world.control().add_fault(respond("/results", 400, body));
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    case.equals_the_org().await;
}

fn respond(path: &str, status: u16, body: &str) -> Fault {
    let body = body.to_owned();
    Fault::at(path, FaultKind::Respond { status, body, content_type: None, retry_after: None })
}

#[tokio::test]
async fn f35_an_org_that_does_not_answer_is_asked_by_a_probe_alone() {
    let case = Case::imported().await;
    case.update(&case.leads[0], &json!({ "LastName": "Changed" }));
    let run = case.ask("second").await;
    for message in case.world.memory.receive() {
        case.world.deliver(&message.body).await;
    }
    let down = Fault { times: 0, ..Fault::at("/services/data", FaultKind::Html { status: 503 }) };
    let fault = case.world.control().add_fault(down);
    let before = case.world.control().requests().len();
    // Eleven objects' steps come again every few seconds, for ten minutes.
    for _ in 0..120 {
        for message in case.world.memory.receive() {
            case.world.deliver(&message.body).await;
        }
        case.advance(5);
    }
    let asked = case.world.control().requests().len() - before;
    assert!((15..=25).contains(&asked), "five calls, then one in half a minute: {asked}");
    case.world.control().remove_faults(Some(fault));
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    case.equals_the_org().await;
}

#[tokio::test]
async fn f36_imports_stand_back_at_their_share_of_the_orgs_calls_and_come_again() {
    let case = Case::imported().await;
    case.set(&json!({ "daily_api_limit": 10_000 }));
    case.update(&case.leads[0], &json!({ "LastName": "Changed" }));
    case.world.control().spend_calls(&case.world.org, 7_500).unwrap();
    let run = case.ask("second").await;
    let before = case.world.control().requests().len();
    // As much as an hour of deliveries.
    for _ in 0..30 {
        for message in case.world.memory.receive() {
            case.world.deliver(&message.body).await;
        }
        case.advance(120);
    }
    let asked = case.world.control().requests().len() - before;
    assert!(asked < 40, "{asked} calls beyond the share in an hour");
    assert!(case.active().await.unwrap().stands_back_until.is_some(), "it says until when");
    let told = case.world.memory.events().into_iter().filter_map(|event| match event.occurrence {
        Occurrence::ImportStoodBack { until, .. } => Some(until),
        _ => None,
    });
    let told: Vec<Timestamp> = told.collect();
    assert!((1..=3).contains(&told.len()), "{told:?}");
    assert!(told.is_sorted_by(|a, b| *a + SignedDuration::from_mins(30) <= *b), "{told:?}");
    // A day later the allowance is back.
    case.advance(25 * 3600);
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    case.equals_the_org().await;
}

#[tokio::test]
async fn f36_when_the_daily_limit_is_reached_no_more_is_asked() {
    let case = Case::imported().await;
    let body =
        r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]"#;
    let refused = Fault { times: 0, ..respond("/services/data", 403, body) };
    let run = case.ask("second").await;
    for message in case.world.memory.receive() {
        case.world.deliver(&message.body).await;
    }
    let fault = case.world.control().add_fault(refused);
    let before = case.world.control().requests().len();
    for _ in 0..14 {
        for message in case.world.memory.receive() {
            case.world.deliver(&message.body).await;
        }
        case.advance(120);
    }
    let asked = case.world.control().requests().len() - before;
    assert!(asked <= 11, "{asked} calls in half an hour, though the first one was told");
    case.world.control().remove_faults(Some(fault));
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
}

#[tokio::test]
async fn f37_too_many_long_calls_at_once_is_waited_out() {
    let case = Case::new().await;
    let body = concat!(
        r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","#,
        r#""message":"ConcurrentPerOrgLongTxn Limit exceeded."}]"#
    );
    case.world.control().add_fault(Fault { times: 5, ..respond("/jobs/query", 403, body) });
    case.world.run().await;
    let run = case.run(case.first().await).await.unwrap();
    assert_eq!(run.state, RunState::Complete);
    case.equals_the_org().await;
}

#[tokio::test]
async fn f39_a_job_that_fails_is_asked_for_again_and_then_reported() {
    let case = Case::new().await;
    case.set(&json!({ "bulk_failures": ["InternalServerError"] }));
    case.world.run().await;
    let run = case.first().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    let objects = case.objects(run).await;
    let failed: Vec<_> = objects.values().filter(|o| o.restarts > 0).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].errors[0].code.as_str(), failed[0].errors[0].count), ("JOB_FAILED", 1));
    let message = &failed[0].errors[0].message;
    assert!(!message.is_empty() && !message.contains("InternalServerError"), "{message}");
    case.equals_the_org().await;
    // One that fails every time ends its object, keeps its watermark, and says why.
    let before = case.watermark(SObject::Lead).await;
    case.set(&json!({ "bulk_failures": vec!["InternalServerError"; 40] }));
    let full = case.ask_for("full", ImportTrigger::Full).await;
    case.world.run().await;
    let run = case.run(full).await.unwrap();
    assert_eq!(run.state, RunState::Failed);
    let leads = &case.objects(full).await[&SObject::Lead];
    assert!(matches!(&leads.phase, ObjectPhase::Failed { code, .. } if code == "JOB_FAILED"));
    assert_eq!(case.watermark(SObject::Lead).await.unwrap().stamp, before.unwrap().stamp);
}

#[tokio::test]
async fn f39_what_is_too_much_at_once_is_read_in_shorter_spans_of_time() {
    let case = Case::new().await;
    // Thirty more contacts over ten years, and thirty leads in one week of them.
    for n in 0..30 {
        let stamp = |seconds: i64| {
            let first = Timestamp::from_second(1_468_000_000).unwrap();
            (first + SignedDuration::from_secs(seconds * n)).to_string()
        };
        let contact = json!({ "LastName": "Of old", "SystemModstamp": stamp(10_000_000) });
        case.create("Contact", &contact);
        let stamp = stamp(20_000);
        let lead =
            json!({ "LastName": "Of a week", "Company": "Somewhere", "SystemModstamp": stamp });
        case.create("Lead", &lead);
    }
    case.advance(24 * 3600);
    case.set(&json!({ "bulk_timeout_rows": 31 }));
    case.world.run().await;
    let run = case.first().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    let objects = case.objects(run).await;
    for object in [SObject::Contact, SObject::Lead] {
        let progress = &objects[&object];
        assert_eq!((progress.restarts, progress.span), (0, None), "{object}");
        assert!((2..30).contains(&progress.narrowed), "{object}: {}", progress.narrowed);
        assert_eq!(progress.errors[0].count, u64::from(progress.narrowed), "{object}");
        assert_eq!(progress.rows_fetched, progress.counts.new, "{object}: each row once");
    }
    assert_eq!(objects[&SObject::Account].narrowed, 0);
    case.equals_the_org().await;
    // So are the ids, when they are compared.
    case.advance(60);
    let full = case.ask_for("full", ImportTrigger::Full).await;
    case.world.run().await;
    assert_eq!(case.run(full).await.unwrap().state, RunState::Complete);
    let objects = case.objects(full).await;
    let contacts = &objects[&SObject::Contact];
    assert_eq!((contacts.swept, contacts.live, contacts.restarts), (true, Some(60), 0));
    assert!(contacts.narrowed > 2, "{}", contacts.narrowed);
    case.equals_the_org().await;
}

#[tokio::test]
async fn f39_rows_that_are_too_many_to_be_counted_are_compared_by_the_next_run() {
    let case = Case::new().await;
    let body = concat!(
        r#"[{"errorCode":"QUERY_TIMEOUT","#,
        r#""message":"Your query request was running for too long."}]"#
    );
    // But for the stages of deals, which a run begins with.
    let fault = Fault { skip: 1, times: 0, ..respond("/v62.0/query", 400, body) };
    let fault = case.world.control().add_fault(fault);
    case.world.run().await;
    let run = case.first().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    let leads = &case.objects(run).await[&SObject::Lead];
    assert_eq!((leads.salesforce_count, leads.live, leads.swept), (None, Some(10), false));
    assert_eq!(leads.errors[0].code, "NOT_COUNTED");
    case.world.control().remove_faults(Some(fault));
    case.advance(60);
    let leads = case.import("second").await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.salesforce_count, leads.swept), (Some(10), true));
    case.equals_the_org().await;
}

#[tokio::test]
async fn f39_rows_of_one_second_that_are_too_much_end_the_object_and_say_why() {
    let case = Case::new().await;
    case.set(&json!({ "bulk_timeout_rows": 12 }));
    let stamp = json!({ "LastName": "x", "SystemModstamp": "2020-02-02T02:02:02.000Z" });
    for _ in 0..13 {
        case.create("Contact", &stamp);
    }
    case.world.run().await;
    let run = case.first().await;
    let contacts = &case.objects(run).await[&SObject::Contact];
    let ObjectPhase::Failed { message, .. } = &contacts.phase else {
        panic!("{:?}", contacts.phase)
    };
    assert!(message.contains("QUERY_TIMEOUT"), "{message}");
    assert!(contacts.narrowed <= 60, "{}", contacts.narrowed);
    assert_eq!(case.watermark(SObject::Contact).await.and_then(|mark| mark.stamp), None);
}

#[tokio::test]
async fn f39_a_job_that_is_stuck_is_stopped_after_six_hours() {
    let case = Case::new().await;
    case.set(&json!({ "bulk_latency_ms": 1_000_000_000 }));
    let begun = case.world.ports().clock.now();
    let run = case.first().await;
    case.until(run, SObject::Lead, |phase| matches!(phase, ObjectPhase::Waiting)).await;
    case.until(run, SObject::Lead, |phase| matches!(phase, ObjectPhase::Submitted { .. })).await;
    let mut polls = 0;
    while case.objects(run).await[&SObject::Lead].restarts == 0 {
        for message in case.world.memory.receive() {
            case.world.deliver(&message.body).await;
        }
        case.world.memory.clock.advance(jiff::SignedDuration::from_secs(120));
        case.world.functions.due.tick().await.unwrap();
        polls += 1;
        assert!(polls < 400, "it is never given up");
    }
    let took = case.world.ports().clock.now().duration_since(begun).as_hours();
    assert!((5..9).contains(&took), "{took} hours");
    let leads = &case.objects(run).await[&SObject::Lead];
    assert_eq!((leads.errors[0].code.as_str(), leads.narrowed), ("JOB_STUCK", 1));
    case.set(&json!({ "bulk_latency_ms": 0 }));
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    case.equals_the_org().await;
}

#[tokio::test]
async fn f41_a_page_with_fewer_rows_than_its_header_is_fetched_again() {
    let case = Case::new().await;
    let run = case.first().await;
    case.until(run, SObject::Contact, fetching).await;
    case.world.control().add_fault(Fault::at("/results", FaultKind::Truncate { bytes: 300 }));
    case.world.run().await;
    let contacts = &case.objects(run).await[&SObject::Contact];
    assert_eq!((contacts.rows_fetched, contacts.rows_expected, contacts.restarts), (30, 30, 0));
    case.equals_the_org().await;
    // A whole page with rows missing, and no header that would tell: only the job's count does.
    let case = Case::new().await;
    let run = case.first().await;
    case.until(run, SObject::Contact, landing).await;
    let contact = &case.contacts[0];
    let body = format!("\"Id\",\"SystemModstamp\"\n\"{contact}\",\"2026-01-01T00:00:00.000Z\"\n");
    let kind = FaultKind::Respond {
        status: 200,
        body,
        content_type: Some("text/csv".to_owned()),
        retry_after: None,
    };
    case.world.control().add_fault(Fault::at("/results", kind));
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    let contacts = &case.objects(run).await[&SObject::Contact];
    assert_eq!((contacts.rows_fetched, contacts.rows_expected), (30, 30));
    assert!(
        case.objects(run).await.values().any(|o| o.errors.iter().any(|e| e.code == "ROW_COUNT"))
    );
    case.equals_the_org().await;
}

#[tokio::test]
async fn f42_a_row_that_becomes_visible_late_comes_with_the_next_run() {
    let case = Case::imported().await;
    case.advance(3600);
    case.set(&json!({ "visibility_lag_ms": 9 * 60 * 1000 }));
    let id = case.create("Lead", &json!({ "LastName": "Late", "Company": "Late" }));
    case.import("second").await;
    let held = async || {
        let key = case.world.keys().await.record(SObject::Lead, id.parse().unwrap());
        case.world.ports().table.get(&key).await.unwrap().is_some()
    };
    assert!(!held().await, "Salesforce does not show it yet");
    case.advance(9 * 60);
    let leads = case.import("third").await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.new, leads.swept), (1, false), "by the overlap alone");
    assert!(held().await);
}

#[tokio::test]
async fn f43_rows_of_one_stamp_over_many_pages_are_all_imported_once() {
    let case = Case::with_page_rows(500).await;
    case.world.control().freeze(true);
    for n in 0..5_000 {
        case.create("Lead", &json!({ "LastName": format!("Tie {n}"), "Company": "Tie" }));
    }
    case.world.run().await;
    let leads = case.objects(case.first().await).await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.new, leads.pages), (5_010, 11));
    case.equals_the_org().await;
    // And again as a small change over REST, where a page holds 2,000.
    case.advance(1);
    let ids: Vec<String> = case
        .world
        .control()
        .records(&case.world.org, "Lead", 0, 5_010)
        .unwrap()
        .iter()
        .map(|row| row["Id"].as_str().unwrap().to_owned())
        .collect();
    for id in &ids {
        case.update(id, &json!({ "City": "Bonn" }));
    }
    case.advance(60);
    let leads = case.import("second").await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.updated, leads.counts.new, leads.pages), (5_010, 0, 3));
    case.equals_the_org().await;
}

#[tokio::test]
async fn f44_deleted_undeleted_merged_and_converted_between_pages() {
    let case = Case::new().await;
    let run = case.first().await;
    let (control, org) = (case.world.control(), case.world.org.clone());
    control.delete(&org, &case.contacts[29]).unwrap();
    case.until(run, SObject::Contact, landing).await;
    control.delete(&org, &case.contacts[0]).unwrap();
    control.undelete(&org, &case.contacts[29]).unwrap();
    control.merge(&org, &case.contacts[3], &[&case.contacts[4]]).unwrap();
    let became =
        control.convert_lead(&org, &case.leads[0], &json!({ "opportunity": "X" })).unwrap();
    case.world.run().await;
    case.advance(60);
    case.import("second").await;
    case.equals_the_org().await;
    let contact = became["contact"].as_str().unwrap();
    let key = case.world.keys().await.record(SObject::Contact, contact.parse().unwrap());
    assert!(case.world.ports().table.get(&key).await.unwrap().is_some(), "its contact");
}

#[tokio::test]
async fn f45_a_field_that_is_hidden_is_left_out_and_reported_an_object_stops_with_what_to_do() {
    let case = Case::imported().await;
    let (control, org) = (case.world.control(), &case.world.org);
    let profile = json!({ "name": "Narrow", "fields": { "Lead.Phone": { "read": false } } });
    control.put_profile(org, serde_json::from_value(profile).unwrap()).unwrap();
    control.assign_profile(org, "admin@faults.example", "Narrow").unwrap();
    case.update(&case.leads[0], &json!({ "LastName": "Changed", "Phone": "+1 415 555 0100" }));
    let leads = case.import("second").await.remove(&SObject::Lead).unwrap();
    assert_eq!(leads.selection.hidden, ["Phone"]);
    assert_eq!(leads.counts.updated, 1);
    // Hidden between the describe and the query: described again.
    let body =
        r#"[{"errorCode":"INVALID_FIELD","message":"No such column 'Title' on entity 'Lead'"}]"#;
    let hidden = Fault { body_contains: None, ..respond("*/queryAll", 400, body) };
    control.add_fault(hidden);
    let objects = case.import("third").await;
    assert_eq!(objects.values().filter(|o| o.restarts == 1).count(), 1);
    let profile = json!({ "name": "Narrow", "objects": { "Lead": { "read": false } } });
    control.put_profile(org, serde_json::from_value(profile).unwrap()).unwrap();
    let run = case.ask("fourth").await;
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Failed);
    let leads = &case.objects(run).await[&SObject::Lead];
    let ObjectPhase::Failed { code, message } = &leads.phase else { panic!("{leads:?}") };
    assert_eq!(code, "NOT_READABLE");
    assert!(message.contains("grant read access"), "{message}");
    assert!(matches!(case.objects(run).await[&SObject::Contact].phase, ObjectPhase::Done));
}

#[tokio::test]
async fn f49_a_connection_that_breaks_off_or_drips_costs_time_and_nothing_else() {
    for kind in [
        FaultKind::DropBefore,
        FaultKind::DropAfter,
        FaultKind::SlowDrip { bytes: 200, pause_ms: 1 },
        FaultKind::Html { status: 503 },
    ] {
        let case = Case::new().await;
        let fault = Fault { times: 6, skip: 9, ..Fault::at("/services/data", kind.clone()) };
        case.world.control().add_fault(fault);
        case.world.run().await;
        let run = case.run(case.first().await).await.unwrap();
        assert_eq!(run.state, RunState::Complete, "{kind:?}");
        case.equals_the_org().await;
    }
}

#[tokio::test]
async fn the_whole_import_passes_with_an_integration_user_who_can_only_look() {
    let case = Case::new().await;
    let (control, org) = (case.world.control(), &case.world.org);
    let look = json!({ "read": true, "create": false, "edit": false, "delete": false });
    let profile = json!({ "name": "Viewer", "modify_all_data": false, "view_setup": false,
        "other_objects": look });
    control.put_profile(org, serde_json::from_value(profile).unwrap()).unwrap();
    control.assign_profile(org, "admin@faults.example", "Viewer").unwrap();
    case.world.run().await;
    assert_eq!(case.run(case.first().await).await.unwrap().state, RunState::Complete);
    case.update(&case.leads[0], &json!({ "LastName": "Changed" }));
    control.hard_delete(org, &case.leads[1]).unwrap();
    case.advance(25 * 3600);
    case.import("second").await;
    case.equals_the_org().await;
    assert!(control.writes(org).unwrap().is_empty());
}

#[tokio::test]
async fn a_record_that_sharing_hides_goes_and_comes_back_when_it_is_shared_again() {
    let case = Case::imported().await;
    let user = case.world.connection().await.integration_user;
    let ids = &case.leads[..3];
    case.set(&json!({ "hidden_records": { user.as_str(): ids } }));
    case.advance(25 * 3600);
    let leads = case.import("hidden").await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.deleted, leads.live, leads.swept), (3, Some(7), true));
    case.equals_the_org().await;
    case.set(&json!({ "hidden_records": {} }));
    case.advance(25 * 3600);
    let leads = case.import("shown").await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.new, leads.live, leads.swept), (3, Some(10), true));
    case.equals_the_org().await;
}

#[tokio::test]
async fn a_record_that_changed_while_it_was_hidden_is_read_with_the_weeks_comparison() {
    let case = Case::imported().await;
    let user = case.world.connection().await.integration_user;
    case.set(&json!({ "hidden_records": { user.as_str(): [&case.leads[0]] } }));
    case.advance(60);
    case.update(&case.leads[0], &json!({ "LastName": "Changed" }));
    case.advance(3600);
    let leads = case.import("hidden").await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.updated, leads.swept), (0, false));
    case.set(&json!({ "hidden_records": {} }));
    case.advance(3600);
    let leads = case.import("shown").await.remove(&SObject::Lead).unwrap();
    // Its stamp is behind the watermark, and the count is what it was.
    assert_eq!((leads.counts.updated, leads.swept), (0, false));
    case.advance(8 * 24 * 3600);
    let leads = case.import("week").await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.updated, leads.live, leads.swept), (1, Some(10), true));
    case.equals_the_org().await;
}
