//! Settling a scored batch: its records' candidates become matches, one to one.
//!
//! Only what is connected to the batch is settled anew: its records, the entities they asked or ask
//! for, the other records that ask for those, and so on. Since the assignment is greedy under one
//! total order, the result equals that of settling everything (property-tested in `matching`).
//!
//! One settlement at a time works on a connection: a lease, checked in every transaction. Entities
//! are written before records, and a record's list of candidates last, because the old list is
//! what leads a repeated settlement to the entities that lost a bidder.

mod lease;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use matching::{AssignedBy, Bid, MatchModel, Ruling, Scored, assign, posterior};
use serde_json::json;
use std::sync::Arc;

use self::lease::lease_check;
use super::custody::{Custody, Opened};
use super::match_runs::{MatchRuns, scored_object, unmoved};
use crate::domain::{
    Batch, CandidateList, DirectoryVersionId, EntityBid, EntityMatches, KEPT_CANDIDATES,
    LeaseToken, MatchRun, MatchRunId, MatchSource, MatchTrigger, Message, RankedCandidate,
    RecordDecision, SObject, Scope, ScoredEntry, entity_kind_of,
};
use crate::ports::{Condition, Key, Ports};
use crate::store::{self, Next, Outbox};
use crate::work::{Done, WorkError};

/// When a settlement that finds another one at work comes again.
const BUSY: Duration = Duration::from_secs(1);

/// How many items one transaction writes, besides the check of the lease and a due item.
const WRITES: usize = 90;

/// Settles batches.
#[derive(Clone)]
pub struct Settle {
    ports: Ports,
    custody: Custody,
    runs: MatchRuns,
    model: Arc<MatchModel>,
    outbox: Outbox,
}

/// The part of a connection's matches that a batch touches.
struct Neighbourhood {
    object: SObject,
    /// Every list as it will be.
    lists: BTreeMap<String, CandidateList>,
    /// Every list as it is stored.
    stored_lists: BTreeMap<String, CandidateList>,
    entities: BTreeMap<String, EntityMatches>,
    stored_entities: BTreeMap<String, EntityMatches>,
}

