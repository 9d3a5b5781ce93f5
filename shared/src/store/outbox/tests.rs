//! The tick, past backlogs and faults.

use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::kernel::{
    DirectoryMessage, DirectoryVersionId, Environment, Generation, ImportMessage, ImportRunId,
    ImportTrigger, TenantId,
};
use crate::ports::{Condition, Item, Page, Range, Table};
use crate::testing::Memory;

fn memory() -> Memory {
    Memory::new("2026-11-22T09:00:00Z".parse().unwrap(), 1)
}

/// A queue that holds next hour's import never looks at rest.
#[tokio::test]
async fn a_later_step_is_left_to_the_tick_and_a_near_one_waits_in_its_queue() {
    let memory = memory();
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

/// A kill costs no grace, and no step comes before its turn.
#[tokio::test]
async fn what_empty_queues_lost_is_sent_again_for_its_turn() {
    let memory = memory();
    let outbox = Outbox::new(memory.ports());
    for (n, seconds) in [(1, 0), (2, 60), (3, 240)] {
        let message = DirectoryMessage::Count { version: DirectoryVersionId::new(1, n) };
        let next = Next::after(Duration::from_secs(seconds), message);
        assert!(outbox.commit(vec![], vec![next]).await.unwrap().is_done());
    }
    memory.lose_messages();
    memory.clock.advance(SignedDuration::from_secs(10));
    assert_eq!(outbox.recover().await.unwrap(), 2, "no queue was given the third");
    assert_eq!(memory.receive().len(), 1);
    let second = "2026-11-22T09:01:00Z".parse().unwrap();
    assert_eq!(memory.next_visible(), Some(second), "not before its turn");
    assert_eq!(outbox.tick().await.unwrap(), 0, "what was recovered rests");
    memory.clock.advance(SignedDuration::from_secs(230));
    assert_eq!(outbox.tick().await.unwrap(), 1, "the third, at its own time");
}

#[tokio::test]
async fn what_was_put_off_or_sent_by_the_tick_is_recovered_too() {
    let memory = memory();
    let outbox = Outbox::new(memory.ports());
    let next = Next::now(DirectoryMessage::Count { version: DirectoryVersionId::new(1, 1) });
    assert!(outbox.commit(vec![], vec![next]).await.unwrap().is_done());
    let sent = memory.receive().pop().unwrap();
    let envelope = Envelope::<Message>::parse(&sent.body).unwrap();
    outbox.put_off(envelope.clone(), Duration::from_mins(10)).await.unwrap();
    memory.lose_messages();
    assert_eq!(outbox.recover().await.unwrap(), 1);
    let turn = "2026-11-22T09:10:00Z".parse().unwrap();
    assert_eq!(memory.next_visible(), Some(turn), "it waits as long as it was put off");

    memory.lose_messages();
    memory.clock.advance(SignedDuration::from_mins(16));
    assert_eq!(outbox.tick().await.unwrap(), 1);
    memory.lose_messages();
    assert_eq!(outbox.recover().await.unwrap(), 1, "the tick gave it to a queue");
    assert_eq!(memory.receive().len(), 1);
    outbox.finish(&envelope).await.unwrap();
    assert_eq!(outbox.recover().await.unwrap(), 0, "it is done");
}

fn start(tenant: TenantId) -> Next {
    let scope = Scope { tenant, environment: Environment::Production, generation: Generation(1) };
    let run = ImportRunId::derived(&tenant.to_string());
    Next::now(ImportMessage::Start { scope, run, trigger: ImportTrigger::Scheduled })
}

#[tokio::test]
async fn one_tenants_backlog_delays_no_others_step() {
    let memory = memory();
    let outbox = Outbox::new(memory.ports());
    let stuck = TenantId::derived("stuck");
    let beside = |tenant: &TenantId| {
        keys::due_partition(&tenant.to_string()) == keys::due_partition(&stuck.to_string())
    };
    let other = (0..10_000).map(|n| TenantId::derived(&format!("other {n}"))).find(beside).unwrap();
    for _ in 0..10_000 {
        assert!(outbox.commit(vec![], vec![start(stuck)]).await.unwrap().is_done());
    }
    memory.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(outbox.tick().await.unwrap(), 10_000, "once each, and none is finished");
    assert!(outbox.commit(vec![], vec![start(other)]).await.unwrap().is_done());
    memory.lose_messages();
    memory.clock.advance(SignedDuration::from_secs(301));
    outbox.tick().await.unwrap();
    let groups: Vec<String> = memory.receive().into_iter().map(|sent| sent.group).collect();
    assert!(groups.contains(&other.to_string()), "{} others were sent", groups.len());
}

#[tokio::test]
async fn a_due_item_of_an_unknown_form_holds_back_no_other() {
    let memory = memory();
    let outbox = Outbox::new(memory.ports());
    let known = start(TenantId::derived("acme"));
    assert!(outbox.commit(vec![], vec![known]).await.unwrap().is_done());
    memory.lose_messages();
    for partition in 0..keys::DUE_PARTITIONS {
        let key = Key::new(keys::due_partition_at(partition), "2026-11-22T08:00:00Z#a#b".into());
        let doc = serde_json::json!({"message": {"kind": "of tomorrow"}, "sent_at": 0});
        let doc = doc.as_object().unwrap().clone();
        let item = Item { key, doc, body: None, expires_at: None };
        let write = Write::Put { item, when: Condition::Always };
        assert!(memory.ports().table.write(write).await.unwrap().is_done());
    }
    memory.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(outbox.tick().await.unwrap(), 1);
    assert_eq!(memory.receive().len(), 1);
    assert_eq!(memory.items().len(), 17, "nothing is lost");
}

#[tokio::test]
async fn a_partition_that_cannot_be_read_holds_back_no_other() {
    let memory = memory();
    let outbox = Outbox::new(memory.ports());
    let tenants: Vec<TenantId> =
        (0..40).map(|n| TenantId::derived(&format!("tenant {n}"))).collect();
    for tenant in &tenants {
        assert!(outbox.commit(vec![], vec![start(*tenant)]).await.unwrap().is_done());
    }
    memory.lose_messages();
    memory.clock.advance(SignedDuration::from_mins(6));
    let table = Arc::new(Unreadable(memory.ports().table, keys::due_partition_at(0)));
    let guarded = Outbox::new(Ports { table, ..memory.ports() });
    assert!(guarded.tick().await.is_err(), "told");
    let owners = tenants.iter().map(|tenant| keys::due_partition(&tenant.to_string()));
    let lost = owners.filter(|partition| *partition == keys::due_partition_at(0)).count();
    assert_eq!(memory.receive().len(), tenants.len() - lost);
}

#[tokio::test]
async fn a_tick_tells_how_late_the_latest_step_of_each_queue_was() {
    let memory = memory();
    let outbox = Outbox::new(memory.ports());
    let tenant = TenantId::derived("acme");
    assert!(outbox.commit(vec![], vec![start(tenant)]).await.unwrap().is_done());
    memory.lose_messages();
    memory.clock.advance(SignedDuration::from_mins(3));
    assert_eq!(outbox.measured_tick().await.unwrap(), Tick::default(), "it rests");
    memory.clock.advance(SignedDuration::from_mins(57));
    let ticked = outbox.measured_tick().await.unwrap();
    // Lost an hour ago; for the grace of five minutes it might have been in work.
    let late = [(Queue::Import, SignedDuration::from_mins(55))];
    assert_eq!(ticked, Tick { sent: 1, late: late.into() });
    let again = outbox.measured_tick().await.unwrap();
    assert_eq!(again, Tick { sent: 0, late: late.into() }, "it was sent and is not done");
    for message in memory.receive() {
        outbox.finish(&Envelope::parse(&message.body).unwrap()).await.unwrap();
    }
    assert_eq!(outbox.measured_tick().await.unwrap(), Tick::default(), "it is done");
}

/// A table of which one partition cannot be queried.
struct Unreadable(Arc<dyn Table>, String);

#[async_trait]
impl Table for Unreadable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError> {
        self.0.get_many(keys).await
    }

    async fn query(
        &self,
        pk: &str,
        range: &Range,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, PortError> {
        if pk == self.1 {
            return Err(PortError::retry("query items", "throttled"));
        }
        self.0.query(pk, range, after, limit).await
    }

    async fn write(&self, write: Write) -> Result<Outcome, PortError> {
        self.0.write(write).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
        self.0.transact(writes).await
    }

    async fn put_many(&self, items: Vec<Item>) -> Result<(), PortError> {
        self.0.put_many(items).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<(), PortError> {
        self.0.delete_many(keys).await
    }
}
