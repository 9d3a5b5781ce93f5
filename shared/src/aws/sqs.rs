//! The queues on SQS.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{BatchResultErrorEntry, QueueAttributeName, SendMessageBatchRequestEntry};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;

use super::error::{AwsError, failed};
use super::pause::{ATTEMPTS, pause};
use crate::kernel::Queue;
use crate::ports::{PortError, QueueDepth, QueueMessage, Queues};

/// The most entries of one `SendMessageBatch`.
const CHUNK: usize = 10;

/// The most bytes of one `SendMessageBatch`: 1 MiB for all its messages together.
const CHUNK_BYTES: usize = 1 << 20;

/// How many calls are under way at once.
const CONCURRENT_CALLS: usize = 4;

const ACTION: &str = "send messages";
const LOOK: &str = "look at the queues";

/// What a look at a queue asks for.
const LOOKED_AT: [QueueAttributeName; 4] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    QueueAttributeName::RedrivePolicy,
];

type Attributes = HashMap<QueueAttributeName, String>;

/// Where a queue's dead letters go, as SQS writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
}

/// The port [`Queues`] on one SQS queue each (standard queues, with the group for fair delivery).
#[derive(Debug, Clone)]
pub struct SqsQueues {
    client: Client,
    urls: BTreeMap<Queue, String>,
}

/// Why messages were not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SendError {
    #[error("this function was given no address of the queue {0}")]
    UnknownQueue(Queue),
    #[error("{count} messages were refused: {code}")]
    Refused { code: String, count: usize },
}

impl SqsQueues {
    /// The queues at these addresses. A message to any other queue is an error.
    #[must_use]
    pub fn new(sdk: &SdkConfig, urls: BTreeMap<Queue, String>) -> Self {
        Self { client: Client::new(sdk), urls }
    }

