//! The messages of one queue: those that can be received, those that wait, those in flight. Pure:
//! whoever asks says what time it is.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use shared::kernel::Queue;
use shared::ports::QueueDepth;
use tokio::time::Instant;

/// The right to finish a received message or to give it back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub(super) queue: Queue,
    pub(super) number: u64,
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Finishes it, or gives it back.
    pub receipt: Receipt,
    /// The JSON text.
    pub body: String,
    /// The fair-queue group.
    pub group: String,
    /// Counts how often it was received, this time included.
    pub receives: u32,
    /// The class of its last failure; none when it did not fail yet, or ended without a word.
    pub failure: Option<String>,
}

/// The outcome of a look into a queue.
pub(super) enum Taken {
    Message(Received),
    /// None can be received before this moment, unless one is sent.
    NothingUntil(Instant),
    /// None can be received unless one is sent.
    Nothing,
}

#[derive(Debug)]
struct Waiting {
    body: String,
    group: String,
    receives: u32,
    failure: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// The messages that can be received, by group.
    visible: HashMap<String, VecDeque<Waiting>>,
    /// The groups that have one, in the order of their turns.
    turns: VecDeque<String>,
    /// The messages that cannot be received yet, by time. Those in flight are among them: they can
    /// be received again when their visibility has passed.
    later: BTreeMap<(Instant, u64), Waiting>,
    /// The receipts of messages in flight, with the moment at which their visibility passes.
    in_flight: HashMap<u64, Instant>,
    numbers: u64,
}

impl State {
    /// Adds a message that can be received from `at` on.
    pub(super) fn add(&mut self, body: String, group: String, at: Instant, now: Instant) {
        let waiting = Waiting { body, group, receives: 0, failure: None };
        if at <= now {
            self.show(waiting);
        } else {
            let number = self.number();
            self.later.insert((at, number), waiting);
        }
    }

    /// Takes the next message: each group that has some in turn.
    pub(super) fn take(&mut self, queue: Queue, now: Instant, visibility: Duration) -> Taken {
        self.show_due(now);
        let Some(group) = self.turns.pop_front() else {
            return match self.later.first_key_value() {
                Some(((at, _), _)) => Taken::NothingUntil(*at),
                None => Taken::Nothing,
            };
        };
        let Some(messages) = self.visible.get_mut(&group) else { return Taken::Nothing };
        let next = messages.pop_front();
        if messages.is_empty() {
            self.visible.remove(&group);
        } else {
            self.turns.push_back(group);
        }
        let Some(mut waiting) = next else { return Taken::Nothing };
        waiting.receives += 1;
        let receipt = Receipt { queue, number: self.number() };
        let received = Received {
            receipt: receipt.clone(),
            body: waiting.body.clone(),
            group: waiting.group.clone(),
            receives: waiting.receives,
            failure: waiting.failure.clone(),
        };
        let until = now + visibility;
        self.in_flight.insert(receipt.number, until);
        self.later.insert((until, receipt.number), waiting);
        Taken::Message(received)
    }

    /// Gives the body of the message, unless it belongs to somebody else by now.
    pub(super) fn finish(&mut self, receipt: &Receipt) -> Option<String> {
        let until = self.in_flight.remove(&receipt.number)?;
        self.later.remove(&(until, receipt.number)).map(|finished| finished.body)
    }

    pub(super) fn note_failure(&mut self, receipt: &Receipt, failure: String) {
        if let Some(until) = self.in_flight.get(&receipt.number)
            && let Some(waiting) = self.later.get_mut(&(*until, receipt.number))
        {
            waiting.failure = Some(failure);
        }
    }

    pub(super) fn give_back(&mut self, receipt: &Receipt, at: Instant) {
        if let Some(until) = self.in_flight.remove(&receipt.number)
            && let Some(waiting) = self.later.remove(&(until, receipt.number))
        {
            self.later.insert((at, receipt.number), waiting);
        }
    }

    pub(super) fn has_visible(&self) -> bool {
        !self.turns.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.visible.values().map(VecDeque::len).sum::<usize>() + self.later.len()
    }

    pub(super) fn depth(&mut self, now: Instant) -> QueueDepth {
        self.show_due(now);
        let in_flight = self.in_flight.len();
        let waiting: usize = self.visible.values().map(VecDeque::len).sum();
        QueueDepth {
            waiting: waiting as u64,
            in_flight: in_flight as u64,
            delayed: (self.later.len() - in_flight) as u64,
            dead: 0,
        }
    }

    /// Shows the messages whose time has come.
    fn show_due(&mut self, now: Instant) {
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            let ((_, number), waiting) = first.remove_entry();
            self.in_flight.remove(&number);
            self.show(waiting);
        }
    }

    fn show(&mut self, waiting: Waiting) {
        let messages = self.visible.entry(waiting.group.clone()).or_default();
        if messages.is_empty() {
            self.turns.push_back(waiting.group.clone());
        }
        messages.push_back(waiting);
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}
