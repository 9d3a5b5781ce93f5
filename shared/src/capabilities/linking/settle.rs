//! Settling a scored batch: its records' candidates become matches, one to one.
//!
//! A settlement touches only what is connected to the batch: its records, the entities that they
//! ask or asked for, the other records that ask for those, and so on. [`matching::ComponentWalk`]
//! names what to load. The assignment is greedy under one total order, so the result equals that of
//! settling everything. The tests beside the walk show it.
//!
//! One settlement at a time works on a connection: every transaction checks a lease. Entities are
//! written before records, and a record's list of candidates last. The old list leads a repeated
//! settlement to the entities that lost a bidder.

mod counting;
mod neighbourhood;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::SignedDuration;
use matching::{Candidate, EntityKind, MatchModel, Scored, posterior};

use self::counting::Settled;
use self::neighbourhood::Neighbourhood;
use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::directory::{DirectoryVersion, Entities};
use crate::capabilities::linking::keys::{batch_object, scored_object};
use crate::capabilities::linking::lease::{self, SETTLE_LEASE};
use crate::capabilities::linking::match_runs::MatchRuns;
use crate::capabilities::linking::models::Models;
use crate::capabilities::linking::{
    Batch, BatchRef, CandidateList, DecisionRules, KEPT_CANDIDATES, MatchRun, ProbeEntry,
    RankedCandidate, Ruling, ScoredCandidate, ScoredEntry, entity_kind_of, keys,
};
use crate::kernel::{LeaseToken, MatchRunId, MatchTrigger, RecordRef, SObject, Scope};
use crate::ports::Ports;
use crate::salesforce::SalesforceId;
use crate::store::Store;
use crate::work::{Done, WorkError};

/// A settlement that finds another one at work comes again after this.
const BUSY: Duration = Duration::from_secs(1);

/// How many batches behind its own a settlement looks at: all of them together are settled well
/// within the lease's time.
const AHEAD: usize = 8;

/// How many batches that wait for the lease look for it in a second, all of a run's together. Each
/// look is an invocation. They are spread, so that a first import, of which thousands wait, costs
/// no more looks than a small one, and the lease is hardly ever free for long.
const LOOKS_PER_SECOND: u64 = 20;

/// The longest wait of a batch for its next look.
const LONGEST_WAIT: u64 = 600;

/// The place of the lease's check in the commit that counts a batch.
const LEASE_CHECK: usize = 0;

/// How many rulings are looked up in the directory at once.
const CONCURRENT_RULINGS: usize = 16;

/// Settles batches, and records that a person corrected.
#[derive(Clone)]
pub(super) struct Settle {
    ports: Ports,
    custody: Custody,
    runs: MatchRuns,
    models: Models,
    entities: Entities,
    store: Store,
    lease: SignedDuration,
}

impl Settle {
    /// Settling by the probabilities of `models`.
    #[must_use]
    pub(super) fn new(ports: Ports, custody: Custody, models: Models) -> Self {
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let (entities, store) = (Entities::new(ports.clone()), Store::new(ports.clone()));
        Self { ports, custody, runs, models, entities, store, lease: SETTLE_LEASE }
    }

    /// The same, with a lease of another length.
    #[must_use]
    pub(super) fn with_lease(self, lease: SignedDuration) -> Self {
        Self { lease, ..self }
    }

