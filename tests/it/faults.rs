//! The adapters when AWS does half of what it was asked, or does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::config::{Credentials, Region};
use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::aws::{
    DynamoTable, EventBridgeEvents, KmsDataKeys, S3Objects, SdkConfig, SecretsManagerSecrets,
    SqsQueues, sdk_loader,
};
use shared::capabilities::custody::SalesforceApp;
use shared::kernel::{
    DirectoryMessage, DirectoryVersionId, Environment, Event, Generation, Occurrence, Queue, Scope,
    TenantId,
};
use shared::ports::{
    Condition, DataKeys, Disposition, Events, Item, Key, KeyContext, ObjectStore, Outcome, Ports,
    Purpose, QueueMessage, Queues, Secrets, Table, WrappedKey, Write,
};
use shared::salesforce::{ApiVersion, Http, HttpOptions};
use shared::store::{Next, Outbox};
use shared::testing::Memory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::matchers::{header, method};
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
    let sdk = sdk_to(&server.uri()).await;
    (server, sdk)
}

async fn sdk_to(address: &str) -> SdkConfig {
    sdk_loader()
        .endpoint_url(address)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "tests"))
        .load()
        .await
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
async fn f13_items_that_were_left_unprocessed_are_sent_again() {
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
async fn f13_keys_that_were_left_unprocessed_are_asked_for_again() {
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

/// A table that is too busy for any item of a call refuses the call: once more than the SDK asks by
/// itself is no failure.
#[tokio::test]
async fn a_batch_that_a_busy_table_refuses_as_a_whole_is_sent_again() {
    let busy = || error("ProvisionedThroughputExceededException", json!({}));
    let mut answers: Vec<Answer> = (0..5).map(|_| Box::new(move |_: &Value| busy()) as _).collect();
    answers.push(Box::new(|_| answer(200, &json!({"UnprocessedItems": {}}))));
    let (server, sdk) = service("DynamoDB_20120810.BatchWriteItem", answers).await;
    DynamoTable::new(&sdk, "t").put_many(vec![item("1")]).await.unwrap();
    assert_eq!(bodies(&server).await.len(), 6);
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
async fn f14_a_transaction_that_met_another_is_tried_again_with_a_new_token() {
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
async fn f11_a_throttle_that_does_not_end_may_pass_later() {
    let throttled = || error("ProvisionedThroughputExceededException", json!({"message": "p"}));
    let (_server, sdk) =
        service("DynamoDB_20120810.GetItem", vec![Box::new(move |_| throttled())]).await;
    let error = DynamoTable::new(&sdk, "t").get(&item("1").key).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Retry);
}

/// Three tries a call, with pauses between them: few calls fail, and none is tried for ever.
#[tokio::test]
async fn f11_of_a_table_that_throttles_thirty_percent_few_calls_fail_and_may_pass_later() {
    let calls = AtomicUsize::new(0);
    let (server, sdk) = service(
        "DynamoDB_20120810.GetItem",
        vec![Box::new(move |asked| {
            // Thirty of each hundred, in no rhythm.
            let call = calls.fetch_add(1, Ordering::Relaxed);
            if call * 37 % 100 < 30 {
                return error("ProvisionedThroughputExceededException", json!({"message": "p"}));
            }
            answer(200, &json!({"Item": asked["Key"]}))
        })],
    )
    .await;
    let table = DynamoTable::new(&sdk, "t");
    let keys: Vec<Key> = (0..200).map(|n| item(&n.to_string()).key).collect();
    let answers = futures::future::join_all(keys.iter().map(|key| table.get(key))).await;
    let failed: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(failed.len() < 20, "{} of 200", failed.len());
    assert!(failed.iter().all(|error| error.disposition == Disposition::Retry));
    let tries = bodies(&server).await.len();
    assert!((230..320).contains(&tries), "{tries} tries of 200 calls");
}

#[tokio::test]
async fn f23_a_message_that_the_queue_failed_to_take_is_sent_again() {
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

#[tokio::test]
async fn an_event_that_the_bus_did_not_take_may_be_taken_later_or_is_for_a_person() {
    let scope = Scope {
        tenant: TenantId::derived("acme"),
        environment: Environment::Production,
        generation: Generation(1),
    };
    let time = "2026-11-22T03:00:00Z".parse().unwrap();
    let event = Event { scope, time, occurrence: Occurrence::Connected };
    let codes = [
        ("ThrottlingException", Disposition::Retry),
        ("InternalFailure", Disposition::Retry),
        ("NotAuthorizedForDetailTypeException", Disposition::Reject),
    ];
    for (code, disposition) in codes {
        let refused = json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code}]});
        let (_server, sdk) =
            service("AWSEvents.PutEvents", vec![Box::new(move |_| answer(200, &refused))]).await;
        let error = EventBridgeEvents::new(&sdk, "default").publish(&event).await.unwrap_err();
        assert_eq!(error.disposition, disposition, "{code}");
    }
}

