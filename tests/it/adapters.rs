//! The adapters keep the ports' contracts, on the AWS emulator.

mod calls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::MessageSystemAttributeName;
use embedded::table::SqliteTable;
use serde_json::{Value, json};
use shared::aws::{
    DynamoTable, EventBridgeEvents, KmsDataKeys, S3Objects, SecretsManagerSecrets, SqsQueues, ports,
};
use shared::kernel::{Environment, Event, Generation, Occurrence, Queue, Scope, TenantId};
use shared::ports::{Disposition, Events};
use shared::testing::contracts::{self, Received};
use tempfile::TempDir;
use tests::{Cloud, Emulator};

use self::calls::{Dice, answer, contents};

/// Histories of calls that both tables live through, and calls in each.
const HISTORIES: u64 = 10;
const CALLS: usize = 150;

/// On a busy machine the emulator takes longer; then fewer histories are compared.
const LONGEST: Duration = Duration::from_secs(20);

/// Each test has an account of its own: one emulator serves them all at once.
async fn cloud(account: &str) -> Cloud {
    Emulator::shared().unwrap().cloud(account).await
}

#[tokio::test]
async fn the_table_keeps_its_contract() {
    let cloud = cloud("100000000001").await;
    cloud.table("contract").await.unwrap();
    let table = DynamoTable::new(&cloud.sdk, "contract");
    contracts::table(&table, "t").await;
    contracts::conditions(&table, "t").await;
    contracts::transactions(&table, "t").await;
    contracts::queries(&table, "t").await;
    contracts::many_items(&table, "t").await;
}

#[tokio::test]
async fn the_two_tables_answer_alike() {
    let cloud = cloud("100000000009").await;
    cloud.table("alike").await.unwrap();
    let dynamo = DynamoTable::new(&cloud.sdk, "alike");
    let folder = TempDir::new().unwrap();
    let sqlite = SqliteTable::open(&folder.path().join("table.db")).unwrap();
    let begun = Instant::now();
    let mut compared: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut refused, mut items) = (0, 0);
    for seed in 1..=HISTORIES {
        let mut dice = Dice::new(seed);
        for n in 0..CALLS {
            let call = dice.call();
            let theirs = answer(&dynamo, call.clone()).await;
            let ours = answer(&sqlite, call.clone()).await;
            assert_eq!(ours, theirs, "seed {seed}, call {n}: {call:?}");
            *compared.entry(call.name()).or_default() += 1;
            refused += usize::from(ours.contains("Refused"));
        }
        let held = contents(&sqlite, dice.partitions()).await;
        assert_eq!(held, contents(&dynamo, dice.partitions()).await, "seed {seed}");
        items += held.len();
        if begun.elapsed() > LONGEST {
            break;
        }
    }
    let calls: usize = compared.values().sum();
    println!("{calls} operations compared, {refused} refused, {items} items left: {compared:?}");
    assert!(calls >= CALLS && refused > 0 && items > 0 && compared.len() == 7, "{compared:?}");
}

#[tokio::test]
async fn the_queues_keep_their_contract() {
    let cloud = cloud("100000000002").await;
    let urls = cloud.queues().await.unwrap();
    let queues = SqsQueues::new(&cloud.sdk, urls.clone());
    let client = aws_sdk_sqs::Client::new(&cloud.sdk);
    contracts::queues(&queues, "q", async |queue| {
        let got = client
            .receive_message()
            .queue_url(&urls[&queue])
            .max_number_of_messages(10)
            .wait_time_seconds(3)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .send()
            .await
            .unwrap();
        let mut received = Vec::new();
        for message in got.messages.unwrap_or_default() {
            let group = &message.attributes.unwrap()[&MessageSystemAttributeName::MessageGroupId];
            received.push(Received { body: message.body.unwrap(), group: group.clone() });
            client
                .delete_message()
                .queue_url(&urls[&queue])
                .receipt_handle(message.receipt_handle.unwrap())
                .send()
                .await
                .unwrap();
        }
        received
    })
    .await;
}

