//! From the schedule to what is due, and from messages to steps of an import.

use shared::capabilities::importing::Import;
use shared::lambda::{Error, SqsBatchResponse, Trigger, each_message, tick};
use shared::ports::Clock;
use shared::store::Outbox;

pub(crate) async fn handle(
    trigger: Trigger,
    outbox: &Outbox,
    import: &Import,
    clock: &dyn Clock,
) -> Result<SqsBatchResponse, Error> {
    match trigger {
        Trigger::Tick(_) => tick(outbox, clock).await.map(|_| SqsBatchResponse::default()),
        Trigger::Messages(event) => {
            Ok(each_message(event, outbox, |message| import.handle(message)).await)
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use shared::kernel::{DirectoryMessage, DirectoryVersionId, Queue};
    use shared::store::Next;
    use shared::testing::{Memory, product};

    use super::*;

    fn memory() -> Memory {
        Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1)
    }

    fn import(memory: &Memory) -> Import {
        product(memory.ports(), "test/").import()
    }

    #[tokio::test]
    async fn the_tick_sends_what_was_lost() {
        let memory = memory();
        let outbox = Outbox::new(memory.ports());
        let message = DirectoryMessage::Count { version: DirectoryVersionId::new(1, 1) };
        assert!(outbox.commit(vec![], vec![Next::now(message)]).await.unwrap().is_done());
        memory.lose_messages();
        memory.clock.advance(SignedDuration::from_mins(5));
        let event = include_str!("../../../events/bulk-import.tick.json");
        let trigger = serde_json::from_str(event).unwrap();
        let response = handle(trigger, &outbox, &import(&memory), &memory.clock).await.unwrap();
        assert!(response.batch_item_failures.is_empty());
        let queues: Vec<Queue> = memory.receive().into_iter().map(|sent| sent.queue).collect();
        assert_eq!(queues, [Queue::Directory]);
    }

    #[tokio::test]
    async fn a_message_of_a_connection_that_is_gone_is_finished() {
        let memory = memory();
        let outbox = Outbox::new(memory.ports());
        let event = include_str!("../../../events/bulk-import.import.json");
        let trigger = serde_json::from_str(event).unwrap();
        let response = handle(trigger, &outbox, &import(&memory), &memory.clock).await.unwrap();
        assert!(response.batch_item_failures.is_empty());
        assert!(memory.receive().is_empty());
    }
}
