//! From messages to events.

use shared::capabilities::telling::Telling;
use shared::lambda::{Error, SqsBatchResponse, SqsEvent, each_message};
use shared::store::Outbox;

pub(crate) async fn handle(
    event: SqsEvent,
    outbox: &Outbox,
    telling: &Telling,
) -> Result<SqsBatchResponse, Error> {
    Ok(each_message(event, outbox, |message| telling.handle(message)).await)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::kernel::Occurrence;
    use shared::testing::{Memory, product};

    use super::*;

    #[tokio::test]
    async fn an_event_is_put_on_the_bus() {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let product = product(memory.ports(), "test/");
        let event = include_str!("../../../events/telling.publish.json");
        let event = serde_json::from_str(event).unwrap();
        let response = handle(event, &product.outbox(), &product.telling()).await.unwrap();
        assert!(response.batch_item_failures.is_empty());
        let told: Vec<_> = memory.events().into_iter().map(|event| event.occurrence).collect();
        assert_eq!(told, [Occurrence::Purged]);
    }
}