#[tokio::test]
async fn the_objects_keep_their_contract() {
    let cloud = cloud("100000000003").await;
    cloud.bucket("contract").await.unwrap();
    let objects = S3Objects::new(&cloud.sdk, "contract");
    contracts::objects(&objects, "o/").await;
    contracts::bodies(Arc::new(objects), "bodies").await;
}

#[tokio::test]
async fn the_secrets_keep_their_contract() {
    let cloud = cloud("100000000004").await;
    let key = cloud.key().await.unwrap();
    contracts::secrets(&SecretsManagerSecrets::new(&cloud.sdk, Some(key)), "s").await;
}

#[tokio::test]
async fn the_data_keys_keep_their_contract() {
    let cloud = cloud("100000000005").await;
    let key = cloud.key().await.unwrap();
    contracts::data_keys(&KmsDataKeys::new(&cloud.sdk, key), "k").await;
}

#[tokio::test]
async fn a_table_that_is_not_there_is_refused_without_its_data() {
    let cloud = cloud("100000000006").await;
    let table = DynamoTable::new(&cloud.sdk, "nowhere");
    let key = shared::ports::Key::stored("secret-pk".to_owned(), "secret-sk".to_owned());
    let error = shared::ports::Table::get(&table, &key).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Reject);
    let text = format!("{error} {} {error:?}", error.source);
    assert!(text.contains("ResourceNotFoundException (HTTP 400"), "{text}");
    assert!(!text.contains("secret-"), "{text}");
}

#[tokio::test]
async fn a_presigned_put_takes_an_object_without_credentials() {
    let cloud = cloud("100000000007").await;
    cloud.bucket("contract").await.unwrap();
    let objects = ports(&cloud.sdk, &cloud_config()).objects;
    let address = objects.presign_put("parts/1", std::time::Duration::from_mins(5)).await.unwrap();
    assert!(address.starts_with("http://127.0.0.1:"), "{address}");
}

fn cloud_config() -> shared::aws::AwsConfig {
    shared::aws::AwsConfig { bucket_name: Some("contract".to_owned()), ..Default::default() }
}

#[tokio::test]
async fn an_event_reaches_the_queue_of_a_rule_for_its_type() {
    let cloud = cloud("100000000008").await;
    let queue = cloud.queues().await.unwrap().remove(&Queue::Import).unwrap();
    let bus = aws_sdk_eventbridge::Client::new(&cloud.sdk);
    let pattern = json!({"source": ["crm-sync"], "detail-type": ["crm-sync.connection.purged"]});
    bus.put_rule().name("purged").event_pattern(pattern.to_string()).send().await.unwrap();
    let arn = "arn:aws:sqs:eu-west-1:100000000008:import";
    let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(arn).build();
    bus.put_targets().rule("purged").targets(target.unwrap()).send().await.unwrap();
    let scope = Scope {
        tenant: TenantId::derived("acme"),
        environment: Environment::Production,
        generation: Generation(1),
    };
    let time = "2026-11-22T03:00:00Z".parse().unwrap();
    let events = EventBridgeEvents::new(&cloud.sdk, "default");
    let event = |occurrence| Event { scope, time, occurrence };
    events.publish(&event(Occurrence::Disconnected)).await.unwrap();
    events.publish(&event(Occurrence::Purged)).await.unwrap();
    let client = aws_sdk_sqs::Client::new(&cloud.sdk);
    let got = client.receive_message().queue_url(&queue).max_number_of_messages(10);
    let got = got.wait_time_seconds(3).send().await.unwrap().messages.unwrap_or_default();
    let bodies: Vec<Value> =
        got.iter().map(|m| serde_json::from_str(m.body.as_deref().unwrap()).unwrap()).collect();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(bodies[0]["detail"], event(Occurrence::Purged).to_cloud_event());
    assert_eq!(bodies[0]["source"], Event::SOURCE);
}