    /// Settles one batch whose shards have all been scored.
    pub(super) async fn batch(
        &self,
        scope: Scope,
        run: MatchRunId,
        number: u32,
    ) -> Result<Done, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let batch = self.store.read(&generation.keys.batch(run, number)).await?;
        let Some(batch) = batch.filter(|b| !b.settled) else { return Ok(Done::Finished) };
        let Some(lease) = self.acquire(&generation).await? else {
            let run = self.store.read(&generation.keys.match_run(run)).await?;
            let left = run.map_or(0, |run| run.batches.saturating_sub(run.settled));
            return Ok(Done::Later(next_look(left.into(), self.ports.entropy.bits())));
        };
        let settled = self.settle_on(&generation, lease, run, &batch).await;
        lease::release(&self.store, &generation, lease).await?;
        settled.map(|()| Done::Finished)
    }

    /// Settles a batch, and those behind it that are scored. Their own messages find the lease
    /// taken meanwhile, and each would wait for its next look while nobody works.
    async fn settle_on(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        run: MatchRunId,
        batch: &Batch,
    ) -> Result<(), WorkError> {
        self.settle(generation, lease, run, batch).await?;
        let ahead =
            (batch.number + 1..).take(AHEAD).map(|number| generation.keys.batch(run, number));
        let mut ahead = self.store.load_many(ahead).await?;
        ahead.retain(|batch| batch.shards_left == 0 && !batch.settled);
        ahead.sort_unstable_by_key(|batch| batch.number);
        for batch in ahead {
            if let Err(error) = self.settle(generation, lease, run, &batch).await {
                // The batch's own message meets it again, and tells.
                tracing::debug!(%error, batch = batch.number, "a batch ahead did not settle");
                break;
            }
        }
        Ok(())
    }

    /// Settles one record by the corrections of it.
    pub(super) async fn correct(
        &self,
        scope: Scope,
        object: SObject,
        record: SalesforceId,
    ) -> Result<Done, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let Some(lease) = self.acquire(&generation).await? else { return Ok(Done::Later(BUSY)) };
        let settled = self.settle_ruled(&generation, lease, object, record).await;
        lease::release(&self.store, &generation, lease).await?;
        settled.map(|()| Done::Finished)
    }

    async fn acquire(&self, generation: &OpenGeneration) -> Result<Option<LeaseToken>, WorkError> {
        let (now, entropy) = (self.ports.clock.now(), self.ports.entropy.bits());
        lease::acquire(&self.store, generation, (now, self.lease), entropy).await
    }

    async fn settle(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        run: MatchRunId,
        batch: &Batch,
    ) -> Result<(), WorkError> {
        let stored = self.store.read(&generation.keys.match_run(run)).await?;
        let Some(stored) = stored else { return Ok(()) };
        let Some(mut near) = self.ranked(generation, &stored, batch).await? else {
            tracing::error!(run.id = %run, batch = batch.number, "a batch's candidates are gone");
            return self.count_settled(generation, lease, run, batch.number, None).await;
        };
        self.close(generation, &mut near).await?;
        let of = BatchRef { run, number: batch.number };
        near.mark_new(of);
        near.assign();
        let changed = self.write(generation, lease, &near).await?;
        let (counts, links) = (near.counts_of_new(of), near.new_links(of));
        let settled = Settled { object: batch.object, changed, counts, links };
        self.count_settled(generation, lease, run, batch.number, Some(settled)).await
    }

    async fn settle_ruled(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        object: SObject,
        record: SalesforceId,
    ) -> Result<(), WorkError> {
        let correction = generation.store.read(&generation.keys.correction(object, record)).await?;
        let of = RecordRef { object, id: record };
        let stored = self.load_lists(generation, &BTreeSet::from([of])).await?;
        // A correction is made of a record that has a list. Or it came from the record that this
        // one goes on from, and this one is yet to be matched.
        let unmatched = correction.as_ref().map(|_| CandidateList::empty(object, record));
        let Some(mut list) = stored.get(&of).cloned().or(unmatched) else { return Ok(()) };
        list.ruling = correction.map(|c| c.ruling).filter(|ruling| *ruling != Ruling::default());
        if let Some(version) = self.runs.current_directory().await? {
            list = self.resolved(&version, list).await?;
        }
        let Some(kind) = entity_kind_of(object) else { return Ok(()) };
        let lists = BTreeMap::from([(of, list)]);
        let rules = self.rules(generation).await?;
        let mut near = Neighbourhood::around(kind, rules, lists, stored);
        self.close(generation, &mut near).await?;
        near.assign();
        self.write(generation, lease, &near).await?;
        Ok(())
    }

    /// The rules of this moment. Who settles has the lease: what was settled by the rules of before
    /// is settled anew by the run that a change of them began.
    async fn rules(&self, generation: &OpenGeneration) -> Result<DecisionRules, WorkError> {
        let slot = keys::match_rules(generation.keys.scope().tenant_environment());
        let kept = self.store.read(&slot).await?.unwrap_or_default();
        Ok(DecisionRules::new(self.models.thresholds(), kept))
    }

    /// The lists of the batch's records, as the shards' candidates make them; none when some of
    /// those are gone.
    async fn ranked(
        &self,
        generation: &OpenGeneration,
        run: &MatchRun,
        batch: &Batch,
    ) -> Result<Option<Neighbourhood>, WorkError> {
        let Some(version) = self.runs.version(run.directory).await? else {
            return Err(WorkError::reject("settle a batch", "the run's directory version is gone"));
        };
        let model = self.models.chosen(generation, run.model).await?;
        let (object, kind) = (batch.object, kind_of(batch)?);
        let scored = self.merged(generation, run, &version, batch).await?;
        let Some(scored) = scored else { return Ok(None) };
        let records = scored.keys().map(|&id| RecordRef { object, id }).collect();
        let before = self.load_lists(generation, &records).await?;
        // The current version matches everything anew. What it did not change still names the
        // version in which it was found: a late batch of one in between must not pass for newer.
        let current = self.runs.current_directory().await?;
        let is_replaced = run.trigger != MatchTrigger::Import
            && current.is_some_and(|current| run.directory < current.id);
        let lists = stream::iter(scored)
            .map(|(id, entry)| {
                let record = RecordRef { object, id };
                let old = before.get(&record).cloned();
                let list = old.unwrap_or_else(|| CandidateList::empty(object, id));
                let is_outdated = is_outdated(&list, entry.stamp, (run, is_replaced));
                let ranked = self.rank(&model, &version, run, list.clone(), entry);
                async move {
                    if is_outdated {
                        return Ok::<_, WorkError>(Some((record, list)));
                    }
                    let ranked = ranked.await?;
                    // A run that finds the same again writes nothing.
                    let is_same = list.run.is_some() && ranked.is_same_found_again(&list);
                    let is_counted = list.new_in.is_none_or(|batch| batch.run != run.id);
                    let is_settled =
                        is_same && is_counted && run.trigger == MatchTrigger::Directory;
                    let settled_anew = if is_same { list } else { ranked };
                    Ok((!is_settled).then_some((record, settled_anew)))
                }
            })
            .buffered(CONCURRENT_RULINGS)
            // What another version of the directory leaves as it is, is settled already.
            .try_filter_map(|settled_anew| future::ready(Ok(settled_anew)))
            .try_collect()
            .await?;
        let rules = self.rules(generation).await?;
        Ok(Some(Neighbourhood::around(kind, rules, lists, before)))
    }

    /// A list as a run's candidates make it.
    async fn rank(
        &self,
        model: &MatchModel,
        version: &DirectoryVersion,
        run: &MatchRun,
        mut list: CandidateList,
        entry: ScoredEntry,
    ) -> Result<CandidateList, WorkError> {
        list.candidates = ranked(model, list.object, entry.candidates)?;
        for company in list.candidates.iter_mut().filter_map(|found| found.company.as_mut()) {
            *company = self.entities.name(version, company).await?;
        }
        list.gone = entry.gone;
        list.stamp = entry.stamp;
        list.run = Some(run.id);
        list.directory = Some(run.directory);
        list.model = run.model;
        self.resolved(version, list).await
    }

    /// The list with its ruling in terms of a version's entities.
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

    /// Every record's candidates from all shards; none when some are gone.
    async fn merged(
        &self,
        generation: &OpenGeneration,
        run: &MatchRun,
        version: &DirectoryVersion,
        batch: &Batch,
    ) -> Result<Option<BTreeMap<SalesforceId, ScoredEntry>>, WorkError> {
        let kind = kind_of(batch)?;
        if version.shards(kind) == 0 {
            return self.unscored(generation, run, batch).await;
        }
        let mut merged: BTreeMap<SalesforceId, ScoredEntry> = BTreeMap::new();
        for shard in 0..version.shards(kind) {
            let key = scored_object(generation.keys.scope(), run.id, batch.number, shard);
            let Some(plain) = generation.get_object(&self.ports, &key).await? else {
                return Ok(None);
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
                        merged.insert(entry.record, entry);
                    }
                }
            }
        }
        Ok(Some(merged))
    }

    /// The records of a batch that no shard was scored against: they have no candidates. None when
    /// the batch is gone.
    async fn unscored(
        &self,
        generation: &OpenGeneration,
        run: &MatchRun,
        batch: &Batch,
    ) -> Result<Option<BTreeMap<SalesforceId, ScoredEntry>>, WorkError> {
        let key = batch_object(generation.keys.scope(), run.id, batch.number);
        let Some(plain) = generation.get_object(&self.ports, &key).await? else {
            return Ok(None);
        };
        let probes: Vec<ProbeEntry> = serde_json::from_slice(&plain)
            .map_err(|error| WorkError::reject("read a batch", error))?;
        let entry = |ProbeEntry { record, stamp, probe }| {
            let gone = probe.is_none();
            (record, ScoredEntry { record, stamp, gone, candidates: Vec::new() })
        };
        Ok(Some(probes.into_iter().map(entry).collect()))
    }
}

