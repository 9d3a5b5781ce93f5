//! Making batches of probes, and the messages that have them scored.

use super::keys::batch_object;
use super::match_runs::{MatchRuns, kept_until};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::directory::DirectoryVersion;
use crate::capabilities::linking::{Batch, MatchRun, ProbeEntry, entity_kind_of};
use crate::kernel::{MatchMessage, SObject};
use crate::store::{Commit, Draft, When};
use crate::work::WorkError;

/// How many probes a batch holds: few enough to be scored and settled well within a timeout.
pub(super) const BATCH: usize = 500;

impl MatchRuns {
    /// Adds batches of `probes` to a run that is being planned. Stores their objects, and adds
    /// their items and messages to the caller's commit.
    pub(crate) async fn batches(
        &self,
        generation: &OpenGeneration,
        run: &mut MatchRun,
        directory: &DirectoryVersion,
        object: SObject,
        probes: Vec<ProbeEntry>,
        commit: &mut Commit,
    ) -> Result<(), WorkError> {
        let scope = generation.keys.scope();
        let Some(entity_kind) = entity_kind_of(object) else { return Ok(()) };
        let shards = directory.shards(entity_kind);
        for chunk in probes.chunks(BATCH) {
            let number = run.batches;
            let plain = serde_json::to_vec(chunk)
                .map_err(|error| WorkError::reject("write a batch", error))?;
            generation
                .put_object(&self.ports, &batch_object(scope, run.id, number), &plain)
                .await?;
            let records = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let batch = Batch { number, object, records, shards_left: shards, settled: false };
            let slot = generation.keys.batch(run.id, number);
            let made = Draft::new(&slot, &batch)?.when(When::absent());
            commit.write(made.until(kept_until(self.ports.clock.now())))?;
            for shard in 0..shards {
                let (run, batch) = (run.id, number);
                commit.now(MatchMessage::Batch { scope, run, batch, entity_kind, shard });
            }
            if shards == 0 {
                commit.now(MatchMessage::Settle { scope, run: run.id, batch: number });
            }
            run.batches += 1;
            run.records += chunk.len() as u64;
        }
        Ok(())
    }
}
