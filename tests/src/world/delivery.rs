//! How a world's messages come: in any order, twice, or late, and again when their work failed, as
//! often as a queue gives a message.

use std::collections::HashSet;
use std::time::Duration;

use jiff::SignedDuration;
use shared::edge::{self, Settled};
use shared::kernel::{Envelope, Message};
use shared::ports::{Disposition, QueueMessage};
use shared::work::{WorkError, chain};

use super::World;

/// Rounds after which a world that does not come to rest is taken for one that never will.
const MOST_ROUNDS: usize = 20_000;

/// How a world delivers messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Each once, in order.
    #[default]
    Plain,
    /// Each twice, the second time after everything that was waiting, and the youngest first.
    TwiceAndBackwards,
    /// Each to two workers at once.
    TwiceAtOnce,
    /// Each is lost when it is sent first.
    Lossy,
}

impl World {
    /// Delivers messages, and lets time pass where everything waits, until nothing is left to do.
    /// Delivers again each message whose step was killed or failed, as often as a queue does; then
    /// it is a dead letter, which only its due item brings again.
    pub async fn run(&self) {
        let mut lost = HashSet::new();
        for _ in 0..MOST_ROUNDS {
            let mut batch = self.memory.receive();
            if batch.is_empty() {
                if !self.wait().await {
                    return;
                }
                continue;
            }
            if self.delivery == Delivery::TwiceAndBackwards {
                batch.reverse();
                batch.extend(batch.clone());
            }
            for message in batch {
                match self.delivery {
                    Delivery::TwiceAtOnce => {
                        tokio::join!(self.deliver(&message.body), self.deliver(&message.body));
                    }
                    Delivery::Lossy if lost.insert(message.body.clone()) => {}
                    _ => self.deliver(&message.body).await,
                }
            }
        }
        panic!("the world does not come to rest");
    }

    /// Delivers one message. A dead process is started again, and its message comes again.
    pub async fn deliver(&self, body: &str) {
        let handler = async |message: Message| {
            if (self.defect)(&message) {
                return Err(WorkError::reject("do a step", "a mistake in the code"));
            }
            // A handler's future is large; it is one of many in every test's.
            let done = Box::pin(self.functions.handle(message)).await;
            if let Err(error) = &done {
                let rejected = error.disposition == Disposition::Reject;
                assert!(!rejected || self.fuse.is_dead(), "{body}: {}", chain(error));
            }
            done
        };
        let queue = Envelope::<Message>::parse(body).expect("a message").message.queue();
        let outbox = self.functions.outbox_of(queue);
        let (_, settled) = edge::one_message(body, outbox, handler).await;
        if settled == Settled::Failed {
            self.fuse.restart();
            self.give_back(body);
        } else {
            self.memory.finish(body);
        }
    }

    /// A message that was not deleted becomes visible again, or is a dead letter.
    fn give_back(&self, body: &str) {
        let envelope = Envelope::<Message>::parse(body).expect("a message");
        let message = QueueMessage {
            queue: envelope.message.queue(),
            body: body.to_owned(),
            group: envelope.message.group(),
            delay: Duration::from_secs(30),
        };
        self.memory.fail(message).expect("a delay that can be");
    }

    /// Lets time pass until something is due; false when nothing will be within the next hours.
    async fn wait(&self) -> bool {
        if let Some(at) = self.memory.next_visible() {
            let by = at.duration_since(self.ports().clock.now());
            self.memory.clock.advance(by.max(SignedDuration::ZERO));
            return true;
        }
        for _ in 0..12 {
            self.memory.clock.advance(SignedDuration::from_secs(121));
            self.fuse.restart();
            // A tick that is killed comes again a minute later.
            if self.functions.due.tick().await.map_or(true, |sent| sent > 0) {
                return true;
            }
        }
        false
    }
}
