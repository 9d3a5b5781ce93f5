//! The queues in memory: they hold messages until the test takes them, and give a message that
//! fails again, as often as a queue does. Then it is a dead letter.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Memory, lock};
use crate::kernel::Queue;
use crate::ports::{Clock, MOST_RECEIVES, PortError, QueueDepth, QueueMessage, Queues};

/// A message in a queue.
#[derive(Debug)]
struct SentMessage {
    message: QueueMessage,
    /// When it can be received first.
    visible_at: Timestamp,
    /// How often it was received.
    receives: u32,
}

/// A message that failed too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessage {
    /// The message.
    pub message: QueueMessage,
    /// How often it was tried, whenever it was.
    pub tries: u32,
}

/// All messages.
#[derive(Debug, Default)]
pub(super) struct Held {
    waiting: Vec<SentMessage>,
    /// Received, and neither done nor given back.
    in_flight: Vec<SentMessage>,
    dead: Vec<ParkedMessage>,
}

/// The due item behind a message, which a body names.
#[derive(Deserialize)]
struct Behind {
    due: Option<String>,
}

/// What tells a message from others, however often it is sent again or put off.
fn identity(body: &str) -> String {
    let due = serde_json::from_str(body).ok().and_then(|Behind { due }| due);
    due.unwrap_or_else(|| body.to_owned())
}

impl Held {
    /// Takes a message out of those that were received; none that a test made up.
    fn take(&mut self, body: &str) -> Option<SentMessage> {
        let at = self.in_flight.iter().rposition(|sent| sent.message.body == body)?;
        Some(self.in_flight.remove(at))
    }

    /// Puts a message among the dead letters: one message is one letter.
    fn park(&mut self, message: QueueMessage, tries: u32) {
        let own = identity(&message.body);
        match self.dead.iter_mut().find(|parked| identity(&parked.message.body) == own) {
            Some(parked) => parked.tries += tries,
            None => self.dead.push(ParkedMessage { message, tries }),
        }
    }

    fn send(
        &mut self,
        message: QueueMessage,
        receives: u32,
        now: Timestamp,
    ) -> Result<(), PortError> {
        let delay = SignedDuration::try_from(message.delay)
            .map_err(|error| PortError::reject("send a message", error))?;
        self.waiting.push(SentMessage { visible_at: now + delay, message, receives });
        Ok(())
    }
}

impl Memory {
    /// Takes the messages that can be received now, oldest first.
    #[must_use]
    pub fn receive(&self) -> Vec<QueueMessage> {
        let now = self.clock.now();
        let mut held = lock(&self.queues);
        let (ready, rest) = held.waiting.drain(..).partition(|m: &SentMessage| m.visible_at <= now);
        held.waiting = rest;
        let received = ready.iter().map(|m: &SentMessage| m.message.clone()).collect();
        let counted = ready.into_iter().map(|m| SentMessage { receives: m.receives + 1, ..m });
        held.in_flight.extend(counted);
        received
    }

    /// Forgets a message whose work is done, or comes again as another message. A dead letter of
    /// it, which the tick brought again, goes too.
    pub fn finish(&self, body: &str) {
        let mut held = lock(&self.queues);
        held.take(body);
        if !held.dead.is_empty() {
            let own = identity(body);
            held.dead.retain(|parked| identity(&parked.message.body) != own);
        }
    }

    /// Gives a message back that failed: it comes again after its delay, or is a dead letter.
    pub fn fail(&self, message: QueueMessage) -> Result<(), PortError> {
        let now = self.clock.now();
        let mut held = lock(&self.queues);
        let receives = held.take(&message.body).map_or(1, |sent| sent.receives);
        if receives < MOST_RECEIVES {
            return held.send(message, receives, now);
        }
        held.park(message, receives);
        Ok(())
    }

    /// The dead letters of all queues, the oldest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<ParkedMessage> {
        lock(&self.queues).dead.clone()
    }

    /// Sends the dead letters of a queue again, at once. Gives their number.
    pub fn redrive(&self, queue: Queue) -> Result<usize, PortError> {
        let now = self.clock.now();
        let mut held = lock(&self.queues);
        let chosen = |parked: &ParkedMessage| parked.message.queue == queue;
        let (chosen, rest) = held.dead.drain(..).partition(chosen);
        held.dead = rest;
        let sent = chosen.len();
        for ParkedMessage { message, .. } in chosen {
            let message = QueueMessage { delay: Duration::ZERO, ..message };
            held.send(message, 0, now)?;
        }
        Ok(sent)
    }

    /// When the next message can be received; none when the queues are empty.
    #[must_use]
    pub fn next_visible(&self) -> Option<Timestamp> {
        lock(&self.queues).waiting.iter().map(|m| m.visible_at).min()
    }

    /// Loses every message that waits: what the due items must make good.
    pub fn lose_messages(&self) {
        lock(&self.queues).waiting.clear();
    }
}

#[async_trait]
impl Queues for Memory {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), PortError> {
        let now = self.clock.now();
        let mut held = lock(&self.queues);
        for message in messages {
            self.show(&format!("queue {:?}", message.queue), message.body.as_bytes());
            held.send(message, 0, now)?;
        }
        Ok(())
    }

    async fn depths(&self) -> Result<BTreeMap<Queue, QueueDepth>, PortError> {
        let now = self.clock.now();
        let held = lock(&self.queues);
        let depth = |queue: Queue| {
            let of = |sent: &&SentMessage| sent.message.queue == queue;
            let (ready, later): (Vec<_>, Vec<_>) =
                held.waiting.iter().filter(of).partition(|sent| sent.visible_at <= now);
            let dead = held.dead.iter().filter(|parked| parked.message.queue == queue);
            QueueDepth {
                waiting: ready.len() as u64,
                in_flight: held.in_flight.iter().filter(of).count() as u64,
                delayed: later.len() as u64,
                dead: dead.count() as u64,
            }
        };
        Ok(Queue::ALL.map(|queue| (queue, depth(queue))).into())
    }
}
