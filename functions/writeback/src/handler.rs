//! From messages to what is written.

use shared::capabilities::changing::Writes;
use shared::lambda::{Error, SqsBatchResponse, SqsEvent, each_message};
use shared::store::Outbox;

pub(crate) async fn handle(
    event: SqsEvent,
    outbox: &Outbox,
    writes: &Writes,
) -> Result<SqsBatchResponse, Error> {
    Ok(each_message(event, outbox, |message| writes.handle(message)).await)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::testing::{Memory, product};

    use super::*;

    #[tokio::test]
    async fn a_message_of_a_connection_that_is_gone_is_finished() {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let product = product(memory.ports(), "test/");
        let writes = product.writes("Product".to_owned());
        let event = include_str!("../../../events/writeback.writeback.json");
        let event = serde_json::from_str(event).unwrap();
        let response = handle(event, &product.outbox(), &writes).await.unwrap();
        assert!(response.batch_item_failures.is_empty());
        assert!(memory.receive().is_empty());
    }
}
