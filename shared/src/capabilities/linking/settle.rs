//! Settling a scored batch: its records' candidates become matches, one to one.
//!
//! Only what is connected to the batch is settled anew: its records, the entities they asked or ask
//! for, the other records that ask for those, and so on. [`matching::ComponentWalk`] names what to
//! load. Since the assignment is greedy under one total order, the result equals that of settling
//! everything: the tests beside the walk show it.
//!
//! One settlement at a time works on a connection: a lease, checked in every transaction. Entities
//! are written before records, and a record's list of candidates last, because the old list is
//! what leads a repeated settlement to the entities that lost a bidder.

pub(crate) mod lease;
mod neighbourhood;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use matching::{Candidate, MatchModel, Scored, posterior};
use serde_json::json;

use self::lease::lease_check;
use self::neighbourhood::Neighbourhood;
use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::directory::{DirectoryState, DirectoryVersion, Entities};
use crate::capabilities::linking::match_runs::{MatchRuns, batch_object, scored_object, unmoved};
use crate::capabilities::linking::models::Models;
use crate::capabilities::linking::{
    Batch, CandidateList, Correction, KEPT_CANDIDATES, MatchRun, ProbeEntry, RankedCandidate,
    Ruling, ScoredCandidate, ScoredEntry, entity_kind_of,
};
use crate::kernel::{LeaseToken, MatchMessage, MatchRunId, MatchTrigger, SObject, Scope};
use crate::ports::{Condition, Ports};
use crate::store::{self, Next, Outbox};
use crate::work::{Done, WorkError};

/// When a settlement that finds another one at work comes again.
const BUSY: Duration = Duration::from_secs(1);

/// How many rulings are looked up in the directory at once.
const CONCURRENT_RULINGS: usize = 16;

/// Settles batches, and records about which a person said something.
#[derive(Clone)]
pub(super) struct Settle {
    ports: Ports,
    custody: Custody,
    runs: MatchRuns,
    models: Models,
    entities: Entities,
    outbox: Outbox,
}

impl Settle {
    /// Settling by the probabilities of `models`.
    #[must_use]
    pub(super) fn new(ports: Ports, custody: Custody, models: Models) -> Self {
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let (entities, outbox) = (Entities::new(ports.clone()), Outbox::new(ports.clone()));
        Self { ports, custody, runs, models, entities, outbox }
    }

    /// Settles one batch whose shards have all been scored.
    pub(super) async fn batch(
        &self,
        scope: Scope,
        run: MatchRunId,
        number: u32,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let key = opened.keys.batch(run, number);
        let batch: Option<Batch> = store::get(&*self.ports.table, &key).await?;
        let Some(batch) = batch.filter(|b| !b.settled) else { return Ok(Done::Finished) };
        let Some(lease) = self.acquire(&opened).await? else { return Ok(Done::Later(BUSY)) };
        let settled = self.settle(&opened, lease, run, batch).await;
        self.release(&opened, lease).await?;
        settled.map(|()| Done::Finished)
    }

    /// Settles one record by what people said about it.
    pub(super) async fn correct(
        &self,
        scope: Scope,
        object: SObject,
        record: &str,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let Some(lease) = self.acquire(&opened).await? else { return Ok(Done::Later(BUSY)) };
        let settled = self.settle_ruled(&opened, lease, object, record).await;
        self.release(&opened, lease).await?;
        settled.map(|()| Done::Finished)
    }

    async fn settle(
        &self,
        opened: &OpenGeneration,
        lease: LeaseToken,
        run: MatchRunId,
        batch: Batch,
    ) -> Result<(), WorkError> {
        let key = opened.keys.match_run(run);
        let stored: Option<MatchRun> = store::get(&*self.ports.table, &key).await?;
        let Some(stored) = stored else { return Ok(()) };
        let mut near = self.ranked(opened, &stored, &batch).await?;
        self.close(opened, &mut near).await?;
        near.assign();
        let changed = self.write(opened, lease, &near).await?;
        self.note_settled(opened, lease, run, batch, changed).await
    }

