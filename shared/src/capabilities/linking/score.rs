//! Scoring one batch of probes against one shard.

use std::sync::Arc;

use matching::{Candidate, EntityKind, Evidence, MatchModel, Probe, Scorer, Shard, Statistics};

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::directory::{DirectoryVersion, ShardFiles};
use crate::capabilities::linking::keys::{batch_object, scored_object};
use crate::capabilities::linking::match_runs::{MatchRuns, kept_until};
use crate::capabilities::linking::models::Models;
use crate::capabilities::linking::{KEPT_CANDIDATES, ProbeEntry, ScoredCandidate, ScoredEntry};
use crate::kernel::{MatchMessage, MatchRunId, Scope};
use crate::ports::Ports;
use crate::store::{Attempt, Commit, Draft, Marker, Store, When, attempts};
use crate::work::{Done, WorkError};

/// Scores batches.
#[derive(Clone)]
pub(super) struct Score {
    ports: Ports,
    custody: Custody,
    runs: MatchRuns,
    files: Arc<dyn ShardFiles>,
    models: Models,
    store: Store,
}

impl Score {
    /// Scoring with `models` against the shards in `files`.
    #[must_use]
    pub(super) fn new(
        ports: Ports,
        custody: Custody,
        files: Arc<dyn ShardFiles>,
        models: Models,
    ) -> Self {
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let store = Store::new(ports.clone());
        Self { ports, custody, runs, files, models, store }
    }

    /// Scores one batch against one shard, and has the batch settled when this was the last one.
    pub(super) async fn batch(
        &self,
        scope: Scope,
        run_id: MatchRunId,
        batch: u32,
        kind: EntityKind,
        shard: u32,
    ) -> Result<Done, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        if self.store.read(&generation.keys.scored(run_id, batch, shard)).await?.is_some() {
            return Ok(Done::Finished);
        }
        let Some(run) = self.store.read(&generation.keys.match_run(run_id)).await? else {
            return Ok(Done::Finished);
        };
        let Some(version) = self.runs.version(run.directory).await? else {
            return Err(WorkError::reject("score a batch", "the run's directory version is gone"));
        };
        let model = self.models.chosen(&generation, run.model).await?;
        let object = batch_object(scope, run_id, batch);
        let Some(plain) = generation.get_object(&self.ports, &object).await? else {
            // Settling finds that there are no candidates, and calls for a re-match.
            tracing::error!(run.id = %run_id, batch, "a batch's probes are gone");
            self.count_scored(&generation, run_id, batch, shard).await?;
            return Ok(Done::Finished);
        };
        let probes: Vec<ProbeEntry> = serde_json::from_slice(&plain)
            .map_err(|error| WorkError::reject("read a batch", error))?;
        let scored = self.scored(&model, &version, kind, shard, probes).await?;
        let plain = serde_json::to_vec(&scored)
            .map_err(|error| WorkError::reject("write candidates", error))?;
        let object = scored_object(scope, run_id, batch, shard);
        generation.put_object(&self.ports, &object, &plain).await?;
        self.count_scored(&generation, run_id, batch, shard).await?;
        Ok(Done::Finished)
    }

    /// The candidates of these probes in a shard of a version. The log tells how long it took, and
    /// how long the files took: a warm sandbox fetches and checks nothing twice.
    async fn scored(
        &self,
        model: &MatchModel,
        version: &DirectoryVersion,
        kind: EntityKind,
        shard: u32,
        probes: Vec<ProbeEntry>,
    ) -> Result<Vec<ScoredEntry>, WorkError> {
        let begun = self.ports.clock.now();
        let keys = [version.statistics_key(), version.shard_key(kind, shard)];
        let statistics = self.files.file(&keys[0]).await?;
        let file = self.files.file(&keys[1]).await?;
        let (opened_statistics, opened_shard) =
            match (statistics.file.statistics(), file.file.shard()) {
                (Ok(statistics), Ok(shard)) => (statistics, shard),
                (Err(error), _) => {
                    self.files.forget(&keys[0]).await;
                    return Err(error);
                }
                (_, Err(error)) => {
                    self.files.forget(&keys[1]).await;
                    return Err(error);
                }
            };
        let open = self.ports.clock.now();
        let scored = score(model, opened_statistics, &opened_shard, probes);
        let ended = self.ports.clock.now();
        let fetched = statistics.fetched + file.fetched;
        tracing::info!(
            shard.id = %keys[1],
            cold = fetched > 0,
            bytes_fetched = fetched,
            open_ms = open.as_millisecond() - begun.as_millisecond(),
            score_ms = ended.as_millisecond() - open.as_millisecond(),
            records.count = scored.len(),
            candidates.count = scored.iter().map(|entry| entry.candidates.len()).sum::<usize>(),
            "scored a batch"
        );
        Ok(scored)
    }

    /// Counts the batch as scored against the shard, and has it settled when that was the last one.
    ///
    /// A marker and the count are written together, so a second delivery counts nothing twice.
    async fn count_scored(
        &self,
        generation: &OpenGeneration,
        run: MatchRunId,
        number: u32,
        shard: u32,
    ) -> Result<(), WorkError> {
        let scope = generation.keys.scope();
        let slot = generation.keys.batch(run, number);
        let marker = generation.keys.scored(run, number, shard);
        attempts(|| async {
            let Some(before) = self.store.load(&slot).await? else { return Ok(Attempt::Done(())) };
            let batch = before.scored_once_more();
            let mut commit = Commit::new();
            let until = kept_until(self.ports.clock.now());
            let done = Draft::new(&marker, &Marker {})?.when(When::absent());
            commit.write(done.until(until))?.write(Draft::after(&before, &batch)?.until(until))?;
            if batch.shards_left == 0 {
                commit.now(MatchMessage::Settle { scope, run, batch: number });
            }
            let is_counted = self.store.commit(commit).await?.is_done()
                || self.store.read(&marker).await?.is_some();
            Ok(if is_counted { Attempt::Done(()) } else { Attempt::Overtaken })
        })
        .await
    }
}

/// Scores probes against a shard.
fn score(
    model: &MatchModel,
    statistics: &Statistics,
    shard: &Shard<'_>,
    probes: Vec<ProbeEntry>,
) -> Vec<ScoredEntry> {
    let scorer = Scorer::new(model, statistics);
    let candidates = |probe: &Probe| {
        let raw = scorer.raw_candidates(shard, probe, KEPT_CANDIDATES).into_iter();
        raw.map(|raw| ScoredCandidate {
            candidate: Candidate {
                entity_id: shard.entity_id(raw.ordinal).to_owned(),
                weight: raw.weight,
                employer: raw.employer,
            },
            evidence: Evidence::new(probe.kind(), &raw.levels).to_string(),
            company: shard.employer_id(raw.ordinal).and_then(|id| id.parse().ok()),
        })
        .collect()
    };
    probes
        .into_iter()
        .map(|entry| ScoredEntry {
            candidates: entry.probe.as_ref().map_or_else(Vec::new, candidates),
            gone: entry.probe.is_none(),
            record: entry.record,
            stamp: entry.stamp,
        })
        .collect()
}
