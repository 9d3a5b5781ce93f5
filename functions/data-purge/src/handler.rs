//! From messages to steps of a purge.

use shared::capabilities::leaving::PurgeSteps;
use shared::lambda::{Error, SqsBatchResponse, SqsEvent, each_message};
use shared::store::Outbox;

pub(crate) async fn handle(
    event: SqsEvent,
    outbox: &Outbox,
    steps: &PurgeSteps,
) -> Result<SqsBatchResponse, Error> {
    Ok(each_message(event, outbox, |message| steps.handle(message)).await)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::testing::{Memory, product};

    use super::*;

    #[tokio::test]
    async fn a_message_of_a_purge_that_is_not_known_is_finished() {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let product = product(memory.ports(), "test/");
        let event = include_str!("../../../events/data-purge.purge.json");
        let event = serde_json::from_str(event).unwrap();
        let response = handle(event, &product.outbox(), &product.purge_steps()).await.unwrap();
        assert!(response.batch_item_failures.is_empty());
        assert!(memory.receive().is_empty());
    }
}