#[tokio::test]
async fn f12_a_tenants_hot_partition_is_that_tenants_alone() {
    let (server, sdk) = service(
        "DynamoDB_20120810.GetItem",
        vec![Box::new(|asked| {
            let pk = asked["Key"]["pk"]["S"].as_str().unwrap();
            if pk == "hot" {
                return error("ProvisionedThroughputExceededException", json!({"message": "p"}));
            }
            answer(200, &json!({"Item": asked["Key"]}))
        })],
    )
    .await;
    let table = DynamoTable::new(&sdk, "t");
    let key = |pk: &str| Key::stored(pk.to_owned(), "s".to_owned());
    let (hot, cold) = (key("hot"), key("cold"));
    let (hot, cold) = tokio::join!(table.get(&hot), table.get(&cold));
    assert_eq!(hot.unwrap_err().disposition, Disposition::Retry);
    assert!(cold.unwrap().is_some());
    let bodies = bodies(&server).await;
    assert_eq!(bodies.iter().filter(|b| b["Key"]["pk"]["S"] == "cold").count(), 1);
}

#[tokio::test]
async fn f17_an_object_whose_bytes_broke_off_is_read_again() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        for body in ["01234", "0123456789"] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 16 << 10]).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\n";
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
        }
    });
    let objects = S3Objects::new(&sdk_to(&address).await, "bucket");
    let body = objects.get("key").await.unwrap().unwrap();
    assert_eq!(&body[..], b"0123456789", "half a page is no page");
    served.await.unwrap();
}

#[tokio::test]
async fn f19_a_bucket_that_asks_to_slow_down_is_asked_again() {
    let server = MockServer::start().await;
    let calls = AtomicUsize::new(0);
    Mock::given(method("GET"))
        .respond_with(move |_: &Request| match calls.fetch_add(1, Ordering::Relaxed) {
            0 => ResponseTemplate::new(503)
                .set_body_string("<Error><Code>SlowDown</Code><Message>m</Message></Error>"),
            _ => ResponseTemplate::new(200).set_body_string("page"),
        })
        .mount(&server)
        .await;
    let objects = S3Objects::new(&sdk_to(&server.uri()).await, "bucket");
    assert_eq!(&objects.get("key").await.unwrap().unwrap()[..], b"page");
}

#[tokio::test]
async fn f20_while_kms_is_down_nothing_is_opened_and_all_may_pass_later() {
    let down = || answer(500, &json!({"__type": "KMSInternalException"}));
    let (_server, sdk) = service("TrentService.Decrypt", vec![Box::new(move |_| down())]).await;
    let keys = KmsDataKeys::new(&sdk, "key");
    let context = KeyContext::new("scope", Purpose::Records);
    let error = keys.unwrap(&WrappedKey(vec![1]), &context).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Retry);
}

