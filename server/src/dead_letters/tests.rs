//! A start over dead letters: they get no new tries by it.

use std::sync::Arc;
use std::time::Duration;

use shared::kernel::{DirectoryMessage, DirectoryVersionId};
use shared::store::{Next, Outbox};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::*;
use crate::Running;
use crate::config::Overrides;
use crate::events::Sinks;
use crate::stores::Stores;

/// A step whose message failed too often, as a process left it.
async fn leave_a_dead_letter(config: &Config) {
    let stores = Stores::open(config, "http://127.0.0.1".to_owned()).await.unwrap();
    let outbox =
        Outbox::new(stores.ports(Arc::new(Sinks::open(&config.events, None).await.unwrap())));
    let version = DirectoryVersionId::new(1, 1);
    let step = Next::now(DirectoryMessage::Count { version });
    assert!(outbox.commit(vec![], vec![step]).await.unwrap().is_done());
    let visibility = Duration::from_secs(30);
    loop {
        let next = stores.queues.receive(Queue::Directory, visibility);
        let Ok(got) = timeout(Duration::from_millis(200), next).await else { return };
        stores.queues.fail(&got.receipt, Duration::ZERO, "broken".to_owned());
    }
}

async fn started(config: &Config) -> Running {
    let running = Running::start(config).await.unwrap();
    let ready = format!("http://{}/health/ready", running.address());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..1_000 {
        if client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            // What a start sends is worked on within milliseconds.
            sleep(Duration::from_millis(500)).await;
            return running;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("it does not get ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_gives_a_dead_letter_no_new_tries_and_its_keeper_does() {
    let folder = TempDir::new().unwrap();
    let listen = Some("127.0.0.1:0".parse().unwrap());
    let data = Some(folder.path().to_owned());
    let config = Config::read(None, Overrides { data, listen }).unwrap();
    leave_a_dead_letter(&config).await;
    let left = list(&config).await.unwrap();
    assert_eq!((left.len(), left[0].tries, left[0].failure.as_deref()), (1, 5, Some("broken")));
    for _ in 0..2 {
        let running = started(&config).await;
        assert_eq!(list(&config).await.unwrap(), left, "its work would be done by now");
        running.stop().await;
    }
    assert!(redrive(&config, &Chosen::All).await.is_err(), "nobody works");
    let running = started(&config).await;
    assert_eq!(redrive(&config, &Chosen::All).await.unwrap(), 1);
    assert_eq!(list(&config).await.unwrap(), []);
    running.stop().await;
}
