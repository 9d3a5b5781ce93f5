//! A batch of queue messages: each is worked on by itself, and only those that failed come back.

use std::future::Future;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures::stream::{self, StreamExt};
use serde::de::DeserializeOwned;
use tracing::Instrument;

use crate::edge::{self, Settled};
use crate::kernel::Message;
use crate::store::Outbox;
use crate::work::{Done, WorkError};

/// How many messages of a batch are worked on at once.
const CONCURRENT_MESSAGES: usize = 4;

/// Hands each message to `handler` and says which ones failed. The queue gives those again, and in
/// the end keeps them in its dead-letter queue: what cannot be read or done is seen by a person.
/// A body that is not an `M` cannot be read: `handler` meets no message of another function.
pub async fn each_message<M, F, Fut>(
    event: SqsEvent,
    outbox: &Outbox,
    handler: F,
) -> SqsBatchResponse
where
    M: Clone + DeserializeOwned + Into<Message>,
    F: Fn(M) -> Fut,
    Fut: Future<Output = Result<Done, WorkError>>,
{
    let mut failed: Vec<String> = stream::iter(event.records)
        .map(|record| async {
            // Without an id Lambda takes the whole batch as failed, as it must.
            let id = record.message_id.unwrap_or_default();
            let span = tracing::info_span!(
                "message",
                message.id = %id,
                message.kind = tracing::field::Empty,
                connection.id = tracing::field::Empty,
            );
            let body = record.body.unwrap_or_default();
            let work = edge::one_message(&body, outbox, &handler).instrument(span);
            let (_, settled) = work.await;
            (settled == Settled::Failed).then_some(id)
        })
        .buffer_unordered(CONCURRENT_MESSAGES)
        .filter_map(std::future::ready)
        .collect()
        .await;
    failed.sort_unstable();
    let mut response = SqsBatchResponse::default();
    for id in failed {
        response.add_failure(id);
    }
    response
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::kernel::{DirectoryMessage, DirectoryVersionId, Envelope};
    use crate::ports::PortError;
    use crate::testing::Memory;

    fn message(n: u128) -> DirectoryMessage {
        DirectoryMessage::Count { version: DirectoryVersionId::new(1, n) }
    }

    fn event(bodies: &[String]) -> SqsEvent {
        let records: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(i, body)| json!({"messageId": i.to_string(), "body": body}))
            .collect();
        serde_json::from_value(json!({"Records": records})).unwrap()
    }

    fn body(n: u128) -> String {
        serde_json::to_string(&Envelope::of(message(n))).unwrap()
    }

    #[tokio::test]
    async fn one_bad_message_does_not_fail_the_batch() {
        let memory = Memory::new(Timestamp::from_second(1_795_288_123).unwrap(), 1);
        let outbox = Outbox::new(memory.ports());
        let bodies = [
            body(0),
            "not a message".to_owned(),
            body(2),
            body(3),
            r#"{"v":2,"message":{"kind":"directory_count","version":"dir_1"}}"#.to_owned(),
        ];
        let response = each_message(event(&bodies), &outbox, async |m: DirectoryMessage| {
            if m == message(2) {
                return Err(PortError::retry("get an item", "throttled").into());
            }
            Ok(Done::Finished)
        })
        .await;
        let failed = response.batch_item_failures.iter().map(|f| f.item_identifier.as_str());
        assert_eq!(failed.collect::<Vec<_>>(), ["1", "2", "4"]);
    }
}
