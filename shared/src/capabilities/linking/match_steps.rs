//! Which use case does which message of the match queue.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::capabilities::custody::Custody;
use crate::capabilities::directory::ShardFiles;
use crate::capabilities::linking::match_runs::MatchRuns;
use crate::capabilities::linking::models::Models;
use crate::capabilities::linking::rules::ChangeMatchRules;
use crate::capabilities::linking::score::Score;
use crate::capabilities::linking::settle::Settle;
use crate::kernel::MatchMessage;
use crate::ports::Ports;
use crate::work::{Done, WorkError, boxed};

/// The steps of match runs, corrections, and the making of models.
#[derive(Clone)]
pub struct MatchSteps {
    runs: MatchRuns,
    score: Score,
    settle: Settle,
    models: Models,
    rules: ChangeMatchRules,
}

impl MatchSteps {
    /// The steps over these ports, scoring with `models` against the shards in `files`.
    #[must_use]
    pub fn new(
        ports: &Ports,
        custody: &Custody,
        files: Arc<dyn ShardFiles>,
        models: Models,
    ) -> Self {
        Self {
            runs: MatchRuns::new(ports.clone(), custody.clone()),
            score: Score::new(ports.clone(), custody.clone(), files, models.clone()),
            settle: Settle::new(ports.clone(), custody.clone(), models.clone()),
            rules: ChangeMatchRules::new(ports.clone(), custody.clone(), models.clone()),
            models,
        }
    }

    /// The same, with a lease of another length for settling. A settlement that is killed keeps the
    /// others waiting for as long.
    #[must_use]
    pub fn with_settle_lease(self, lease: SignedDuration) -> Self {
        Self { settle: self.settle.with_lease(lease), ..self }
    }

    /// Does one message's work.
    ///
    /// # Errors
    /// When the step fails; the error says whether to try again.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, message: MatchMessage) -> Result<Done, WorkError> {
        match message {
            MatchMessage::Rematch { scope, run, trigger, step } => {
                self.runs.rematch(scope, run, trigger, step).await
            }
            MatchMessage::Batch { scope, run, batch, entity_kind, shard } => {
                self.score.batch(scope, run, batch, entity_kind, shard).await
            }
            MatchMessage::Spread { scope, run, batch, entity_kind, from } => {
                self.runs.spread(scope, run, batch, entity_kind, from).await
            }
            MatchMessage::Settle { scope, run, batch } => {
                self.settle.batch(scope, run, batch).await
            }
            MatchMessage::Clear { scope, run } => self.runs.clear(scope, run).await,
            MatchMessage::Correct { scope, object, record } => {
                self.settle.correct(scope, object, record).await
            }
            MatchMessage::TryRules { scope, trial, step } => {
                self.rules.step(scope, trial, step).await
            }
            MatchMessage::TuneModel { scope, model, step } => {
                self.models.step(scope, model, step).await
            }
        }
    }
}
