//! Work that must happen: a durable next step is written in the same transaction as the state that
//! calls for it, and sent at once; whatever was not sent, or was lost, the minute tick sends again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{documents, keys};
use crate::kernel::{Envelope, Event, Message, Occurrence, Scope, TellingMessage};
use crate::ports::{Change, Condition, Key, Outcome, PortError, Ports, QueueMessage, Range, Write};

/// How long after its time a due item is left to the fast path before the tick sends it again. A
/// message that only waits its turn in a backlog is not lost: sending it again helps nobody, so the
/// pause doubles each time.
const GRACE: SignedDuration = SignedDuration::from_secs(300);

/// The doubling stops here: about 21 hours.
const MOST_DOUBLINGS: u32 = 8;

/// How far a new step may lie ahead to be sent at once, to wait in its queue. The tick comes each
/// minute: later steps wait as due items alone, so that a queue's depth tells of work, not of plans.
const AHEAD: Duration = Duration::from_mins(1);

/// The longest delay that a queue can hold a message for.
const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// How many due items one tick takes from each partition.
const TICK_LIMIT: usize = 500;

/// A step that follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The work.
    pub message: Message,
    /// How long it waits.
    pub delay: Duration,
}

impl Next {
    /// A step to take at once.
    #[must_use]
    pub fn now(message: impl Into<Message>) -> Self {
        Self { message: message.into(), delay: Duration::ZERO }
    }

    /// Others are told that this happened now.
    #[must_use]
    pub fn publish(scope: Scope, time: Timestamp, occurrence: Occurrence) -> Self {
        Self::now(TellingMessage::Publish { event: Event { scope, time, occurrence } })
    }

    /// A step to take after `delay`.
    #[must_use]
    pub fn after(delay: Duration, message: impl Into<Message>) -> Self {
        Self { message: message.into(), delay }
    }
}

/// A due item as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) message: Message,
    /// When the tick last sent it (Unix seconds); 0 when only the fast path did.
    pub(crate) sent_at: i64,
    /// How often the tick sent it.
    #[serde(default)]
    pub(crate) sends: u32,
}

impl Due {
    /// Whether the tick leaves it alone at `now`.
    fn rests(&self, now: Timestamp) -> bool {
        let pause = GRACE.as_secs() << self.sends.min(MOST_DOUBLINGS);
        self.sent_at + pause > now.as_second()
    }
}

/// Commits states together with the steps that follow from them.
#[derive(Clone)]
pub struct Outbox {
    ports: Ports,
}

impl Outbox {
    /// An outbox over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Does `writes` and records `next` in one transaction, then sends `next`. When a condition
    /// does not hold nothing is done and nothing is sent. A failure to send is no failure: the tick
    /// will send.
    pub async fn commit(
        &self,
        mut writes: Vec<Write>,
        next: Vec<Next>,
    ) -> Result<Outcome, PortError> {
        let mut messages = Vec::with_capacity(next.len());
        for step in next {
            let (write, message) = self.due(step)?;
            writes.push(write);
            messages.extend(message);
        }
        let outcome = match <[Write; 1]>::try_from(writes) {
            Ok([single]) => self.ports.table.write(single).await?,
            Err(many) => self.ports.table.transact(many).await?,
        };
        if outcome.is_done()
            && !messages.is_empty()
            && let Err(error) = self.ports.queues.send(messages).await
        {
            tracing::warn!(error = %error, "sending failed, the tick will send");
        }
        Ok(outcome)
    }

    fn due(&self, next: Next) -> Result<(Write, Option<QueueMessage>), PortError> {
        let Next { message, delay } = next;
        let owner = message.group();
        let path = message.scope().map_or_else(|| owner.clone(), |scope| scope.to_string());
        let delay_signed = SignedDuration::try_from(delay)
            .map_err(|error| PortError::reject("plan a step", error))?;
        // What only its due item brings must not wait a grace, too.
        let held_by_queue = delay <= AHEAD;
        let at = self.ports.clock.now()
            + if held_by_queue { delay_signed + GRACE } else { delay_signed };
        let identity = format!("{:032x}", self.ports.entropy.bits());
        let key = keys::due(&owner, at, &path, &identity);
        let sk = key.sk().to_owned();
        let due = Due { message, sent_at: 0, sends: 0 };
        let write = documents::put(key, &due, Condition::Always)?;
        let message =
            held_by_queue.then(|| queue_message(due.message, Some(sk), 0, delay)).transpose()?;
        Ok((write, message))
    }