/// When a batch that met another settlement looks again, while so many batches of its run are left:
/// at random within the time in which each of them may look once.
fn next_look(left: u64, random: u128) -> Duration {
    let span = (2 * left / LOOKS_PER_SECOND).clamp(BUSY.as_secs(), LONGEST_WAIT);
    let drawn = u64::try_from(random % u128::from(span)).unwrap_or(0);
    BUSY + Duration::from_secs(drawn)
}

/// The kind of entity that a batch's records are matched to.
fn kind_of(batch: &Batch) -> Result<EntityKind, WorkError> {
    entity_kind_of(batch.object)
        .ok_or_else(|| WorkError::reject("settle a batch", "an object that is not matched"))
}

/// The best candidates of all shards, with their probabilities.
fn ranked(
    model: &MatchModel,
    object: SObject,
    mut scored: Vec<ScoredCandidate>,
) -> Result<Vec<RankedCandidate>, WorkError> {
    let Some(kind) = entity_kind_of(object) else { return Ok(Vec::new()) };
    // Each shard gives its best. Only as many as one shard would give are weighed against each
    // other: otherwise the probabilities would depend on the number of shards.
    scored.sort_unstable_by(|left, right| {
        let (left, right) = (&left.candidate, &right.candidate);
        let by_weight = right.weight.bits().total_cmp(&left.weight.bits());
        by_weight.then_with(|| left.entity_id.cmp(&right.entity_id))
    });
    scored.truncate(KEPT_CANDIDATES);
    let candidates: Vec<Candidate> = scored.iter().map(|s| s.candidate.clone()).collect();
    let is_lead = object == SObject::Lead;
    let beside = scored.into_iter().map(|s| (s.evidence, s.company.filter(|_| is_lead)));
    posterior(model, kind, &candidates)
        .into_iter()
        .zip(beside)
        .map(|(Scored { candidate, probability }, (evidence, company))| {
            let entity = candidate.entity_id.parse();
            Ok(RankedCandidate {
                entity: entity.map_err(|error| WorkError::reject("rank candidates", error))?,
                weight: candidate.weight.bits(),
                probability,
                employer: candidate.employer,
                evidence,
                company,
            })
        })
        .collect()
}

