//! The promises of the queues, in a time that the tests let pass.

use std::sync::Arc;

use shared::testing::contracts;
use tempfile::TempDir;

use super::*;

const VISIBILITY: Duration = Duration::from_secs(30);

fn queues() -> (LocalQueues, TempDir) {
    let folder = TempDir::new().unwrap();
    (LocalQueues::open(&folder.path().join("dead-letters.jsonl")).unwrap(), folder)
}

fn message(group: &str, body: &str) -> QueueMessage {
    QueueMessage {
        queue: Queue::Match,
        body: body.to_owned(),
        group: group.to_owned(),
        delay: Duration::ZERO,
    }
}

async fn receive(queues: &LocalQueues) -> Received {
    queues.receive(Queue::Match, VISIBILITY).await
}

/// A message that can be received within a second, if there is one.
async fn glance(queues: &LocalQueues) -> Option<Received> {
    tokio::time::timeout(Duration::from_secs(1), receive(queues)).await.ok()
}

#[tokio::test(start_paused = true)]
async fn they_keep_the_contract() {
    let (queues, _folder) = queues();
    contracts::queues(&queues, "q", async |queue| {
        let within = Duration::from_secs(3);
        let got = tokio::time::timeout(within, queues.receive(queue, VISIBILITY)).await;
        let got = got.into_iter().inspect(|received| queues.finish(&received.receipt));
        got.map(|got| contracts::Received { body: got.body, group: got.group }).collect()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_groups_backlog_holds_back_no_other_group() {
    let (queues, _folder) = queues();
    let backlog = (0..50_000).map(|n| message("large", &n.to_string())).collect();
    queues.send(backlog).await.unwrap();
    queues.send(vec![message("small", "waits for a person")]).await.unwrap();
    let first = [receive(&queues).await.group, receive(&queues).await.group];
    assert_eq!(first, ["large", "small"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_again_until_it_is_finished() {
    let (queues, _folder) = queues();
    queues.send(vec![message("t", "once")]).await.unwrap();
    let first = receive(&queues).await;
    assert_eq!(glance(&queues).await, None, "it is hidden");
    assert_eq!(queues.depth(Queue::Match).in_flight, 1);
    tokio::time::advance(VISIBILITY).await;
    let second = receive(&queues).await;
    assert_eq!(second.receives, 2);
    queues.finish(&first.receipt);
    queues.give_back(&second.receipt, Duration::from_secs(5));
    assert_eq!(glance(&queues).await, None, "it waits");
    tokio::time::advance(Duration::from_secs(5)).await;
    let third = receive(&queues).await;
    queues.finish(&third.receipt);
    tokio::time::advance(VISIBILITY * 2).await;
    assert_eq!(glance(&queues).await, None, "it is finished");
    assert_eq!(queues.depth(Queue::Match), Depth::default());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_too_often_is_a_dead_letter_that_outlives_the_process() {
    let (first, folder) = queues();
    first.send(vec![message("t", "bad"), message("t", "good")]).await.unwrap();
    let mut received = 0;
    while let Some(got) = glance(&first).await {
        if got.body == "bad" {
            received += 1;
            first.give_back(&got.receipt, Duration::ZERO);
        } else {
            first.finish(&got.receipt);
        }
    }
    assert_eq!(received, MOST_RECEIVES);
    assert_eq!(first.depth(Queue::Match), Depth { dead: 1, ..Depth::default() });
    drop(first);
    let path = folder.path().join("dead-letters.jsonl");
    // A kill in the midst of a write.
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"{\"queue\":\"mat").unwrap();
    let second = LocalQueues::open(&path).unwrap();
    assert_eq!(second.dead_letters(Queue::Match).len(), 1);
    assert_eq!(second.redrive(Queue::Import).unwrap(), 0);
    assert_eq!(second.redrive(Queue::Match).unwrap(), 1);
    let again = receive(&second).await;
    assert_eq!((again.body.as_str(), again.group.as_str(), again.receives), ("bad", "t", 1));
    assert_eq!(LocalQueues::open(&path).unwrap().dead_letters(Queue::Match), []);
}

#[tokio::test(start_paused = true)]
async fn everybody_who_waits_is_served() {
    let (queues, _folder) = queues();
    let received = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let (queues, received) = (queues.clone(), received.clone());
            tokio::spawn(async move {
                let got = receive(&queues).await;
                queues.finish(&got.receipt);
                received.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let messages: Vec<_> = (0..8).map(|n| message("t", &n.to_string())).collect();
    queues.send(messages).await.unwrap();
    for task in waiting {
        tokio::time::timeout(Duration::from_secs(10), task).await.unwrap().unwrap();
    }
    assert_eq!(received.load(std::sync::atomic::Ordering::Relaxed), 8);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_says_that_the_message_comes_later() {
    let (queues, _folder) = queues();
    let queues = LocalQueues { most: 2, ..queues };
    let messages = (0..3).map(|n| message("t", &n.to_string())).collect();
    let error = queues.send(messages).await.unwrap_err();
    assert_eq!(error.disposition, shared::ports::Disposition::Retry);
    assert_eq!(queues.depth(Queue::Match).visible, 2);
}
