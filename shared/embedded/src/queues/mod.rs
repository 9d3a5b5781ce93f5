//! The queues between the parts of one process.
//!
//! They are the fast path of due items: whatever a kill takes from them is in the table, and the
//! tick sends it again. They promise what a queue of a cloud does: at least once, in any order,
//! fairly between groups, at most a few times, and then dead letters that a person looks at.

mod dead;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use shared::host::SystemClock;
use shared::kernel::Queue;
use shared::ports::{Clock, MOST_RECEIVES, PortError, QueueDepth, QueueMessage, Queues};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

pub use self::dead::DeadLetter;
use self::dead::{DeadLetters, id_of, id_of_body};
pub use self::state::{Receipt, Received};
use self::state::{State, Taken};

/// A queue refuses messages beyond these; their due items bring them when there is room. At some
/// 500 bytes a message, a full queue takes 100 MB.
pub const MOST_MESSAGES: usize = 200_000;

/// A queue holds too many messages already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue {queue} is full: the tick sends the message when there is room")]
struct Full {
    queue: Queue,
}

/// Queues in memory. Clones share their messages.
#[derive(Clone)]
pub struct LocalQueues {
    queues: Arc<[One; Queue::ALL.len()]>,
    dead: Arc<Mutex<DeadLetters>>,
    clock: Arc<dyn Clock>,
    most: usize,
}

/// One queue.
#[derive(Default)]
struct One {
    state: Mutex<State>,
    /// Woken when there may be a message to receive, or a nearer moment to wait for.
    changed: Notify,
}

impl One {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalQueues {
    /// Queues whose dead letters are kept in the file `dead_letters`, with those that lie there.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not one of dead letters.
    pub fn open(dead_letters: &Path) -> io::Result<Self> {
        let dead = Arc::new(Mutex::new(DeadLetters::open(dead_letters)?));
        let clock = Arc::new(SystemClock);
        Ok(Self { queues: Arc::default(), dead, clock, most: MOST_MESSAGES })
    }

    /// The same queues, whose dead letters have the time of `clock`.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Waits for a message of `queue`, and hides it from others until it is finished or given back,
    /// or `visibility` has passed. Whoever stops waiting loses no message.
    pub async fn receive(&self, queue: Queue, visibility: Duration) -> Received {
        let one = self.one(queue);
        loop {
            let changed = one.changed.notified();
            let taken = one.state().take(queue, Instant::now(), visibility);
            match taken {
                Taken::Message(received) if received.receives > MOST_RECEIVES => {
                    self.bury(queue, &received);
                }
                Taken::Message(received) => {
                    if one.state().has_visible() {
                        one.changed.notify_one();
                    }
                    return received;
                }
                // Whether it is woken or the moment has come, the next look tells.
                Taken::NothingUntil(at) => drop(timeout_at(at, changed).await),
                Taken::Nothing => changed.await,
            }
        }
    }

    /// Forgets a message whose work is done. A receipt whose visibility has passed is of no use any
    /// more: the message belongs to whoever received it since. If the message is a dead letter, the
    /// tick brought it again: the letter goes.
    pub fn finish(&self, receipt: &Receipt) {
        let finished = self.one(receipt.queue).state().finish(receipt);
        let Some(body) = finished else { return };
        let mut dead = self.dead();
        if dead.all().is_empty() {
            return;
        }
        let id = id_of_body(&body);
        match dead.take(|letter| letter.id == id) {
            Ok(taken) if taken.is_empty() => {}
            Ok(_) => tracing::info!(letter.id = id, "a dead letter's work is done after all"),
            Err(error) => tracing::error!(error = %error, "the dead letters cannot be written"),
        }
    }

    /// Gives a message back, to be received again after `delay`.
    pub fn give_back(&self, receipt: &Receipt, delay: Duration) {
        let one = self.one(receipt.queue);
        one.state().give_back(receipt, Instant::now() + delay);
        one.changed.notify_one();
    }

