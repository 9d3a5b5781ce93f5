//! Scoring one batch of probes against one shard.

use std::sync::Arc;

use async_trait::async_trait;
use matching::{EntityKind, MatchModel, Scorer, Shard, Statistics};
use serde_json::json;

use super::custody::{Custody, Opened};
use super::match_runs::{MatchRuns, batch_object, scored_object};
use crate::domain::{
    Batch, KEPT_CANDIDATES, MatchRun, MatchRunId, Message, ProbeEntry, Scope, ScoredEntry,
};
use crate::ports::{Condition, Ports};
use crate::store::{self, Next, Outbox};
use crate::work::{Done, WorkError};

/// How often a lost race for a batch's count is run again within one invocation.
const RACES: usize = 20;

/// The files of directory versions, as the function's sandbox keeps them: memory-mapped there, in
/// plain memory in tests.
#[async_trait]
pub trait ShardFiles: Send + Sync {
    /// The bytes of an object that never changes.
    async fn file(&self, key: &str) -> Result<Arc<dyn AsRef<[u8]> + Send + Sync>, WorkError>;
}

/// Scores batches.
#[derive(Clone)]
pub struct Score {
    ports: Ports,
    custody: Custody,
    runs: MatchRuns,
    files: Arc<dyn ShardFiles>,
    model: Arc<MatchModel>,
    outbox: Outbox,
}

impl Score {
    /// Scoring with `model` against the shards in `files`.
    #[must_use]
    pub fn new(
        ports: Ports,
        custody: Custody,
        files: Arc<dyn ShardFiles>,
        model: Arc<MatchModel>,
    ) -> Self {
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, runs, files, model, outbox }
    }

    /// Scores one batch against one shard, and has the batch settled when this was the last one.
    pub async fn batch(
        &self,
        scope: Scope,
        run_id: MatchRunId,
        batch: u32,
        kind: EntityKind,
        shard: u32,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let table = &*self.ports.table;
        if table.get(&opened.keys.scored(run_id, batch, shard)).await?.is_some() {
            return Ok(Done::Finished);
        }
        let key = opened.keys.match_run(run_id);
        let Some(run) = store::get::<MatchRun>(table, &key).await? else {
            return Ok(Done::Finished);
        };
        let Some(version) = self.runs.version(run.directory).await? else {
            return Err(WorkError::reject("score a batch", "the run's directory version is gone"));
        };
        let object = batch_object(scope, run_id, batch);
        let Some(plain) = opened.get_object(&self.ports, &object).await? else {
            return Err(WorkError::reject("score a batch", "the batch's probes are gone"));
        };
        let probes: Vec<ProbeEntry> = serde_json::from_slice(&plain)
            .map_err(|error| WorkError::reject("read a batch", error))?;
        let statistics = self.files.file(&version.statistics_key()).await?;
        let file = self.files.file(&version.shard_key(kind, shard)).await?;
        let scored = self.score((*statistics).as_ref(), (*file).as_ref(), probes)?;
        let plain = serde_json::to_vec(&scored)
            .map_err(|error| WorkError::reject("write candidates", error))?;
        let object = scored_object(scope, run_id, batch, shard);
        opened.put_object(&self.ports, &object, &plain).await?;
        self.note(&opened, run_id, batch, shard).await?;
        Ok(Done::Finished)
    }

    fn score(
        &self,
        statistics: &[u8],
        file: &[u8],
        probes: Vec<ProbeEntry>,
    ) -> Result<Vec<ScoredEntry>, WorkError> {
        let statistics = Statistics::from_bytes(statistics)
            .map_err(|error| WorkError::reject("read a version's statistics", error))?;
        let shard = Shard::open(file).map_err(|error| WorkError::reject("open a shard", error))?;
        let scorer = Scorer::new(&self.model, &statistics);
        Ok(probes
            .into_iter()
            .map(|entry| ScoredEntry {
                candidates: entry.probe.as_ref().map_or_else(Vec::new, |probe| {
                    scorer.candidates(&shard, probe, KEPT_CANDIDATES)
                }),
                record: entry.record,
                stamp: entry.stamp,
            })
            .collect())
    }

    /// Notes that the batch was scored against the shard: a marker and a decrement in one
    /// transaction, so that a second delivery counts nothing twice.
    async fn note(
        &self,
        opened: &Opened,
        run: MatchRunId,
        number: u32,
        shard: u32,
    ) -> Result<(), WorkError> {
        let scope = opened.keys.scope();
        let key = opened.keys.batch(run, number);
        for _ in 0..RACES {
            let table = &*self.ports.table;
            let Some(mut batch) = store::get::<Batch>(table, &key).await? else { return Ok(()) };
            let left = batch.shards_left;
            batch.shards_left = left.saturating_sub(1);
            let mut next = Vec::new();
            if batch.shards_left == 0 {
                next.push(Next::now(Message::Settle { scope, run, batch: number }));
            }
            let marker = opened.keys.scored(run, number, shard);
            let writes = vec![
                store::put(marker.clone(), &json!({}), Condition::Absent)?,
                store::put(key.clone(), &batch, Condition::Eq("shards_left", json!(left)))?,
            ];
            if self.outbox.commit(writes, next).await?.is_done()
                || table.get(&marker).await?.is_some()
            {
                return Ok(());
            }
        }
        Err(WorkError::retry("count a scored batch", "too many others count the same batch"))
    }
}