impl Settle {
    /// Settling with `model`'s thresholds.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, model: Arc<MatchModel>) -> Self {
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, runs, model, outbox }
    }

    /// Settles one batch whose shards have all been scored.
    pub async fn batch(
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

    async fn settle(
        &self,
        opened: &Opened,
        lease: LeaseToken,
        run: MatchRunId,
        batch: Batch,
    ) -> Result<(), WorkError> {
        let key = opened.keys.match_run(run);
        let stored: Option<MatchRun> = store::get(&*self.ports.table, &key).await?;
        let Some(stored) = stored else { return Ok(()) };
        let mut near = self.ranked(opened, &stored, &batch).await?;
        self.close(opened, &mut near).await?;
        self.assign(&mut near);
        let changed = self.write(opened, lease, &near).await?;
        self.note_settled(opened, lease, run, batch, changed).await
    }

    /// The lists of the batch's records, as the shards' candidates make them.
    async fn ranked(
        &self,
        opened: &Opened,
        run: &MatchRun,
        batch: &Batch,
    ) -> Result<Neighbourhood, WorkError> {
        let scored = self.merged(opened, run, batch).await?;
        let ids: BTreeSet<String> = scored.keys().cloned().collect();
        let before = self.load_lists(opened, batch.object, &ids).await?;
        let mut lists = BTreeMap::new();
        for (id, entry) in scored {
            let old = before.get(&id).cloned();
            let mut list = old.unwrap_or_else(|| CandidateList::empty(batch.object, id.clone()));
            if !is_outdated(&list, entry.stamp, run.directory) {
                list.candidates = self.rank(batch.object, &entry.candidates);
                list.stamp = entry.stamp;
                list.run = Some(run.id);
                list.directory = Some(run.directory);
            }
            lists.insert(id, list);
        }
        Ok(Neighbourhood {
            object: batch.object,
            lists,
            stored_lists: before,
            entities: BTreeMap::new(),
            stored_entities: BTreeMap::new(),
        })
    }

    /// Every record's candidates from all shards.
    async fn merged(
        &self,
        opened: &Opened,
        run: &MatchRun,
        batch: &Batch,
    ) -> Result<BTreeMap<String, ScoredEntry>, WorkError> {
        let kind = entity_kind_of(batch.object)
            .ok_or_else(|| WorkError::reject("settle a batch", "an object that is not matched"))?;
        let version = self.runs.version(run.directory).await?;
        let shards = version.map_or(0, |v| v.shards(kind));
        let mut merged: BTreeMap<String, ScoredEntry> = BTreeMap::new();
        for shard in 0..shards {
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

    fn rank(&self, object: SObject, candidates: &[matching::Candidate]) -> Vec<RankedCandidate> {
        let Some(kind) = entity_kind_of(object) else { return Vec::new() };
        posterior(&self.model, kind, candidates)
            .into_iter()
            .take(KEPT_CANDIDATES)
            .map(|Scored { candidate, probability }| RankedCandidate {
                entity: candidate.entity_id,
                weight: candidate.weight.bits(),
                probability,
                employer: candidate.employer,
            })
            .collect()
    }

    /// Adds everything that is connected to the batch's records.
    async fn close(&self, opened: &Opened, near: &mut Neighbourhood) -> Result<(), WorkError> {
        let mut fresh: Vec<String> = near.lists.keys().cloned().collect();
        while !fresh.is_empty() {
            let mut entities = BTreeSet::new();
            for id in &fresh {
                for list in near.lists.get(id).into_iter().chain(near.stored_lists.get(id)) {
                    entities.extend(self.asked(list));
                }
            }
            entities.retain(|entity| !near.entities.contains_key(entity));
            let loaded = self.load_entities(opened, near.object, &entities).await?;
            for entity in entities {
                let stored = loaded.get(&entity).cloned();
                near.stored_entities.extend(stored.clone().map(|s| (entity.clone(), s)));
                let now =
                    stored.unwrap_or_else(|| EntityMatches::empty(near.object, entity.clone()));
                near.entities.insert(entity, now);
            }
            let bidders: BTreeSet<String> = near
                .entities
                .values()
                .flat_map(|e| e.bids.iter().map(|b| b.record.clone()).chain(e.matched.clone()))
                .filter(|record| !near.lists.contains_key(record))
                .collect();
            let loaded = self.load_lists(opened, near.object, &bidders).await?;
            fresh = loaded.keys().cloned().collect();
            near.lists.extend(loaded.clone());
            near.stored_lists.extend(loaded);
        }
        Ok(())
    }

    /// The entities that a record asks for, or is linked to.
    fn asked<'a>(&'a self, list: &'a CandidateList) -> impl Iterator<Item = String> + 'a {
        self.bids(list).map(|(entity, _, _)| entity).chain(list.matched.clone())
    }

    /// A record's bids: entity, probability, and whether a person linked the two.
    fn bids<'a>(
        &'a self,
        list: &'a CandidateList,
    ) -> impl Iterator<Item = (String, f64, bool)> + 'a {
        let threshold = self.model.thresholds.match_at;
        let manual = list.always.clone().map(|entity| (entity, 1.0, true));
        let only_manual = manual.is_some();
        let own = list
            .candidates
            .iter()
            .filter(move |c| !only_manual && c.probability >= threshold)
            .filter(|c| !list.never.contains(&c.entity))
            .map(|c| (c.entity.clone(), c.probability, false));
        manual.into_iter().chain(own)
    }

    /// Assigns within the neighbourhood.
    fn assign(&self, near: &mut Neighbourhood) {
        let mut asked: BTreeMap<String, Vec<EntityBid>> = BTreeMap::new();
        let mut bids = Vec::new();
        let mut rulings = BTreeMap::new();
        for (record, list) in &near.lists {
            for (entity, probability, always) in self.bids(list) {
                let bid = EntityBid { record: record.clone(), probability, always };
                asked.entry(entity.clone()).or_default().push(bid);
                bids.push(Bid { record: record.clone(), entity, probability });
            }
            rulings.insert(record.clone(), ruling(list));
        }
        let assignment = assign(bids, &rulings, 0.0);
        let holders: BTreeMap<&str, &str> = assignment
            .matched
            .iter()
            .map(|(record, assigned)| (assigned.entity.as_str(), record.as_str()))
            .collect();
        for (entity, matches) in &mut near.entities {
            matches.bids = asked.remove(entity).unwrap_or_default();
            matches.matched = holders.get(entity.as_str()).map(|&record| record.to_owned());
        }
        for (record, list) in &mut near.lists {
            let assigned = assignment.matched.get(record);
            list.matched = assigned.map(|a| a.entity.clone());
            list.source = assigned.map(|a| match a.by {
                AssignedBy::Ruling => MatchSource::Manual,
                AssignedBy::Bid => MatchSource::Auto,
            });
            list.decision = self.decide(list);
        }
    }

    fn decide(&self, list: &CandidateList) -> RecordDecision {
        if list.matched.is_some() {
            return RecordDecision::Match;
        }
        if self.bids(list).next().is_some() {
            return RecordDecision::Duplicate;
        }
        let review = self.model.thresholds.review_at;
        let best = list
            .candidates
            .iter()
            .filter(|c| !list.never.contains(&c.entity))
            .map(|c| c.probability)
            .fold(0.0, f64::max);
        if best >= review { RecordDecision::Review } else { RecordDecision::NonMatch }
    }

    /// Writes what differs from what is stored; says how many records' matches changed.
    async fn write(
        &self,
        opened: &Opened,
        lease: LeaseToken,
        near: &Neighbourhood,
    ) -> Result<u64, WorkError> {
        let keys = opened.keys;
        let mut entities = Vec::new();
        for (id, entity) in &near.entities {
            if near.stored_entities.get(id) != Some(entity) {
                let key = keys.entity(near.object, id);
                entities.push(if entity.bids.is_empty() {
                    store::delete(key)
                } else {
                    store::put(key, entity, Condition::Always)?
                });
            }
        }
        for chunk in entities.chunks(WRITES) {
            self.commit(opened, lease, chunk.to_vec(), vec![]).await?;
        }
        let mut lists = Vec::new();
        for (id, list) in &near.lists {
            let stored = near.stored_lists.get(id);
            if stored != Some(list) {
                let relinked = stored.and_then(|s| s.matched.as_ref()) != list.matched.as_ref();
                let key = keys.candidates(near.object, id);
                lists.push((id, relinked, store::put(key, list, Condition::Always)?));
            }
        }
        let changed = lists.iter().filter(|(_, relinked, _)| *relinked).count() as u64;
        for chunk in lists.chunks(WRITES) {
            let records: Vec<String> = chunk.iter().filter(|c| c.1).map(|c| c.0.clone()).collect();
            let (scope, object) = (keys.scope(), near.object);
            // Leads are not in any auto-save rule so far; accounts and contacts are.
            let next = (object != SObject::Lead && !records.is_empty())
                .then(|| Next::now(Message::AutoSaveRecords { scope, object, records }));
            let writes = chunk.iter().map(|c| c.2.clone()).collect();
            self.commit(opened, lease, writes, next.into_iter().collect()).await?;
        }
        Ok(changed)
    }

    /// Notes that the batch is settled, and completes the run when it was the last.
    async fn note_settled(
        &self,
        opened: &Opened,
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

    /// A complete run that matched to a version which is not current any more is followed by a
    /// re-match: what changed while the new version came must meet it, too.
    async fn superseded(&self, opened: &Opened, run: &MatchRun) -> Result<Vec<Next>, WorkError> {
        if run.finished_at.is_none() || run.trigger != MatchTrigger::Import {
            return Ok(Vec::new());
        }
        let current = self.runs.current_directory().await?;
        Ok(current
            .filter(|current| current.id != run.directory)
            .map(|current| {
                let scope = opened.keys.scope();
                let id = MatchRunId::derived(&format!("{}|{}", run.id, current.id));
                let trigger = MatchTrigger::Directory;
                Next::now(Message::Rematch { scope, run: id, trigger, step: 0 })
            })
            .into_iter()
            .collect())
    }

    async fn load_lists(
        &self,
        opened: &Opened,
        object: SObject,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, CandidateList>, WorkError> {
        let keys: Vec<Key> = ids.iter().map(|id| opened.keys.candidates(object, id)).collect();
        let lists: Vec<CandidateList> = store::get_many(&*self.ports.table, &keys).await?;
        Ok(lists.into_iter().map(|list| (list.id.clone(), list)).collect())
    }

    async fn load_entities(
        &self,
        opened: &Opened,
        object: SObject,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, EntityMatches>, WorkError> {
        let keys: Vec<Key> = ids.iter().map(|id| opened.keys.entity(object, id)).collect();
        let entities: Vec<EntityMatches> = store::get_many(&*self.ports.table, &keys).await?;
        Ok(entities.into_iter().map(|e| (e.entity.clone(), e)).collect())
    }
}

/// What a person decided about a record, in the engine's words.
fn ruling(list: &CandidateList) -> Ruling {
    Ruling { matched: list.always.clone(), unmatched: list.never.iter().cloned().collect() }
}

/// Whether a stored list was found for a newer state of the record, or for the same state in a
/// newer directory.
fn is_outdated(list: &CandidateList, stamp: i64, directory: DirectoryVersionId) -> bool {
    let newer_state = stamp < list.stamp;
    let newer_directory = stamp == list.stamp && list.directory.is_some_and(|d| directory < d);
    newer_state || newer_directory
}
