//! What the adapters do when AWS does half of what it was asked, or does not answer.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::config::{Credentials, Region};
use serde_json::{Value, json};
use shared::aws::{DynamoTable, SdkConfig, SqsQueues, sdk_loader};
use shared::domain::Queue;
use shared::ports::{
    Condition, Disposition, Item, Key, Outcome, QueueMessage, Queues, Table, Write,
};
use wiremock::matchers::header;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

type Answer = Box<dyn Fn(&Value) -> ResponseTemplate + Send + Sync>;

/// A service that gives one answer after the other, the last one again and again.
async fn service(target: &str, answers: Vec<Answer>) -> (MockServer, SdkConfig) {
    let server = MockServer::start().await;
    let calls = AtomicUsize::new(0);
    Mock::given(header("x-amz-target", target))
        .respond_with(move |request: &Request| {
            let call = calls.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
            answers[call](&request.body_json().unwrap())
        })
        .mount(&server)
        .await;
    let sdk = sdk_loader()
        .endpoint_url(server.uri())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "tests"))
        .load()
        .await;
    (server, sdk)
}

fn answer(status: u16, body: &Value) -> ResponseTemplate {
    let body = body.to_string();
    ResponseTemplate::new(status).set_body_raw(body, "application/x-amz-json-1.0")
}

fn error(code: &str, mut more: Value) -> ResponseTemplate {
    more["__type"] = json!(format!("com.amazonaws.dynamodb.v20120810#{code}"));
    answer(400, &more)
}

async fn bodies(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().map(|request| request.body_json().unwrap()).collect()
}

fn item(sk: &str) -> Item {
    let key = Key::stored("p".to_owned(), sk.to_owned());
    Item { key, doc: serde_json::Map::new(), body: None, expires_at: None }
}

fn put_if_absent() -> Write {
    Write::Put { item: item("one"), when: Condition::Absent }
}

#[tokio::test]
async fn items_that_were_left_unprocessed_are_sent_again() {
    let (server, sdk) = service(
        "DynamoDB_20120810.BatchWriteItem",
        vec![
            Box::new(|asked| {
                let left = asked["RequestItems"]["t"].as_array().unwrap()[1..].to_vec();
                answer(200, &json!({"UnprocessedItems": {"t": left}}))
            }),
            Box::new(|_| answer(200, &json!({"UnprocessedItems": {}}))),
        ],
    )
    .await;
    let items = vec![item("1"), item("2"), item("3")];
    DynamoTable::new(&sdk, "t").put_many(items).await.unwrap();
    let sizes: Vec<usize> = bodies(&server)
        .await
        .iter()
        .map(|body| body["RequestItems"]["t"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [3, 2]);
}

#[tokio::test]
async fn keys_that_were_left_unprocessed_are_asked_for_again() {
    let (_server, sdk) = service(
        "DynamoDB_20120810.BatchGetItem",
        vec![
            Box::new(|asked| {
                let keys = asked["RequestItems"]["t"]["Keys"].as_array().unwrap().clone();
                let left = json!({"t": {"Keys": [keys[1]]}});
                answer(200, &json!({"Responses": {"t": [keys[0]]}, "UnprocessedKeys": left}))
            }),
            Box::new(|asked| {
                let keys = &asked["RequestItems"]["t"]["Keys"];
                answer(200, &json!({"Responses": {"t": keys}, "UnprocessedKeys": {}}))
            }),
        ],
    )
    .await;
    let keys = [item("1").key, item("2").key];
    let found = DynamoTable::new(&sdk, "t").get_many(&keys).await.unwrap();
    assert_eq!(found, [item("1"), item("2")]);
}

#[tokio::test]
async fn a_conditional_put_whose_answer_was_lost_is_known_again() {
    let lost = || answer(500, &json!({"__type": "InternalServerError"}));
    let (_server, sdk) = service(
        "DynamoDB_20120810.PutItem",
        vec![
            Box::new(move |_| lost()),
            Box::new(|asked| {
                error("ConditionalCheckFailedException", json!({"Item": asked["Item"]}))
            }),
        ],
    )
    .await;
    let outcome = DynamoTable::new(&sdk, "t").write(put_if_absent()).await.unwrap();
    assert_eq!(outcome, Outcome::Done, "the item is the one that was put");

    let (_server, sdk) = service(
        "DynamoDB_20120810.PutItem",
        vec![
            Box::new(move |_| lost()),
            Box::new(|asked| {
                let mut other = asked["Item"].clone();
                other["holder"] = json!({"S": "another"});
                error("ConditionalCheckFailedException", json!({"Item": other}))
            }),
        ],
    )
    .await;
    let outcome = DynamoTable::new(&sdk, "t").write(put_if_absent()).await.unwrap();
    assert_eq!(outcome, Outcome::Refused(vec![0]), "somebody else's item");
}

#[tokio::test]
async fn a_first_refusal_is_a_refusal_even_of_an_equal_item() {
    let (_server, sdk) = service(
        "DynamoDB_20120810.PutItem",
        vec![Box::new(|asked| {
            error("ConditionalCheckFailedException", json!({"Item": asked["Item"]}))
        })],
    )
    .await;
    let outcome = DynamoTable::new(&sdk, "t").write(put_if_absent()).await.unwrap();
    assert_eq!(outcome, Outcome::Refused(vec![0]));
}

#[tokio::test]
async fn a_transaction_that_met_another_is_tried_again_with_a_new_token() {
    let (server, sdk) = service(
        "DynamoDB_20120810.TransactWriteItems",
        vec![
            Box::new(|_| {
                let reasons = json!([{"Code": "TransactionConflict"}]);
                error("TransactionCanceledException", json!({"CancellationReasons": reasons}))
            }),
            Box::new(|_| answer(200, &json!({}))),
        ],
    )
    .await;
    let outcome = DynamoTable::new(&sdk, "t").transact(vec![put_if_absent()]).await.unwrap();
    assert_eq!(outcome, Outcome::Done);
    let bodies = bodies(&server).await;
    assert_eq!(bodies.len(), 2);
    assert_ne!(bodies[0]["ClientRequestToken"], bodies[1]["ClientRequestToken"]);
}

#[tokio::test]
async fn a_transaction_whose_answer_was_lost_is_repeated_under_the_same_token() {
    let (server, sdk) = service(
        "DynamoDB_20120810.TransactWriteItems",
        vec![
            Box::new(|_| answer(500, &json!({"__type": "InternalServerError"}))),
            Box::new(|_| error("TransactionInProgressException", json!({}))),
            Box::new(|_| answer(200, &json!({}))),
        ],
    )
    .await;
    let outcome = DynamoTable::new(&sdk, "t").transact(vec![put_if_absent()]).await.unwrap();
    assert_eq!(outcome, Outcome::Done);
    let bodies = bodies(&server).await;
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|b| b["ClientRequestToken"] == bodies[0]["ClientRequestToken"]));
}