    async fn settle_ruled(
        &self,
        opened: &OpenGeneration,
        lease: LeaseToken,
        object: SObject,
        record: &str,
    ) -> Result<(), WorkError> {
        let table = &*self.ports.table;
        let said: Option<Correction> =
            store::get(table, &opened.keys.correction(object, record)).await?;
        let stored = self.load_lists(opened, object, &BTreeSet::from([record.to_owned()])).await?;
        // What is said is said of a record that was matched, or found to be nobody; or it came from
        // the record before it, and this one is yet to be matched.
        let unmatched = said.as_ref().map(|_| CandidateList::empty(object, record.to_owned()));
        let Some(mut list) = stored.get(record).cloned().or(unmatched) else { return Ok(()) };
        let ruling = said.map(|said| said.ruling).filter(|ruling| *ruling != Ruling::default());
        list.ruling = ruling;
        let ranked_in = match list.directory {
            Some(id) => self.runs.version(id).await?,
            None => None,
        };
        let held = ranked_in.filter(|version| version.state == DirectoryState::Published);
        let current = self.runs.current_directory().await?;
        if let Some(version) = held.or(current) {
            list = self.resolved(&version, list).await?;
        }
        let lists = BTreeMap::from([(record.to_owned(), list)]);
        let thresholds = self.models.thresholds();
        let mut near = Neighbourhood::around(object, thresholds, lists, stored);
        self.close(opened, &mut near).await?;
        near.assign();
        self.write(opened, lease, &near).await?;
        Ok(())
    }

    /// The lists of the batch's records, as the shards' candidates make them.
    async fn ranked(
        &self,
        opened: &OpenGeneration,
        run: &MatchRun,
        batch: &Batch,
    ) -> Result<Neighbourhood, WorkError> {
        let Some(version) = self.runs.version(run.directory).await? else {
            return Err(WorkError::reject("settle a batch", "the run's directory version is gone"));
        };
        let model = self.models.chosen(opened, run.model).await?;
        let scored = self.merged(opened, run, &version, batch).await?;
        let ids: BTreeSet<String> = scored.keys().cloned().collect();
        let before = self.load_lists(opened, batch.object, &ids).await?;
        let lists = stream::iter(scored)
            .map(|(id, entry)| {
                let old = before.get(&id).cloned();
                let list = old.unwrap_or_else(|| CandidateList::empty(batch.object, id.clone()));
                let ranked = self.rank(&model, &version, run, list, entry);
                async move { Ok::<_, WorkError>((id, ranked.await?)) }
            })
            .buffered(CONCURRENT_RULINGS)
            .try_collect()
            .await?;
        Ok(Neighbourhood::around(batch.object, self.models.thresholds(), lists, before))
    }

    /// A list as a run's candidates make it, unless they are outdated.
    async fn rank(
        &self,
        model: &MatchModel,
        version: &DirectoryVersion,
        run: &MatchRun,
        mut list: CandidateList,
        entry: ScoredEntry,
    ) -> Result<CandidateList, WorkError> {
        if is_outdated(&list, entry.stamp, run) {
            return Ok(list);
        }
        list.candidates = ranked(model, list.object, entry.candidates);
        list.gone = entry.gone;
        list.stamp = entry.stamp;
        list.run = Some(run.id);
        list.directory = Some(run.directory);
        list.model = run.model;
        self.resolved(version, list).await
    }

    /// A list whose ruling speaks of entities as a version has them.
    async fn resolved(
        &self,
        version: &DirectoryVersion,
        mut list: CandidateList,
    ) -> Result<CandidateList, WorkError> {
        (list.always, list.never) = (None, Vec::new());
        let (Some(ruling), Some(kind)) = (&list.ruling, entity_kind_of(list.object)) else {
            return Ok(list);
        };
        if let Some(entity) = &ruling.always {
            list.always = self.entities.find(version, kind, entity).await?;
        }
        for entity in &ruling.never {
            list.never.push(self.entities.name(version, entity).await?);
        }
        list.never.sort_unstable();
        list.never.dedup();
        Ok(list)
    }

    /// Every record's candidates from all shards.
    async fn merged(
        &self,
        opened: &OpenGeneration,
        run: &MatchRun,
        version: &DirectoryVersion,
        batch: &Batch,
    ) -> Result<BTreeMap<String, ScoredEntry>, WorkError> {
        let kind = entity_kind_of(batch.object)
            .ok_or_else(|| WorkError::reject("settle a batch", "an object that is not matched"))?;
        if version.shards(kind) == 0 {
            return self.unscored(opened, run, batch).await;
        }
        let mut merged: BTreeMap<String, ScoredEntry> = BTreeMap::new();
        for shard in 0..version.shards(kind) {
            let key = scored_object(opened.keys.scope(), run.id, batch.number, shard);
            let Some(plain) = opened.get_object(&self.ports, &key).await? else {
                return Err(WorkError::reject("settle a batch", "a shard's candidates are gone"));
            };
            let scored: Vec<ScoredEntry> = serde_json::from_slice(&plain)
                .map_err(|error| WorkError::reject("read candidates", error))?;
            for entry in scored {
                match merged.get_mut(&entry.record) {
                    Some(known) if known.stamp == entry.stamp => {
                        known.candidates.extend(entry.candidates);
                    }
                    Some(known) if known.stamp > entry.stamp => {}
                    _ => {
                        merged.insert(entry.record.clone(), entry);
                    }
                }
            }
        }
        Ok(merged)
    }