/// True if a stored list is newer than a run's candidates: it is about a newer state of the record,
/// or about the same state in a newer directory or by a later model. So is every list that was
/// ranked, when a run of everything has been replaced by that of a newer version.
fn is_outdated(list: &CandidateList, stamp: i64, (run, is_replaced): (&MatchRun, bool)) -> bool {
    let newer_directory = list.directory.is_some_and(|directory| run.directory < directory);
    let later_model = run.model.number < list.model.number;
    let replaced = is_replaced && list.run.is_some();
    stamp < list.stamp || (stamp == list.stamp && (newer_directory || later_model || replaced))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use matching::{EmployerEvidence, MatchWeight};

    use super::*;
    use crate::capabilities::linking::ModelChoice;
    use crate::kernel::DirectoryVersionId;
    use crate::testing::record_id;

    fn scored(entity: &str, bits: f64) -> ScoredCandidate {
        let candidate = Candidate {
            entity_id: entity.to_owned(),
            weight: MatchWeight::new(bits),
            employer: EmployerEvidence::Unknown,
        };
        let company = Some(format!("company of {entity}").parse().unwrap());
        ScoredCandidate { candidate, evidence: format!("evidence of {entity}"), company }
    }

    fn names(ranked: &[RankedCandidate]) -> Vec<&str> {
        ranked.iter().map(|candidate| candidate.entity.as_str()).collect()
    }

    #[test]
    fn candidates_rank_by_weight_whatever_the_order_of_the_shards() {
        let model = MatchModel::shipped().unwrap();
        let all = [scored("b", 9.0), scored("c", 3.0), scored("a", 9.0), scored("d", 12.0)];
        let forward = ranked(model, SObject::Lead, all.to_vec()).unwrap();
        let backward = ranked(model, SObject::Lead, all.iter().rev().cloned().collect()).unwrap();
        assert_eq!(names(&forward), ["d", "a", "b", "c"], "equal weights rank by id");
        assert_eq!(forward, backward);
        assert!(forward.iter().all(|c| c.evidence == format!("evidence of {}", c.entity)));
        assert!(forward.is_sorted_by(|left, right| left.probability >= right.probability));
    }

    #[test]
    fn however_many_batches_wait_for_the_lease_few_look_for_it_in_a_second() {
        let draws = |left: u64| {
            let waits = (0..10_000_u128).map(move |n| next_look(left, n * 7_919).as_secs());
            waits.sum::<u64>().div_ceil(10_000)
        };
        for left in [100, 400, 2_050] {
            let looks = left / draws(left);
            assert!((8..=21).contains(&looks), "{left} batches look {looks} times a second");
        }
        assert_eq!(next_look(0, 5), BUSY);
        assert_eq!(next_look(9, u128::MAX), BUSY, "a few come again at once");
        let longest = (0..1_000).map(|n| next_look(1 << 30, n)).max().unwrap();
        assert!(longest <= Duration::from_mins(15), "no longer than a queue holds a message");
    }

    #[test]
    fn more_shards_give_no_more_candidates_than_one() {
        let model = MatchModel::shipped().unwrap();
        let shard = |n: u32| (0..KEPT_CANDIDATES).map(move |m| (n, m));
        let all = (0..3).flat_map(shard);
        let all = all.map(|(n, m)| scored(&format!("{n}-{m}"), f64::from(n) + 1.0)).collect();
        let kept = ranked(model, SObject::Contact, all).unwrap();
        assert_eq!(kept.len(), KEPT_CANDIDATES);
        assert!(names(&kept).iter().all(|name| name.starts_with("2-")));
    }

    #[test]
    fn a_candidate_whose_id_is_none_fails_and_an_object_that_is_not_matched_has_none() {
        let model = MatchModel::shipped().unwrap();
        assert!(ranked(model, SObject::Lead, vec![scored(" ", 9.0)]).is_err());
        assert_eq!(ranked(model, SObject::Task, vec![scored("a", 9.0)]).unwrap(), []);
    }

    #[test]
    fn candidates_are_outdated_by_a_newer_record_directory_or_model_only() {
        let (old, new) = (DirectoryVersionId::new(1, 1), DirectoryVersionId::new(2, 1));
        let choice = |number| ModelChoice { number, model: None };
        let run = |directory, number| {
            let (id, trigger) = (MatchRunId::derived("run"), MatchTrigger::Import);
            MatchRun::begin(id, trigger, directory, choice(number), Timestamp::UNIX_EPOCH)
        };
        let is_outdated = |list: &CandidateList, stamp, run: &MatchRun| {
            super::is_outdated(list, stamp, (run, false))
        };
        let list = |directory, number| CandidateList {
            stamp: 5,
            directory: Some(directory),
            model: choice(number),
            ..CandidateList::empty(SObject::Lead, record_id("00Q", 1))
        };
        assert!(is_outdated(&list(old, 0), 4, &run(new, 9)), "about an older state of the record");
        assert!(!is_outdated(&list(new, 9), 6, &run(old, 0)), "about a newer state");
        assert!(is_outdated(&list(new, 0), 5, &run(old, 0)));
        assert!(is_outdated(&list(old, 1), 5, &run(new, 0)));
        assert!(!is_outdated(&list(old, 0), 5, &run(old, 0)), "the same again");
        assert!(!is_outdated(&list(old, 0), 5, &run(new, 1)));
        let unranked = CandidateList::empty(SObject::Lead, record_id("00Q", 1));
        assert!(!is_outdated(&unranked, 0, &run(old, 0)));
        let replaced =
            |list: &CandidateList, stamp| super::is_outdated(list, stamp, (&run(new, 0), true));
        let ranked = CandidateList { run: Some(MatchRunId::derived("before")), ..list(old, 0) };
        assert!(replaced(&ranked, 5), "the newest version has been here, or will come");
        assert!(!replaced(&ranked, 6) && !replaced(&list(old, 0), 5));
    }
}
