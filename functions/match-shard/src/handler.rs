//! From messages to the steps of match runs and of exports.

use shared::capabilities::exporting::ExportSteps;
use shared::capabilities::linking::MatchSteps;
use shared::kernel::MatchShardMessage;
use shared::lambda::{Error, SqsBatchResponse, SqsEvent, each_message};
use shared::store::Outbox;

pub(crate) async fn handle(
    event: SqsEvent,
    outbox: &Outbox,
    (steps, exports): (&MatchSteps, &ExportSteps),
) -> Result<SqsBatchResponse, Error> {
    let handle = async |message| match message {
        MatchShardMessage::Match(message) => steps.handle(message).await,
        MatchShardMessage::Export(message) => exports.handle(message).await,
    };
    Ok(each_message(event, outbox, handle).await)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use shared::lambda::MappedFiles;
    use shared::testing::{Memory, product};

    use super::*;

    fn steps(memory: &Memory) -> (MatchSteps, ExportSteps) {
        let product = product(memory.ports(), "test/");
        let files = MappedFiles::new(product.ports(), std::env::temp_dir(), 1);
        (product.match_steps(Arc::new(files)).unwrap(), product.export_steps())
    }

    async fn failures(event: &str) -> usize {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let outbox = Outbox::new(memory.ports());
        let event = serde_json::from_str(event).unwrap();
        let (steps, exports) = steps(&memory);
        let response = handle(event, &outbox, (&steps, &exports)).await.unwrap();
        response.batch_item_failures.len()
    }

    #[tokio::test]
    async fn a_message_of_a_connection_that_is_gone_is_finished() {
        assert_eq!(failures(include_str!("../../../events/match-shard.match.json")).await, 0);
    }

    #[tokio::test]
    async fn a_message_of_another_function_comes_back() {
        assert_eq!(failures(include_str!("../../../events/auto-save.auto-save.json")).await, 1);
    }
}