    /// Gives a message back that failed, as [`LocalQueues::give_back`] does. `failure` is the class
    /// of the failure, without any data: its dead letter tells it.
    pub fn fail(&self, receipt: &Receipt, delay: Duration, failure: String) {
        self.one(receipt.queue).state().note_failure(receipt, failure);
        self.give_back(receipt, delay);
    }

    /// The numbers of a queue's messages by their state.
    #[must_use]
    pub fn depth(&self, queue: Queue) -> QueueDepth {
        let dead = self.dead().count(queue) as u64;
        QueueDepth { dead, ..self.one(queue).state().depth(Instant::now()) }
    }

    /// The dead letters of a queue, the oldest first.
    #[must_use]
    pub fn dead_letters(&self, queue: Queue) -> Vec<DeadLetter> {
        let of = |letter: &&DeadLetter| letter.queue == queue;
        self.dead().all().iter().filter(of).cloned().collect()
    }

    /// The dead letters of all queues, the one that failed last at the end.
    #[must_use]
    pub fn all_dead_letters(&self) -> Vec<DeadLetter> {
        self.dead().all().to_vec()
    }

    /// True if the message behind which the due item with this sort key stands is a dead letter.
    #[must_use]
    pub fn is_dead(&self, due: &str) -> bool {
        self.dead().holds(&id_of(due))
    }

    /// Writes the dead letters of all queues to a new file at `path`, which [`LocalQueues::open`]
    /// reads. Blocks.
    pub fn copy_dead_letters(&self, path: &Path) -> io::Result<()> {
        self.dead().copy_to(path)
    }

    /// Sends the dead letters of a queue again. Gives their number.
    ///
    /// # Errors
    /// When the file of dead letters cannot be written: nothing was sent then.
    pub fn redrive(&self, queue: Queue) -> io::Result<usize> {
        self.redrive_chosen(|letter| letter.queue == queue)
    }

    /// Sends the dead letters again that are `chosen`. Gives their number.
    ///
    /// # Errors
    /// When the file of dead letters cannot be written: nothing was sent then.
    pub fn redrive_chosen(&self, chosen: impl Fn(&DeadLetter) -> bool) -> io::Result<usize> {
        let letters = self.dead().take(chosen)?;
        let (sent, now) = (letters.len(), Instant::now());
        for DeadLetter { queue, body, group, .. } in letters {
            let one = self.one(queue);
            one.state().add(body, group, now, now);
            one.changed.notify_one();
        }
        Ok(sent)
    }

    /// Puts a message that failed too often among the dead letters. Its due item stays, so that a
    /// letter that cannot be written is not lost: the tick sends the message again.
    fn bury(&self, queue: Queue, received: &Received) {
        let letter = DeadLetter {
            id: id_of_body(&received.body),
            queue,
            body: received.body.clone(),
            group: received.group.clone(),
            at: Some(self.clock.now()),
            // This time it is not tried.
            tries: received.receives - 1,
            failure: received.failure.clone(),
        };
        tracing::error!(
            queue = %queue,
            letter.id = letter.id,
            "a message failed too often and is a dead letter now"
        );
        if let Err(error) = self.dead().add(letter) {
            tracing::error!(queue = %queue, error = %error, "a dead letter cannot be written");
        }
        self.one(queue).state().finish(&received.receipt);
    }

    fn one(&self, queue: Queue) -> &One {
        &self.queues[queue as usize]
    }

    fn dead(&self) -> MutexGuard<'_, DeadLetters> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queues for LocalQueues {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), PortError> {
        let now = Instant::now();
        let mut full = None;
        for QueueMessage { queue, body, group, delay } in messages {
            let one = self.one(queue);
            let mut state = one.state();
            if state.len() >= self.most {
                full = Some(Full { queue });
                continue;
            }
            state.add(body, group, now + delay, now);
            drop(state);
            one.changed.notify_one();
        }
        full.map_or(Ok(()), |full| Err(PortError::retry("send messages", full)))
    }

    async fn depths(&self) -> Result<BTreeMap<Queue, QueueDepth>, PortError> {
        Ok(Queue::ALL.map(|queue| (queue, self.depth(queue))).into())
    }
}
