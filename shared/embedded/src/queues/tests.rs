//! The promises of the queues, in a time that the tests let pass.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;
use shared::kernel::{DirectoryMessage, DirectoryVersionId};
use shared::store::{Next, Outbox};
use shared::testing::{Memory, contracts};
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
    assert_eq!(queues.depth(Queue::Match), QueueDepth::default());
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
    assert_eq!(first.depth(Queue::Match), QueueDepth { dead: 1, ..QueueDepth::default() });
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
    assert_eq!(queues.depth(Queue::Match).waiting, 2);
}

/// Receives a message and fails it until it is a dead letter. Gives how often it came.
async fn fail_for_good(queues: &LocalQueues, queue: Queue) -> u32 {
    let mut times = 0;
    loop {
        let next = queues.receive(queue, VISIBILITY);
        let Ok(got) = tokio::time::timeout(Duration::from_secs(1), next).await else {
            return times;
        };
        times += 1;
        queues.fail(&got.receipt, Duration::ZERO, format!("try {times}"));
    }
}

/// An outbox over queues of one machine, with everything else in memory.
fn outbox(memory: &Memory, queues: &LocalQueues) -> Outbox {
    Outbox::new(shared::ports::Ports { queues: Arc::new(queues.clone()), ..memory.ports() })
}

/// The queues as a process after this one has them: it knows the file only.
fn restarted(memory: &Memory, path: &Path) -> LocalQueues {
    LocalQueues::open(path).unwrap().with_clock(Arc::new(memory.clock.clone()))
}

#[tokio::test(start_paused = true)]
async fn a_message_that_always_fails_is_one_letter_whatever_restarts_and_ticks_come() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dead-letters.jsonl");
    let memory = Memory::new(jiff::Timestamp::from_second(1_795_288_123).unwrap(), 1);
    let mut queues = restarted(&memory, &path);
    let version = DirectoryVersionId::new(1, 1);
    let step = Next::now(DirectoryMessage::Count { version });
    assert!(outbox(&memory, &queues).commit(vec![], vec![step]).await.unwrap().is_done());
    assert_eq!(fail_for_good(&queues, Queue::Directory).await, MOST_RECEIVES);

    for _ in 0..3 {
        queues = restarted(&memory, &path);
        let is_dead = |due: &str| queues.is_dead(due);
        let outbox = outbox(&memory, &queues);
        assert_eq!(outbox.recover_but(&is_dead).await.unwrap(), 0, "a start gives no new tries");
        assert_eq!(outbox.tick().await.unwrap(), 0, "it rests");
        assert_eq!(queues.depth(Queue::Directory), QueueDepth { dead: 1, ..QueueDepth::default() });
    }
    // The tick brings it after its pause, as on AWS, and counts on.
    memory.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(outbox(&memory, &queues).tick().await.unwrap(), 1);
    assert_eq!(fail_for_good(&queues, Queue::Directory).await, MOST_RECEIVES);
    // Who opens the file would join what was written twice.
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    let letters = restarted(&memory, &path).all_dead_letters();
    let [letter] = &*letters else { panic!("{letters:?}") };
    assert_eq!((letter.tries, letter.failure.as_deref()), (2 * MOST_RECEIVES, Some("try 5")));
    assert_eq!(letter.at, Some(memory.clock.now()));

    // Once it succeeds, it is no dead letter any more.
    memory.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(outbox(&memory, &queues).tick().await.unwrap(), 1);
    let got = queues.receive(Queue::Directory, VISIBILITY).await;
    queues.finish(&got.receipt);
    assert_eq!(restarted(&memory, &path).all_dead_letters(), []);
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_is_redriven_is_no_letter_for_the_next_start() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dead-letters.jsonl");
    let memory = Memory::new(jiff::Timestamp::from_second(1_795_288_123).unwrap(), 1);
    let queues = restarted(&memory, &path);
    let step = |n| {
        let message = DirectoryMessage::Count { version: DirectoryVersionId::new(1, n) };
        Next::now(message)
    };
    let outbox_before = outbox(&memory, &queues);
    assert!(outbox_before.commit(vec![], vec![step(1), step(2)]).await.unwrap().is_done());
    assert_eq!(fail_for_good(&queues, Queue::Directory).await, 2 * MOST_RECEIVES);
    let letters = queues.all_dead_letters();
    assert_ne!(letters[0].id, letters[1].id);
    let chosen = letters[0].id.clone();
    assert_eq!(queues.redrive_chosen(|letter| letter.id == "none").unwrap(), 0);
    assert_eq!(queues.redrive_chosen(|letter| letter.id == chosen).unwrap(), 1);
    // Killed before it is received.
    let again = restarted(&memory, &path);
    assert_eq!(again.all_dead_letters(), [letters[1].clone()]);
    let is_dead = |due: &str| again.is_dead(due);
    assert_eq!(outbox(&memory, &again).recover_but(&is_dead).await.unwrap(), 1);
    let got = again.receive(Queue::Directory, VISIBILITY).await;
    assert_eq!(got.body, letters[0].body);
}