    /// Sends an envelope again after `delay`, one hop further; its due item stays behind it, and the
    /// tick leaves it alone until then.
    pub async fn put_off(&self, envelope: Envelope, delay: Duration) -> Result<(), PortError> {
        if let Some(sk) = &envelope.due {
            let key = keys::due_by_sort_key(&envelope.message.group(), sk.clone());
            let waits = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
            let until = self.ports.clock.now().as_second().saturating_add(waits);
            self.note_sent(key.into(), until, 0).await?;
        }
        let message =
            queue_message(envelope.message, envelope.due, envelope.hops.saturating_add(1), delay)?;
        self.ports.queues.send(vec![message]).await
    }

    /// Forgets the due item behind a message whose work is done.
    pub async fn finish(&self, envelope: &Envelope) -> Result<(), PortError> {
        let Some(sk) = &envelope.due else { return Ok(()) };
        let key = keys::due_by_sort_key(&envelope.message.group(), sk.clone());
        let _ = self.ports.table.write(documents::delete(key)).await?;
        Ok(())
    }

    /// Sends what is due and was not sent within the grace; says how many messages that were.
    pub async fn tick(&self) -> Result<u64, PortError> {
        let now = self.ports.clock.now();
        let mut sent = 0;
        for partition in 0..keys::DUE_PARTITIONS {
            sent += self.tick_partition(&keys::due_partition_at(partition), now).await?;
        }
        Ok(sent)
    }

    async fn tick_partition(&self, pk: &str, now: Timestamp) -> Result<u64, PortError> {
        let until = Range::UpTo(keys::due_until(now));
        let page = self.ports.table.query(pk, &until, None, TICK_LIMIT).await?;
        let mut sent = 0;
        for item in page.items {
            let key = item.key.clone();
            let due: Due = documents::typed(item)?;
            if due.rests(now) {
                continue;
            }
            let message = queue_message(due.message, Some(key.sk().to_owned()), 0, Duration::ZERO)?;
            self.ports.queues.send(vec![message]).await?;
            self.note_sent(key, now.as_second(), 1).await?;
            sent += 1;
        }
        Ok(sent)
    }

    async fn note_sent(&self, key: Key, at: i64, sends: i64) -> Result<(), PortError> {
        // The work may be done by now; its item must not come back.
        let write = Write::Update {
            key,
            changes: vec![Change::Set("sent_at", json!(at)), Change::Add("sends", sends)],
            when: Condition::Exists,
        };
        let _ = self.ports.table.write(write).await?;
        Ok(())
    }
}

fn queue_message(
    message: Message,
    due: Option<String>,
    hops: u32,
    delay: Duration,
) -> Result<QueueMessage, PortError> {
    let queue = message.queue();
    let group = message.group();
    let body = serde_json::to_string(&Envelope { v: 1, due, hops, message })
        .map_err(|error| PortError::reject("write a message", error))?;
    Ok(QueueMessage { queue, body, group, delay: delay.min(LONGEST_DELAY) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{DirectoryMessage, DirectoryVersionId};
    use crate::testing::Memory;

    /// A queue that holds next hour's import never looks at rest.
    #[tokio::test]
    async fn a_later_step_is_left_to_the_tick_and_a_near_one_waits_in_its_queue() {
        let memory = Memory::new("2026-11-22T09:00:00Z".parse().unwrap(), 1);
        let outbox = Outbox::new(memory.ports());
        for (n, seconds) in [(1, 60), (2, 61)] {
            let message = DirectoryMessage::Count { version: DirectoryVersionId::new(1, n) };
            let next = Next::after(Duration::from_secs(seconds), message);
            assert!(outbox.commit(vec![], vec![next]).await.unwrap().is_done());
        }
        memory.clock.advance(SignedDuration::from_secs(60));
        assert_eq!(outbox.tick().await.unwrap(), 0);
        assert_eq!(memory.receive().len(), 1);
        assert_eq!(memory.next_visible(), None);
        memory.clock.advance(SignedDuration::from_secs(1));
        assert_eq!(outbox.tick().await.unwrap(), 1);
        assert_eq!(memory.receive().len(), 1);
    }
}
