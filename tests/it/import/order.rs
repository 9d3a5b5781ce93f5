//! The order of a first import.

use jiff::SignedDuration;
use serde_json::json;
use shared::capabilities::importing::{FieldMapping, ObjectPhase, OpportunityPart, RunState};
use shared::kernel::{Author, SObject};

use super::case::Case;

fn is_of_opportunities(body: &str) -> bool {
    body.contains("import_object") && body.contains(r#""object":"Opportunity""#)
}

#[tokio::test]
async fn closed_opportunities_come_while_what_is_there_is_handed_over() {
    let case = Case::new().await;
    for n in 0..20 {
        let stage = ["Closed Won", "Closed Lost"][n % 2];
        let deal = json!({ "Name": "Old", "AccountId": case.accounts[n % 10], "StageName": stage,
            "CloseDate": "2019-01-31" });
        case.create("Opportunity", &deal);
    }
    let run = case.first().await;
    let mut held = Vec::new();
    // Once the open ones are there, nobody reads the closed ones.
    for _ in 0..2_000 {
        let objects = case.objects(run).await;
        let opportunities = objects.get(&SObject::Opportunity);
        let open_are_there = opportunities.is_some_and(|o| o.part == Some(OpportunityPart::Closed));
        if case.run(run).await.is_some_and(|run| run.state == RunState::Activities) {
            break;
        }
        for message in case.world.memory.receive() {
            if open_are_there && is_of_opportunities(&message.body) {
                held.push(message);
            } else {
                case.world.deliver(&message.body).await;
            }
        }
        case.world.memory.clock.advance(SignedDuration::from_secs(1));
    }
    assert_eq!(case.run(run).await.unwrap().state, RunState::Activities, "all else is done");
    let opportunities = &case.objects(run).await[&SObject::Opportunity];
    assert_eq!((opportunities.counts.new, opportunities.rows_expected), (10, 10), "the open ones");
    assert_eq!(case.watermark(SObject::Opportunity).await.unwrap().stamp, None, "not yet all");
    for message in held {
        case.world.deliver(&message.body).await;
    }
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    let opportunities = &case.objects(run).await[&SObject::Opportunity];
    assert_eq!((opportunities.counts.new, opportunities.rows_expected), (30, 30));
    assert_eq!((opportunities.restarts, opportunities.live), (0, Some(30)));
    case.equals_the_org().await;
    // Later runs read what changed, whether open or closed.
    case.create(
        "Opportunity",
        &json!({ "Name": "New", "StageName": "Closed Won",
        "CloseDate": "2026-01-31" }),
    );
    case.advance(60);
    let opportunities = case.import("second").await.remove(&SObject::Opportunity).unwrap();
    assert_eq!((opportunities.counts.new, opportunities.part), (1, None));
    case.equals_the_org().await;
}

#[tokio::test]
async fn an_opportunity_that_is_reopened_between_the_two_readings_is_not_lost() {
    let case = Case::new().await;
    let deal = json!({ "Name": "Back", "StageName": "Closed Lost", "CloseDate": "2026-01-31" });
    let back = case.create("Opportunity", &deal);
    let run = case.first().await;
    let opportunities = SObject::Opportunity;
    case.until(run, opportunities, |phase| matches!(phase, ObjectPhase::Submitted { .. })).await;
    case.until(run, opportunities, |phase| matches!(phase, ObjectPhase::Waiting)).await;
    case.update(&back, &json!({ "StageName": "Prospecting" }));
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    let opportunities = &case.objects(run).await[&SObject::Opportunity];
    assert!(opportunities.swept, "the counts differ");
    case.equals_the_org().await;
}

#[tokio::test]
async fn a_mapping_made_between_the_two_readings_of_opportunities_is_read_by_the_next_run() {
    let case = Case::new().await;
    let deal = json!({ "Name": "Old", "StageName": "Closed Won", "CloseDate": "2019-01-31",
        "Amount": 1000, "Expected__c": 2000 });
    case.create("Opportunity", &deal);
    let run = case.first().await;
    let opportunity = SObject::Opportunity;
    case.until(run, opportunity, |phase| matches!(phase, ObjectPhase::Submitted { .. })).await;
    case.until(run, opportunity, |phase| matches!(phase, ObjectPhase::Waiting)).await;
    let (field, custom_field) = ("Amount".to_owned(), "Expected__c".to_owned());
    let mapping = FieldMapping { object: opportunity, field, custom_field };
    let selections = &case.world.functions.selections;
    selections.map(case.world.at(), vec![mapping], &Author::Service).await.unwrap();
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    // Later than what an import looks back.
    case.advance(3600);
    let opportunities = case.import("second").await.remove(&opportunity).unwrap();
    assert_eq!((opportunities.since, opportunities.counts.updated), (None, 11), "read whole");
    case.equals_the_org().await;
}