#[test]
fn letters_of_an_older_version_are_read_and_a_message_that_was_written_twice_is_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dead-letters.jsonl");
    let body = json!({ "v": 1, "due": "2026#x", "message": {} }).to_string();
    let further = json!({ "v": 1, "due": "2026#x", "hops": 3, "message": {} }).to_string();
    let line =
        |body: &str| json!({ "queue": "match", "body": body, "group": "t" }).to_string() + "\n";
    std::fs::write(&path, [line(&body), line("{}"), line(&further)].concat()).unwrap();
    let queues = LocalQueues::open(&path).unwrap();
    assert!(queues.is_dead("2026#x") && !queues.is_dead("2026#y"));
    let tries: Vec<_> = queues.all_dead_letters().iter().map(|letter| letter.tries).collect();
    assert_eq!(tries, [MOST_RECEIVES, 2 * MOST_RECEIVES]);
    assert_eq!(LocalQueues::open(&path).unwrap().all_dead_letters(), queues.all_dead_letters());
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
}

/// As many are in work as there are workers; each is sent once.
#[tokio::test(start_paused = true)]
async fn f10_ten_thousand_dead_letters_are_sent_again_once_and_hold_back_no_other_group() {
    const LETTERS: usize = 10_000;
    let (queues, _folder) = queues();
    let bad = (0..LETTERS).map(|n| message("broken", &n.to_string())).collect();
    queues.send(bad).await.unwrap();
    while let Some(got) = glance(&queues).await {
        queues.fail(&got.receipt, Duration::ZERO, "broken".to_owned());
    }
    assert_eq!(queues.dead_letters(Queue::Match).len(), LETTERS);
    assert_eq!(queues.redrive(Queue::Match).unwrap(), LETTERS);
    assert_eq!(queues.redrive(Queue::Match).unwrap(), 0, "none is left to send");
    queues.send(vec![message("small", "waits for a person")]).await.unwrap();
    let first = [receive(&queues).await, receive(&queues).await];
    assert!(first.iter().any(|got| got.group == "small"), "{first:?}");
    assert_eq!(queues.depth(Queue::Match).in_flight, 2, "no more than were asked for");
    let mut done = HashSet::new();
    for got in first {
        queues.finish(&got.receipt);
        done.insert(got.body);
    }
    while let Some(got) = glance(&queues).await {
        queues.finish(&got.receipt);
        assert!(done.insert(got.body), "it came twice");
    }
    assert_eq!(done.len(), LETTERS + 1);
    assert!(queues.dead_letters(Queue::Match).is_empty());
}

/// Eight workers take what there is, and never more than one message each.
#[tokio::test(start_paused = true)]
async fn f24_a_backlog_of_a_hundred_thousand_is_drained_by_eight_workers_each_message_once() {
    const BACKLOG: usize = 100_000;
    let (queues, _folder) = queues();
    let all = (0..BACKLOG).map(|n| message("t", &n.to_string())).collect();
    queues.send(all).await.unwrap();
    let worker = async || {
        let mut done = Vec::new();
        while let Some(got) = glance(&queues).await {
            assert!(queues.depth(Queue::Match).in_flight <= 8);
            tokio::task::yield_now().await;
            queues.finish(&got.receipt);
            done.push(got.body);
        }
        done
    };
    let done = futures::future::join_all((0..8).map(|_| worker())).await;
    assert!(done.iter().all(|bodies| !bodies.is_empty()), "all work");
    let bodies: HashSet<String> = done.into_iter().flatten().collect();
    assert_eq!(bodies.len(), BACKLOG);
    assert_eq!(queues.depth(Queue::Match), QueueDepth::default());
}
