//! From messages to the steps of a match run.

use shared::domain::Message;
use shared::lambda::{Error, SqsBatchResponse, SqsEvent, each_message};
use shared::store::Outbox;
use shared::usecases::{MatchRuns, Models, Score, Settle};
use shared::work::{Done, WorkError};

/// The steps of a match run, corrections, and the making of models.
pub(crate) struct Matching {
    pub(crate) runs: MatchRuns,
    pub(crate) score: Score,
    pub(crate) settle: Settle,
    pub(crate) models: Models,
}

impl Matching {
    async fn handle(&self, message: Message) -> Result<Done, WorkError> {
        match message {
            Message::Rematch { scope, run, trigger, step } => {
                self.runs.rematch(scope, run, trigger, step).await
            }
            Message::MatchBatch { scope, run, batch, entity_kind, shard } => {
                self.score.batch(scope, run, batch, entity_kind, shard).await
            }
            Message::Settle { scope, run, batch } => self.settle.batch(scope, run, batch).await,
            Message::Correct { scope, object, record } => {
                self.settle.correct(scope, object, &record).await
            }
            Message::TuneModel { scope, model, step } => self.models.step(scope, model, step).await,
            _ => Err(WorkError::reject("match", "a message of another function")),
        }
    }
}

pub(crate) async fn handle(
    event: SqsEvent,
    outbox: &Outbox,
    matching: &Matching,
) -> Result<SqsBatchResponse, Error> {
    Ok(each_message(event, outbox, |message| matching.handle(message)).await)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use shared::lambda::MappedFiles;
    use shared::matching::MatchModel;
    use shared::testing::Memory;
    use shared::usecases::Custody;

    use super::*;

    fn matching(memory: &Memory) -> Matching {
        let ports = memory.ports();
        let custody = Custody::new(ports.clone(), "test/".to_owned());
        let shipped = Arc::new(MatchModel::shipped().clone());
        let models = Models::new(ports.clone(), custody.clone(), shipped);
        let files = Arc::new(MappedFiles::new(&ports, std::env::temp_dir(), 1));
        Matching {
            runs: MatchRuns::new(ports.clone(), custody.clone()),
            score: Score::new(ports.clone(), custody.clone(), files, models.clone()),
            settle: Settle::new(ports, custody, models.clone()),
            models,
        }
    }

    async fn failures(event: &str) -> usize {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let outbox = Outbox::new(memory.ports());
        let event = serde_json::from_str(event).unwrap();
        let response = handle(event, &outbox, &matching(&memory)).await.unwrap();
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