    /// The records of a batch that there is nothing to score against: they have no candidates.
    async fn unscored(
        &self,
        opened: &OpenGeneration,
        run: &MatchRun,
        batch: &Batch,
    ) -> Result<BTreeMap<String, ScoredEntry>, WorkError> {
        let key = batch_object(opened.keys.scope(), run.id, batch.number);
        let Some(plain) = opened.get_object(&self.ports, &key).await? else {
            return Err(WorkError::reject("settle a batch", "the batch's probes are gone"));
        };
        let probes: Vec<ProbeEntry> = serde_json::from_slice(&plain)
            .map_err(|error| WorkError::reject("read a batch", error))?;
        let entry = |ProbeEntry { record, stamp, probe }| {
            let gone = probe.is_none();
            (record.clone(), ScoredEntry { record, stamp, gone, candidates: Vec::new() })
        };
        Ok(probes.into_iter().map(entry).collect())
    }

    /// Notes that the batch is settled, and completes the run when it was the last.
    async fn note_settled(
        &self,
        opened: &OpenGeneration,
        lease: LeaseToken,
        id: MatchRunId,
        mut batch: Batch,
        changed: u64,
    ) -> Result<(), WorkError> {
        batch.settled = true;
        let key = opened.keys.match_run(id);
        // Planning may move the run between our read and our write; then this is tried again.
        for _ in 0..10 {
            let Some(mut run) = store::get::<MatchRun>(&*self.ports.table, &key).await? else {
                return Ok(());
            };
            let same = unmoved(&run);
            run.settled += 1;
            run.changed += changed;
            MatchRuns::complete_if_settled(&mut run, self.ports.clock.now());
            let next = self.superseded(opened, &run).await?;
            let writes = vec![
                lease_check(opened, lease),
                store::put(
                    opened.keys.batch(id, batch.number),
                    &batch,
                    Condition::Eq("settled", json!(false)),
                )?,
                store::put(key.clone(), &run, same)?,
            ];
            if self.outbox.commit(writes, next).await?.is_done() {
                return Ok(());
            }
        }
        Err(WorkError::retry("note a settled batch", "the run keeps moving or the lease is lost"))
    }

    /// A complete run that matched to a version, or by a model, which is not current any more is
    /// followed by a re-match: what changed while the new one came must meet it, too.
    async fn superseded(
        &self,
        opened: &OpenGeneration,
        run: &MatchRun,
    ) -> Result<Vec<Next>, WorkError> {
        if run.finished_at.is_none() || run.trigger != MatchTrigger::Import {
            return Ok(Vec::new());
        }
        let Some(pins) = self.runs.pins(opened).await? else { return Ok(Vec::new()) };
        let trigger = if pins.directory.id != run.directory {
            MatchTrigger::Directory
        } else if pins.model != run.model {
            MatchTrigger::Model
        } else {
            return Ok(Vec::new());
        };
        let of = format!("{}|{}|{}", run.id, pins.directory.id, pins.model.number);
        let (scope, run) = (opened.keys.scope(), MatchRunId::derived(&of));
        Ok(vec![Next::now(MatchMessage::Rematch { scope, run, trigger, step: 0 })])
    }
}

/// The best candidates of all shards, with their probabilities.
fn ranked(
    model: &MatchModel,
    object: SObject,
    mut scored: Vec<ScoredCandidate>,
) -> Vec<RankedCandidate> {
    let Some(kind) = entity_kind_of(object) else { return Vec::new() };
    // Each shard gives its best: as many as one shard would give are weighed against each other, or
    // the probabilities would depend on the number of shards.
    scored.sort_unstable_by(|left, right| {
        let (left, right) = (&left.candidate, &right.candidate);
        let by_weight = right.weight.bits().total_cmp(&left.weight.bits());
        by_weight.then_with(|| left.entity_id.cmp(&right.entity_id))
    });
    scored.truncate(KEPT_CANDIDATES);
    let candidates: Vec<Candidate> = scored.iter().map(|s| s.candidate.clone()).collect();
    let evidence = scored.into_iter().map(|s| s.evidence);
    posterior(model, kind, &candidates)
        .into_iter()
        .zip(evidence)
        .map(|(Scored { candidate, probability }, evidence)| RankedCandidate {
            entity: candidate.entity_id,
            weight: candidate.weight.bits(),
            probability,
            employer: candidate.employer,
            evidence,
        })
        .collect()
}

/// Whether a stored list was found for a newer state of the record, or for the same state in a
/// newer directory or by a later model.
fn is_outdated(list: &CandidateList, stamp: i64, run: &MatchRun) -> bool {
    let newer_directory = list.directory.is_some_and(|directory| run.directory < directory);
    let later_model = run.model.number < list.model.number;
    stamp < list.stamp || (stamp == list.stamp && (newer_directory || later_model))
}
