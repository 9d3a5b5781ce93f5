//! The contract of [`Queues`].

use std::collections::BTreeSet;
use std::time::Duration;

use crate::kernel::Queue;
use crate::ports::{QueueMessage, Queues};

/// The messages that a queue handed over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Received {
    /// The text.
    pub body: String,
    /// The fair-queue group.
    pub group: String,
}

fn message(queue: Queue, body: String, delay: u64) -> QueueMessage {
    QueueMessage { queue, body, group: "tenant-1".to_owned(), delay: Duration::from_secs(delay) }
}

/// Every message arrives, at its queue, with its group, after its delay. `receive` takes what a
/// queue holds, waiting a few seconds when it holds nothing.
pub async fn queues<F: Future<Output = Vec<Received>>>(
    queues: &dyn Queues,
    place: &str,
    mut receive: impl FnMut(Queue) -> F,
) {
    queues.send(Vec::new()).await.unwrap();

    let bodies: BTreeSet<String> =
        (0..23).map(|i| format!("{{\"n\":{i},\"of\":\"{place}\"}}")).collect();
    let mut messages: Vec<QueueMessage> =
        bodies.iter().map(|body| message(Queue::Match, body.clone(), 0)).collect();
    // Together more than one call may hold.
    let large: BTreeSet<String> = (0..3).map(|i| format!("{i}{}", "x".repeat(500 << 10))).collect();
    messages.extend(large.iter().map(|body| message(Queue::Match, body.clone(), 0)));
    messages.push(message(Queue::Match, "later".to_owned(), 2));
    queues.send(messages).await.unwrap();

    let mut expected = bodies;
    expected.extend(large);
    expected.insert("later".to_owned());
    let mut received = BTreeSet::new();
    for _ in 0..40 {
        for message in receive(Queue::Match).await {
            assert_eq!(message.group, "tenant-1");
            received.insert(message.body);
        }
        if received.len() == expected.len() {
            break;
        }
    }
    assert!(received == expected, "{} of {} messages", received.len(), expected.len());

    let depths = queues.depths().await.unwrap();
    assert!(depths.contains_key(&Queue::Match), "{depths:?}");
    assert_eq!(depths[&Queue::Match].dead, 0);
}
