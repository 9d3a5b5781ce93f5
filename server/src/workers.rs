//! The workers: each takes a message of its queue, does its work, and takes the next.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use embedded::queues::{LocalQueues, Received};
use futures::FutureExt;
use jiff::SignedDuration;
use shared::edge::{self, Handled, Settled};
use shared::kernel::{Message, Queue};
use shared::ports::Clock;
use shared::product::Functions;
use shared::store::Outbox;
use shared::work;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::metrics::Metrics;
use crate::pace::Pace;

/// The waits of a message that failed before it is tried again; the last one is kept.
const WAITS: [Duration; 4] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
];

/// All that workers share.
pub(crate) struct Workers {
    /// The queues that are worked.
    pub queues: LocalQueues,
    /// The outbox behind the queues' edges.
    pub outbox: Outbox,
    /// Every queue's work.
    pub functions: Functions,
    /// Counts what they do.
    pub metrics: Metrics,
    /// By which a message's time ends.
    pub clock: Arc<dyn Clock>,
}

impl Workers {
    /// Starts `count` workers of `queue`. They take no further message once `stopping` is
    /// cancelled, and end with the message that they have.
    pub(crate) fn start(
        self: &Arc<Self>,
        queue: Queue,
        count: u32,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) {
        for _ in 0..count {
            let (workers, stopping) = (self.clone(), stopping.clone());
            tasks.spawn(async move { workers.work(queue, &stopping).await });
        }
    }

    async fn work(&self, queue: Queue, stopping: &CancellationToken) {
        let visibility = Pace::of(queue).visibility();
        loop {
            let received = tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                received = self.queues.receive(queue, visibility) => received,
            };
            self.one(queue, &received).await;
        }
    }

    /// Does a message's work within its time. A panic fails the message and nothing else.
    async fn one(&self, queue: Queue, received: &Received) {
        let begun = Instant::now();
        let span = tracing::info_span!(
            "message",
            queue = %queue,
            message.kind = tracing::field::Empty,
            connection.id = tracing::field::Empty,
        );
        let time = Pace::of(queue).time;
        let left = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        let handle = |message: Message| self.functions.handle(message);
        let work = Box::pin(edge::handle(&received.body, &self.outbox, handle));
        let work = work::until(self.clock.now() + left, work);
        let work = AssertUnwindSafe(timeout(time, work)).catch_unwind();
        let (kind, settled, outcome, failure) = match work.instrument(span.clone()).await {
            Ok(Ok(Handled { kind, settled, failure })) => {
                let failure = failure.map(|failure| failure.to_string());
                (kind, settled, settled.as_str(), failure)
            }
            Ok(Err(_)) => {
                span.in_scope(|| tracing::warn!("the message took too long"));
                (None, Settled::Failed, "timed_out", None)
            }
            Err(_) => {
                span.in_scope(|| tracing::error!("the message's work panicked"));
                (None, Settled::Failed, "panicked", None)
            }
        };
        match settled {
            Settled::Finished | Settled::PutOff => self.queues.finish(&received.receipt),
            Settled::Failed => {
                let tries = usize::try_from(received.receives).unwrap_or(usize::MAX);
                let wait = WAITS[tries.saturating_sub(1).min(WAITS.len() - 1)];
                let failure = failure.unwrap_or_else(|| outcome.to_owned());
                self.queues.fail(&received.receipt, wait, failure);
            }
        }
        self.metrics.count_message(queue, kind.unwrap_or("unknown"), outcome, begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use embedded::objects::{FileObjects, MappedObjects, ObjectsConfig};
    use jiff::Timestamp;
    use shared::kernel::{Environment, Event, EventId, Generation, Occurrence, Scope, TenantId};
    use shared::ports::{Events, PortError};
    use shared::store::Next;
    use shared::testing::{Memory, product};

    use super::*;

    /// Nobody hears what happens, however often it is told.
    #[derive(Default)]
    struct Deaf(Mutex<Vec<(Instant, EventId)>>);

    #[async_trait]
    impl Events for Deaf {
        async fn publish(&self, event: &Event) -> Result<(), PortError> {
            self.0.lock().unwrap().push((Instant::now(), event.id()));
            Err(PortError::retry("publish an event", "nobody hears it"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_nobody_hears_comes_again_after_longer_and_longer_waits() {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let folder = tempfile::tempdir().unwrap();
        let queues = LocalQueues::open(&folder.path().join("dead-letters.jsonl")).unwrap();
        let deaf = Arc::new(Deaf::default());
        let mut ports = memory.ports();
        ports.queues = Arc::new(queues.clone());
        ports.events = deaf.clone();
        let product = product(ports.clone(), "test/");
        let objects = FileObjects::open(ObjectsConfig {
            folder: folder.path().join("objects"),
            public_base: "http://127.0.0.1".to_owned(),
            signing_key: [7; 32].into(),
            most_upload: 1,
            clock: ports.clock.clone(),
        });
        let files = Arc::new(MappedObjects::new(objects.unwrap()));
        let workers = Arc::new(Workers {
            queues: queues.clone(),
            outbox: product.outbox(),
            functions: product.functions(files, "A product".to_owned()).unwrap(),
            metrics: Metrics::new(queues.clone()),
            clock: ports.clock.clone(),
        });
        let tenant = TenantId::new(1_795_294_800_000, 7);
        let scope =
            Scope { tenant, environment: Environment::Production, generation: Generation(1) };
        let told = Next::publish(scope, ports.clock.now(), Occurrence::Purged);
        assert!(workers.outbox.commit(vec![], vec![told]).await.unwrap().is_done());
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        workers.start(Queue::Telling, 4, &tasks, &stopping);
        tokio::time::sleep(Duration::from_hours(1)).await;
        stopping.cancel();
        tasks.close();
        tasks.wait().await;

        let heard = deaf.0.lock().unwrap().clone();
        let waits: Vec<u64> = heard.windows(2).map(|w| (w[1].0 - w[0].0).as_secs()).collect();
        assert_eq!(waits, [10, 60, 300, 900]);
        assert!(heard.iter().all(|(_, id)| *id == heard[0].1), "each time the same id");
        assert_eq!(queues.dead_letters(Queue::Telling).len(), 1);
        assert_eq!(memory.items().len(), 1, "its due item stays: the tick brings it again");
    }
}
