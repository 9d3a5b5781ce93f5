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
            let id = record.message_id.clone().unwrap_or_default();
            let span = tracing::info_span!(
                "message",
                message.id = %id,
                message.kind = tracing::field::Empty,
                connection.id = tracing::field::Empty,
            );
            let body = record.body.as_deref().unwrap_or_default();
            let work = edge::one_message(body, outbox, &handler).instrument(span);
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
    use jiff::{SignedDuration, Timestamp};
    use serde::Serialize;
    use serde_json::json;

    use super::*;
    use crate::edge::MAX_HOPS;
    use crate::kernel::{DirectoryMessage, DirectoryVersionId, Envelope, ImportMessage, Queue};
    use crate::ports::PortError;
    use crate::store::Next;
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

    fn body(envelope: &Envelope<impl Serialize>) -> String {
        serde_json::to_string(envelope).unwrap()
    }

    fn failures(response: &SqsBatchResponse) -> Vec<&str> {
        response.batch_item_failures.iter().map(|f| f.item_identifier.as_str()).collect()
    }

    fn memory() -> Memory {
        Memory::new(Timestamp::from_second(1_795_288_123).unwrap(), 1)
    }

    #[tokio::test]
    async fn one_bad_message_does_not_fail_the_batch() {
        let memory = memory();
        let outbox = Outbox::new(memory.ports());
        let bodies = [
            body(&Envelope::of(message(0))),
            "not a message".to_owned(),
            body(&Envelope::of(message(2))),
            body(&Envelope::of(message(3))),
            r#"{"v":2,"message":{"kind":"directory_count","version":"dir_1"}}"#.to_owned(),
        ];
        let response = each_message(event(&bodies), &outbox, async |m: DirectoryMessage| {
            if m == message(2) {
                return Err(PortError::retry("get an item", "throttled").into());
            }
            Ok(Done::Finished)
        })
        .await;
        assert_eq!(failures(&response), ["1", "2", "4"]);
    }

    #[tokio::test]
    async fn a_message_of_another_function_is_refused_unread() {
        let memory = memory();
        let outbox = Outbox::new(memory.ports());
        let bodies = [body(&Envelope::of(message(0)))];
        let handler = async |m: ImportMessage| panic!("{m:?} reached a handler");
        let response = each_message(event(&bodies), &outbox, handler).await;
        assert_eq!(failures(&response), ["0"], "kept for its dead-letter queue");
        let error = Envelope::<ImportMessage>::parse(&bodies[0]).unwrap_err();
        let told = chain(&error);
        let clear = "the body is not a message of this queue: unknown variant `directory_count`, \
                     expected one of `import_start`, `import_object`, `import_hand_over`";
        assert!(told.starts_with(clear), "{told}");
    }

    #[tokio::test]
    async fn a_finished_message_takes_its_due_item_along() {
        let memory = memory();
        let outbox = Outbox::new(memory.ports());
        assert!(outbox.commit(vec![], vec![Next::now(message(0))]).await.unwrap().is_done());
        assert_eq!(memory.items().len(), 1, "the due item");
        let sent: Vec<String> = memory.receive().into_iter().map(|m| m.body).collect();
        let response =
            each_message(event(&sent), &outbox, async |_: DirectoryMessage| Ok(Done::Finished))
                .await;
        assert!(response.batch_item_failures.is_empty());
        assert!(memory.items().is_empty());
    }

    #[tokio::test]
    async fn a_message_that_is_put_off_comes_again_one_hop_further() {
        let memory = memory();
        let outbox = Outbox::new(memory.ports());
        let first = body(&Envelope::of(message(0)));
        let later = async |_: DirectoryMessage| Ok(Done::Later(Duration::from_secs(30)));
        let response = each_message(event(&[first]), &outbox, later).await;
        assert!(response.batch_item_failures.is_empty());
        assert!(memory.receive().is_empty(), "not yet");
        memory.clock.advance(SignedDuration::from_secs(30));
        let again = memory.receive();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].queue, Queue::Directory);
        assert_eq!(Envelope::<Message>::parse(&again[0].body).unwrap().hops, 1);
    }

    #[tokio::test]
    async fn after_many_hops_the_due_item_takes_over() {
        let memory = memory();
        let outbox = Outbox::new(memory.ports());
        let later = async |_: DirectoryMessage| Ok(Done::Later(Duration::ZERO));
        let tired = |due: Option<&str>| {
            let due = due.map(ToOwned::to_owned);
            body(&Envelope { v: 1, due, hops: MAX_HOPS, message: message(0) })
        };
        let response = each_message(event(&[tired(Some("t"))]), &outbox, later).await;
        assert!(response.batch_item_failures.is_empty());
        assert!(memory.receive().is_empty(), "not sent again");
        let response = each_message(event(&[tired(None)]), &outbox, later).await;
        assert_eq!(failures(&response), ["0"], "nothing would bring it back");
    }

    #[tokio::test]
    async fn f21_what_cannot_be_opened_without_the_key_waits_and_does_not_fail() {
        let memory = memory();
        let outbox = Outbox::new(memory.ports());
        assert!(outbox.commit(vec![], vec![Next::now(message(0))]).await.unwrap().is_done());
        let sent: Vec<String> = memory.receive().into_iter().map(|m| m.body).collect();
        let gone = PortError {
            action: "unwrap a data key",
            disposition: Disposition::Pause,
            source: "DisabledException".into(),
        };
        let response = each_message(event(&sent), &outbox, async |_: DirectoryMessage| {
            Err(WorkError { action: gone.action, disposition: gone.disposition, source: "".into() })
        })
        .await;
        assert!(response.batch_item_failures.is_empty(), "not for the dead-letter queue");
        memory.clock.advance(SignedDuration::from_mins(14));
        assert!(memory.receive().is_empty());
        memory.clock.advance(SignedDuration::from_mins(1));
        assert_eq!(memory.receive().len(), 1);
    }

    #[test]
    fn every_cause_of_an_error_is_told() {
        let cause = PortError::retry("get an item", "throttled");
        let error = WorkError::retry("score a batch", cause);
        assert_eq!(chain(&error), "score a batch failed: get an item failed: throttled");
    }
}