    /// The depth of the queue at `url`, and of the one that holds its dead letters.
    async fn depth(&self, url: &str) -> Result<QueueDepth, PortError> {
        let about = self.attributes(url).await?;
        let dead = match about.get(&QueueAttributeName::RedrivePolicy).and_then(|p| dead_of(p)) {
            Some(name) => {
                let found = self.client.get_queue_url().queue_name(name).send().await;
                let found = found.map_err(|error| failed(LOOK, &error))?;
                let about = self.attributes(found.queue_url().unwrap_or_default()).await?;
                count(&about, &QueueAttributeName::ApproximateNumberOfMessages)
            }
            None => 0,
        };
        Ok(QueueDepth {
            waiting: count(&about, &QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: count(&about, &QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            delayed: count(&about, &QueueAttributeName::ApproximateNumberOfMessagesDelayed),
            dead,
        })
    }

    async fn attributes(&self, url: &str) -> Result<Attributes, PortError> {
        let asked = self.client.get_queue_attributes().queue_url(url);
        let asked = asked.set_attribute_names(Some(LOOKED_AT.to_vec()));
        let answer = asked.send().await.map_err(|error| failed(LOOK, &error))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    async fn send_chunk(
        &self,
        queue: Queue,
        mut left: Vec<SendMessageBatchRequestEntry>,
    ) -> Result<(), PortError> {
        let url = self
            .urls
            .get(&queue)
            .ok_or_else(|| PortError::reject(ACTION, SendError::UnknownQueue(queue)))?;
        let mut refused: Vec<BatchResultErrorEntry> = Vec::new();
        for attempt in 0..ATTEMPTS {
            let batch = self.client.send_message_batch().queue_url(url);
            let sent = batch
                .set_entries(Some(left.clone()))
                .send()
                .await
                .map_err(|error| failed(ACTION, &error))?;
            let (faulty, passing): (Vec<_>, Vec<_>) =
                sent.failed.into_iter().partition(BatchResultErrorEntry::sender_fault);
            refused.extend(faulty);
            left.retain(|entry| passing.iter().any(|failure| failure.id == entry.id));
            if left.is_empty() {
                return verdict(&refused);
            }
            pause(attempt).await;
        }
        Err(AwsError::Unprocessed { left: left.len() }.doing(ACTION))
    }
}

/// A number among a queue's attributes; SQS tells every one it is asked for.
fn count(about: &Attributes, name: &QueueAttributeName) -> u64 {
    about.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The name of the queue of dead letters in a redrive policy, which names it by its ARN.
fn dead_of(policy: &str) -> Option<String> {
    let policy: RedrivePolicy = serde_json::from_str(policy).ok()?;
    policy.dead_letter_target_arn.rsplit(':').next().map(str::to_owned)
}

/// Refused messages are an error, told once the others are sent.
fn verdict(refused: &[BatchResultErrorEntry]) -> Result<(), PortError> {
    match refused.first() {
        None => Ok(()),
        Some(first) => {
            let code = first.code.clone();
            Err(PortError::reject(ACTION, SendError::Refused { code, count: refused.len() }))
        }
    }
}

/// Messages in the pieces that one call takes, each of one queue.
fn chunks(messages: Vec<QueueMessage>) -> Vec<(Queue, Vec<QueueMessage>)> {
    let mut by_queue: BTreeMap<Queue, Vec<QueueMessage>> = BTreeMap::new();
    for message in messages {
        by_queue.entry(message.queue).or_default().push(message);
    }
    let mut chunks = Vec::new();
    for (queue, messages) in by_queue {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        for message in messages {
            if chunk.len() == CHUNK || (bytes + message.body.len() > CHUNK_BYTES && bytes > 0) {
                chunks.push((queue, std::mem::take(&mut chunk)));
                bytes = 0;
            }
            bytes += message.body.len();
            chunk.push(message);
        }
        chunks.push((queue, chunk));
    }
    chunks
}

fn entry(index: usize, message: QueueMessage) -> Result<SendMessageBatchRequestEntry, BuildError> {
    let delay = i32::try_from(message.delay.as_secs()).unwrap_or(i32::MAX);
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(message.body)
        .message_group_id(message.group)
        .set_delay_seconds((delay > 0).then_some(delay))
        .build()
}

#[async_trait]
impl Queues for SqsQueues {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), PortError> {
        let mut calls = Vec::new();
        for (queue, chunk) in chunks(messages) {
            let entries = chunk.into_iter().enumerate().map(|(i, message)| entry(i, message));
            let entries: Vec<_> =
                entries.collect::<Result<_, _>>().map_err(|e| PortError::reject(ACTION, e))?;
            calls.push((queue, entries));
        }
        // All calls are made, whatever becomes of one of them.
        let sent: Vec<Result<(), PortError>> = stream::iter(calls)
            .map(|(queue, entries)| self.send_chunk(queue, entries))
            .buffer_unordered(CONCURRENT_CALLS)
            .collect()
            .await;
        stream::iter(sent).try_collect().await
    }

    async fn depths(&self) -> Result<BTreeMap<Queue, QueueDepth>, PortError> {
        stream::iter(self.urls.clone())
            .map(|(queue, url)| async move { Ok((queue, self.depth(&url).await?)) })
            .buffer_unordered(CONCURRENT_CALLS)
            .try_collect()
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_queue_of_dead_letters_is_read_from_the_policy() {
        let arn = "arn:aws:sqs:eu-west-1:123456789012:crm-sync-import-dead-letters";
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":5}}"#);
        assert_eq!(dead_of(&policy).as_deref(), Some("crm-sync-import-dead-letters"));
        assert_eq!(dead_of("{}"), None);
    }

    fn message(queue: Queue, bytes: usize) -> QueueMessage {
        let body = "x".repeat(bytes);
        QueueMessage { queue, body, group: "g".to_owned(), delay: Duration::ZERO }
    }

    fn sizes(messages: Vec<QueueMessage>) -> Vec<(Queue, usize)> {
        chunks(messages).into_iter().map(|(queue, chunk)| (queue, chunk.len())).collect()
    }

    #[test]
    fn messages_go_in_tens_by_queue() {
        let mut messages: Vec<_> = (0..21).map(|_| message(Queue::Match, 1)).collect();
        messages.push(message(Queue::Import, 1));
        let expected =
            [(Queue::Import, 1), (Queue::Match, 10), (Queue::Match, 10), (Queue::Match, 1)];
        assert_eq!(sizes(messages), expected);
    }

    #[test]
    fn no_call_is_larger_than_a_mebibyte() {
        let messages = (0..4).map(|_| message(Queue::Match, 400 << 10)).collect();
        assert_eq!(sizes(messages), [(Queue::Match, 2), (Queue::Match, 2)]);
        // Too large alone: the service will say so.
        assert_eq!(sizes(vec![message(Queue::Match, 2 << 20)]), [(Queue::Match, 1)]);
    }

    #[test]
    fn a_refused_message_is_told() {
        let failure = BatchResultErrorEntry::builder()
            .id("0")
            .sender_fault(true)
            .code("InvalidMessageContents")
            .build()
            .unwrap();
        assert!(verdict(&[]).is_ok());
        let error = verdict(&[failure]).unwrap_err();
        assert_eq!(error.disposition, crate::ports::Disposition::Reject);
        assert_eq!(error.source.to_string(), "1 messages were refused: InvalidMessageContents");
    }
}