#[tokio::test]
async fn f21_without_the_key_nothing_is_opened_and_all_waits_for_the_operator() {
    for code in ["DisabledException", "AccessDeniedException"] {
        let refused = move || answer(400, &json!({"__type": code, "message": "m"}));
        let (_server, sdk) =
            service("TrentService.Decrypt", vec![Box::new(move |_| refused())]).await;
        let keys = KmsDataKeys::new(&sdk, "key");
        let context = KeyContext::new("scope", Purpose::SeatGrants);
        let error = keys.unwrap(&WrappedKey(vec![1]), &context).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Pause, "{code}");
    }
    let denied = || answer(400, &json!({"__type": "AccessDeniedException", "message": "KMS"}));
    let (_server, sdk) =
        service("secretsmanager.GetSecretValue", vec![Box::new(move |_| denied())]).await;
    let error = SecretsManagerSecrets::new(&sdk, None).newest("connection").await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Pause, "the secret is encrypted with the key, too");
}

/// A secret that is on its way out is none; one that is in no state to be read is there, and work
/// waits for an operator.
#[tokio::test]
async fn a_secret_that_goes_is_told_from_one_that_cannot_be_read() {
    let read = async |message: &'static str| {
        let refused = move |_: &Value| {
            answer(400, &json!({"__type": "InvalidRequestException", "message": message}))
        };
        let (_server, sdk) =
            service("secretsmanager.GetSecretValue", vec![Box::new(refused)]).await;
        SecretsManagerSecrets::new(&sdk, None).newest("connection").await
    };
    let going =
        "You can't perform this operation on the secret because it was marked for deletion.";
    assert!(read(going).await.unwrap().is_none());
    let unreadable = read("The KMS key of the secret is in no valid state.").await.unwrap_err();
    assert_eq!(unreadable.disposition, Disposition::Pause);
}

#[tokio::test]
async fn f22_a_secret_that_is_throttled_at_a_start_is_asked_for_again() {
    let throttled = || answer(400, &json!({"__type": "ThrottlingException", "message": "m"}));
    let value = json!({"SecretString": "value", "VersionId": "1", "Name": "app"});
    let (server, sdk) = service(
        "secretsmanager.GetSecretValue",
        vec![Box::new(move |_| throttled()), Box::new(move |_| answer(200, &value))],
    )
    .await;
    let found = SecretsManagerSecrets::new(&sdk, None).newest("app").await.unwrap();
    assert_eq!(found.unwrap().0.0, "1");
    assert_eq!(bodies(&server).await.len(), 2);
}

#[tokio::test]
async fn f22_a_process_reads_the_apps_credentials_once_in_five_minutes() {
    let app = json!({"client_id": "app", "client_secret": "secret"}).to_string();
    let value = json!({"SecretString": app, "VersionId": "1", "Name": "app"});
    let (server, sdk) =
        service("secretsmanager.GetSecretValue", vec![Box::new(move |_| answer(200, &value))])
            .await;
    let memory = Memory::new("2026-11-21T09:00:00Z".parse().unwrap(), 1);
    let secrets = Arc::new(SecretsManagerSecrets::new(&sdk, None));
    let ports = Ports { secrets, ..memory.ports() };
    let http = Http::new(HttpOptions::default()).unwrap();
    let base = "https://crm-sync.example.com".parse().unwrap();
    let app = SalesforceApp::new(ports, http, ApiVersion::default(), "app".into(), base, None);
    for (minutes, calls) in [(0, 1), (4, 1), (1, 2)] {
        memory.clock.advance(SignedDuration::from_mins(minutes));
        for user in [app.clone(), app.clone()] {
            user.oauth().await.unwrap();
        }
        assert_eq!(bodies(&server).await.len(), calls);
    }
}

#[tokio::test]
async fn f24_a_backlog_is_not_sent_again_and_again() {
    let memory = Memory::new("2026-11-21T09:00:00Z".parse().unwrap(), 1);
    let outbox = Outbox::new(memory.ports());
    let messages: u128 = 600;
    for n in 0..messages {
        let message = DirectoryMessage::Count { version: DirectoryVersionId::new(1, n) };
        assert!(outbox.commit(vec![], vec![Next::now(message)]).await.unwrap().is_done());
    }
    let mut again = 0;
    for _ in 0..60 {
        memory.clock.advance(SignedDuration::from_mins(1));
        again += u128::from(outbox.tick().await.unwrap());
    }
    // After 5, 15 and 35 minutes, and not each minute.
    assert_eq!(again, messages * 3);
}