#[tokio::test]
async fn a_throttle_that_does_not_end_may_pass_later() {
    let throttled = || error("ProvisionedThroughputExceededException", json!({"message": "p"}));
    let (_server, sdk) =
        service("DynamoDB_20120810.GetItem", vec![Box::new(move |_| throttled())]).await;
    let error = DynamoTable::new(&sdk, "t").get(&item("1").key).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Retry);
}

#[tokio::test]
async fn a_message_that_the_queue_failed_to_take_is_sent_again() {
    let (server, sdk) = service(
        "AmazonSQS.SendMessageBatch",
        vec![
            Box::new(|_| {
                let failed = json!({"Id": "1", "SenderFault": false, "Code": "InternalError"});
                let sent = json!({"Id": "0", "MessageId": "m", "MD5OfMessageBody": ""});
                answer(200, &json!({"Successful": [sent], "Failed": [failed]}))
            }),
            Box::new(|_| {
                let sent = json!({"Id": "1", "MessageId": "n", "MD5OfMessageBody": ""});
                answer(200, &json!({"Successful": [sent]}))
            }),
        ],
    )
    .await;
    let urls = [(Queue::Match, format!("{}/queue", server.uri()))].into();
    let message = |body: &str| QueueMessage {
        queue: Queue::Match,
        body: body.to_owned(),
        group: "g".to_owned(),
        delay: std::time::Duration::ZERO,
    };
    SqsQueues::new(&sdk, urls).send(vec![message("a"), message("b")]).await.unwrap();
    let bodies = bodies(&server).await;
    let texts: Vec<Vec<&str>> = bodies
        .iter()
        .map(|body| body["Entries"].as_array().unwrap())
        .map(|entries| entries.iter().map(|e| e["MessageBody"].as_str().unwrap()).collect())
        .collect();
    assert_eq!(texts, [vec!["a", "b"], vec!["b"]]);
}
