//! Making batches of probes, and the messages that have them scored.

use std::ops::Range;

use matching::EntityKind;

use super::keys::batch_object;
use super::match_runs::{MatchRuns, kept_until};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::directory::DirectoryVersion;
use crate::capabilities::linking::{Batch, MatchRun, ProbeEntry, entity_kind_of};
use crate::kernel::{MatchMessage, MatchRunId, SObject, Scope};
use crate::store::{Commit, Draft, When};
use crate::work::{Done, WorkError};

/// How many probes a batch holds: few enough to be scored and settled well within a timeout.
const BATCH: usize = 500;

/// How many batches one planning step makes: their items and messages share one transaction.
const BATCHES_PER_STEP: usize = 8;

/// How many probes one planning step takes, be it of a re-match or of an import's hand-over.
pub(crate) const PROBES_PER_STEP: usize = BATCH * BATCHES_PER_STEP;

/// A batch has its messages in the transaction that makes it while the directory has no more shards
/// than this. Beyond, steps of its own spread it: a transaction holds a hundred items, however
/// large the directory is.
const FEW_SHARDS: u32 = 8;

/// How many shards one such step calls for. With the next step they are one transaction.
const SPREAD: u32 = 90;

impl MatchRuns {
    /// Adds batches of `probes` to a run that is being planned. Stores their objects, and adds
    /// their items and messages to the caller's commit.
    pub(crate) async fn batches(
        &self,
        generation: &OpenGeneration,
        run: &mut MatchRun,
        directory: &DirectoryVersion,
        object: SObject,
        probes: &[ProbeEntry],
        commit: &mut Commit,
    ) -> Result<(), WorkError> {
        let scope = generation.keys.scope();
        let Some(entity_kind) = entity_kind_of(object) else { return Ok(()) };
        let shards = directory.shards(entity_kind);
        let mut files = Vec::new();
        for (number, chunk) in (run.batches..).zip(probes.chunks(BATCH)) {
            let plain = serde_json::to_vec(chunk)
                .map_err(|error| WorkError::reject("write a batch", error))?;
            files.push((batch_object(scope, run.id, number), plain));
        }
        self.put_all(generation, files).await?;
        for chunk in probes.chunks(BATCH) {
            let number = run.batches;
            let records = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let batch = Batch { number, object, records, shards_left: shards, settled: false };
            let slot = generation.keys.batch(run.id, number);
            let made = Draft::new(&slot, &batch)?.when(When::absent());
            commit.write(made.until(kept_until(self.ports.clock.now())))?;
            let (id, batch) = (run.id, number);
            match shards {
                0 => {
                    commit.now(MatchMessage::Settle { scope, run: id, batch });
                }
                1..=FEW_SHARDS => {
                    call_for(commit, (scope, id, batch), entity_kind, 0..shards);
                }
                _ => {
                    let spread =
                        MatchMessage::Spread { scope, run: id, batch, entity_kind, from: 0 };
                    commit.now(spread);
                }
            }
            run.batches += 1;
            run.records += chunk.len() as u64;
        }
        Ok(())
    }

    /// Has a batch scored against some shards, from this one on, and calls for the rest. A second
    /// delivery has them scored again, and a batch counts each shard once.
    pub(super) async fn spread(
        &self,
        scope: Scope,
        run: MatchRunId,
        batch: u32,
        entity_kind: EntityKind,
        from: u32,
    ) -> Result<Done, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let unscored = self.store.read(&generation.keys.batch(run, batch)).await?;
        if unscored.is_none_or(|batch| batch.shards_left == 0) {
            return Ok(Done::Finished);
        }
        let Some(stored) = self.store.read(&generation.keys.match_run(run)).await? else {
            return Ok(Done::Finished);
        };
        let Some(version) = self.version(stored.directory).await? else {
            return Err(WorkError::reject("spread a batch", "the run's directory version is gone"));
        };
        let shards = version.shards(entity_kind);
        let next = from.saturating_add(SPREAD).min(shards);
        let mut commit = Commit::new();
        call_for(&mut commit, (scope, run, batch), entity_kind, from..next);
        if next < shards {
            commit.now(MatchMessage::Spread { scope, run, batch, entity_kind, from: next });
        }
        if !commit.is_empty() {
            self.store.commit(commit).await?.may_lose_to("nobody: the steps have no condition");
        }
        Ok(Done::Finished)
    }
}

/// Adds the messages that have a batch scored against these shards.
fn call_for(
    commit: &mut Commit,
    (scope, run, batch): (Scope, MatchRunId, u32),
    entity_kind: EntityKind,
    shards: Range<u32>,
) {
    for shard in shards {
        commit.now(MatchMessage::Batch { scope, run, batch, entity_kind, shard });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::MOST_WRITES;

    /// The run, the import's step and what leads on from them.
    const BESIDE: usize = 10;

    #[test]
    fn a_step_that_makes_batches_or_spreads_one_is_one_transaction() {
        let of_a_batch = 1 + FEW_SHARDS as usize;
        assert!(BATCHES_PER_STEP * of_a_batch + BESIDE <= MOST_WRITES);
        assert!((SPREAD as usize) < MOST_WRITES);
    }
}
