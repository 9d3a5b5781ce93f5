//! The part of a connection's matches that a settlement touches.
//!
//! The walk from the records at hand finds it, the assignment decides it anew, and the difference
//! is written.

use std::collections::{BTreeMap, BTreeSet};

use matching::{AssignedBy, Bid, ComponentWalk, Load, Ruling, Thresholds, assign};

use super::Settle;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::lease::check_lease;
use crate::capabilities::linking::{
    CandidateList, EntityBid, EntityMatches, MatchSource, RecordDecision,
};
use crate::kernel::{AutoSaveMessage, EntityId, LeaseToken, SObject};
use crate::salesforce::SalesforceId;
use crate::store::{Commit, Stored};
use crate::work::WorkError;

/// How many items one transaction writes. It checks the lease and writes a due item besides.
const WRITES: usize = 90;

/// The part of a connection's matches that a settlement touches.
pub(super) struct Neighbourhood {
    object: SObject,
    thresholds: Thresholds,
    /// Every list as it will be.
    lists: BTreeMap<SalesforceId, CandidateList>,
    /// Every list as it is stored.
    stored_lists: BTreeMap<SalesforceId, CandidateList>,
    entities: BTreeMap<EntityId, EntityMatches>,
    stored_entities: BTreeMap<EntityId, EntityMatches>,
}

impl Neighbourhood {
    /// The neighbourhood around these lists; `stored` are the same lists as they are stored.
    pub(super) fn around(
        object: SObject,
        thresholds: Thresholds,
        lists: BTreeMap<SalesforceId, CandidateList>,
        stored: BTreeMap<SalesforceId, CandidateList>,
    ) -> Self {
        Self {
            object,
            thresholds,
            lists,
            stored_lists: stored,
            entities: BTreeMap::new(),
            stored_entities: BTreeMap::new(),
        }
    }

    /// The entities that a record asks for or is linked to, now or as it is stored.
    fn asked(&self, record: SalesforceId) -> BTreeSet<EntityId> {
        let lists = self.lists.get(&record).into_iter().chain(self.stored_lists.get(&record));
        lists
            .flat_map(|list| {
                let asked = bids(list, self.thresholds).into_iter().map(|bid| bid.entity);
                asked.chain(list.matched.clone())
            })
            .collect()
    }

    /// Adds entities, with their stored matches.
    fn add_entities(&mut self, ids: BTreeSet<EntityId>, stored: BTreeMap<EntityId, EntityMatches>) {
        let nobody_asks = |id: EntityId| (id.clone(), EntityMatches::empty(self.object, id));
        self.entities.extend(ids.into_iter().map(nobody_asks));
        self.entities.extend(stored.clone());
        self.stored_entities.extend(stored);
    }

    /// The entities that are to be written.
    fn changed_entities(&self) -> impl Iterator<Item = (&EntityId, &EntityMatches)> {
        self.entities.iter().filter(|(id, entity)| self.stored_entities.get(*id) != Some(*entity))
    }

    /// The lists that are to be written.
    fn changed_lists(&self) -> impl Iterator<Item = (&SalesforceId, &CandidateList)> {
        self.lists.iter().filter(|(id, list)| self.stored_lists.get(*id) != Some(*list))
    }

    /// True if the record is linked otherwise than the stored list says.
    fn is_relinked(&self, record: SalesforceId, list: &CandidateList) -> bool {
        let stored = self.stored_lists.get(&record).and_then(|stored| stored.matched.as_ref());
        stored != list.matched.as_ref()
    }

    /// Assigns entities to records, one to one.
    pub(super) fn assign(&mut self) {
        let mut asked: BTreeMap<EntityId, Vec<EntityBid>> = BTreeMap::new();
        let mut all = Vec::new();
        let mut rulings = BTreeMap::new();
        for (&record, list) in &self.lists {
            for bid in bids(list, self.thresholds) {
                let always = list.always.as_ref() == Some(&bid.entity);
                let stored = EntityBid { record, probability: bid.probability, always };
                asked.entry(bid.entity.clone()).or_default().push(stored);
                all.push(bid);
            }
            rulings.insert(record, ruling(list));
        }
        let assignment = assign(all, &rulings, 0.0);
        // Two records may be ruled to be one entity: the first is the one that the entity shows.
        let mut holders: BTreeMap<&EntityId, SalesforceId> = BTreeMap::new();
        for (&record, assigned) in &assignment.matched {
            holders.entry(&assigned.entity).or_insert(record);
        }
        for (entity, matches) in &mut self.entities {
            matches.bids = asked.remove(entity).unwrap_or_default();
            matches.matched = holders.get(entity).copied();
        }
        for (record, list) in &mut self.lists {
            let assigned = assignment.matched.get(record);
            list.matched = assigned.map(|a| a.entity.clone());
            list.source = assigned.map(|a| match a.by {
                AssignedBy::Ruling => {
                    list.ruling.as_ref().map_or(MatchSource::Manual, |ruling| ruling.source)
                }
                AssignedBy::Bid => MatchSource::Auto,
            });
            list.decision = decide(list, self.thresholds);
        }
    }
}

/// The records that ask for an entity, and the one that holds it.
fn asking(entity: &EntityMatches) -> impl Iterator<Item = SalesforceId> {
    entity.bids.iter().map(|bid| bid.record).chain(entity.matched)
}

/// A record's bids: for what a person linked it to, or for every candidate that is likely enough.
/// A record that is gone asks for nothing.
fn bids(list: &CandidateList, thresholds: Thresholds) -> Vec<Bid<SalesforceId, EntityId>> {
    let bid = |entity: &EntityId, probability| Bid {
        record: list.id,
        entity: entity.clone(),
        probability,
    };
    match &list.always {
        _ if list.gone => Vec::new(),
        Some(entity) => vec![bid(entity, 1.0)],
        None => {
            let likely = list.candidates.iter().filter(|c| c.probability >= thresholds.match_at);
            likely
                .filter(|c| !list.never.contains(&c.entity))
                .map(|c| bid(&c.entity, c.probability))
                .collect()
        }
    }
}

/// A person's ruling about a record, in the engine's terms.
fn ruling(list: &CandidateList) -> Ruling<EntityId> {
    if list.gone {
        return Ruling::default();
    }
    Ruling { matched: list.always.clone(), unmatched: list.never.iter().cloned().collect() }
}

fn decide(list: &CandidateList, thresholds: Thresholds) -> RecordDecision {
    if list.matched.is_some() {
        return RecordDecision::Match;
    }
    if !bids(list, thresholds).is_empty() {
        return RecordDecision::Duplicate;
    }
    let best = list
        .candidates
        .iter()
        .filter(|c| !list.never.contains(&c.entity))
        .map(|c| c.probability)
        .fold(0.0, f64::max);
    if best >= thresholds.review_at { RecordDecision::Review } else { RecordDecision::NonMatch }
}

impl Settle {
    /// Loads everything that is connected to the records at hand.
    pub(super) async fn close(
        &self,
        generation: &OpenGeneration,
        near: &mut Neighbourhood,
    ) -> Result<(), WorkError> {
        let mut walk = ComponentWalk::from_records(near.lists.keys().copied());
        walk.reach_entities(near.lists.keys().flat_map(|&record| near.asked(record)));
        while let Some(load) = walk.next_load() {
            match load {
                Load::Entities(ids) => {
                    let stored = self.load_entities(generation, near.object, &ids).await?;
                    walk.reach_records(stored.values().flat_map(asking));
                    near.add_entities(ids, stored);
                }
                Load::Records(ids) => {
                    let stored = self.load_lists(generation, near.object, &ids).await?;
                    near.lists.extend(stored.clone());
                    walk.reach_entities(stored.keys().flat_map(|&record| near.asked(record)));
                    near.stored_lists.extend(stored);
                }
            }
        }
        Ok(())
    }

    /// Writes the entities and lists that differ from the stored ones. Gives the number of records
    /// whose match changed.
    ///
    /// The lease guards these documents, so they are put whatever lies there.
    pub(super) async fn write(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        near: &Neighbourhood,
    ) -> Result<u64, WorkError> {
        let keys = generation.keys;
        let entities: Vec<_> = near.changed_entities().collect();
        for chunk in entities.chunks(WRITES) {
            let mut commit = Commit::new();
            for (id, entity) in chunk {
                let slot = keys.entity(near.object, id);
                if entity.bids.is_empty() {
                    commit.delete(&slot);
                } else {
                    commit.put(&slot, *entity)?;
                }
            }
            self.commit_under(generation, lease, commit).await?;
        }
        let lists: Vec<_> = near.changed_lists().collect();
        let mut changed = 0;
        for chunk in lists.chunks(WRITES) {
            let mut commit = Commit::new();
            let mut records = Vec::new();
            for &(&id, list) in chunk {
                commit.put(&keys.candidates(near.object, id), list)?;
                records.extend(near.is_relinked(id, list).then_some(id));
            }
            changed += records.len() as u64;
            let (scope, object) = (keys.scope(), near.object);
            // No auto-save rule is about leads so far.
            if object != SObject::Lead && !records.is_empty() {
                commit.now(AutoSaveMessage::Records { scope, object, records });
            }
            self.commit_under(generation, lease, commit).await?;
        }
        Ok(changed)
    }

    async fn commit_under(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        mut commit: Commit,
    ) -> Result<(), WorkError> {
        check_lease(&mut commit, generation, lease)?;
        if generation.store.commit(commit).await?.is_done() {
            Ok(())
        } else {
            Err(WorkError::retry("settle a batch", "the lease was lost"))
        }
    }

    pub(super) async fn load_lists(
        &self,
        generation: &OpenGeneration,
        object: SObject,
        ids: &BTreeSet<SalesforceId>,
    ) -> Result<BTreeMap<SalesforceId, CandidateList>, WorkError> {
        let slots = ids.iter().map(|&id| generation.keys.candidates(object, id));
        let lists = generation.store.load_many(slots).await?.into_iter().map(Stored::into_inner);
        Ok(lists.map(|list| (list.id, list)).collect())
    }

    async fn load_entities(
        &self,
        generation: &OpenGeneration,
        object: SObject,
        ids: &BTreeSet<EntityId>,
    ) -> Result<BTreeMap<EntityId, EntityMatches>, WorkError> {
        let slots = ids.iter().map(|id| generation.keys.entity(object, id));
        let entities = generation.store.load_many(slots).await?.into_iter().map(Stored::into_inner);
        Ok(entities.map(|matches| (matches.entity.clone(), matches)).collect())
    }
}

#[cfg(test)]
mod tests {
    use matching::EmployerEvidence;

    use super::*;
    use crate::capabilities::linking::RankedCandidate;
    use crate::testing::{entity_id, record_id};

    const THRESHOLDS: Thresholds = Thresholds { match_at: 0.9, review_at: 0.5 };

    fn lead(number: u64) -> SalesforceId {
        record_id("00Q", number)
    }

    /// The list of a lead with candidates of these probabilities.
    fn list(number: u64, candidates: &[(&str, f64)]) -> CandidateList {
        let candidate = |&(entity, probability): &(&str, f64)| RankedCandidate {
            entity: entity_id(entity),
            weight: 0.0,
            probability,
            employer: EmployerEvidence::Unknown,
            evidence: String::new(),
        };
        let candidates = candidates.iter().map(candidate).collect();
        CandidateList { candidates, ..CandidateList::empty(SObject::Lead, lead(number)) }
    }

    fn around(lists: &[CandidateList], stored: &[CandidateList]) -> Neighbourhood {
        let by_id = |lists: &[CandidateList]| {
            lists.iter().map(|list| (list.id, list.clone())).collect::<BTreeMap<_, _>>()
        };
        Neighbourhood::around(SObject::Lead, THRESHOLDS, by_id(lists), by_id(stored))
    }

    fn bid_for(list: &CandidateList) -> Vec<(String, f64)> {
        let bids = bids(list, THRESHOLDS).into_iter();
        bids.map(|bid| (bid.entity.to_string(), bid.probability)).collect()
    }

    #[test]
    fn a_record_bids_for_what_is_likely_and_not_refused() {
        let mut list = list(1, &[("a", 0.95), ("b", 0.9), ("c", 0.89)]);
        assert_eq!(bid_for(&list), [("a".to_owned(), 0.95), ("b".to_owned(), 0.9)]);
        list.never = vec![entity_id("a")];
        assert_eq!(bid_for(&list), [("b".to_owned(), 0.9)]);
    }

    #[test]
    fn a_persons_link_is_the_only_bid_and_is_certain() {
        let mut list = list(1, &[("a", 0.95)]);
        list.always = Some(entity_id("z"));
        assert_eq!(bid_for(&list), [("z".to_owned(), 1.0)]);
    }

    #[test]
    fn a_record_that_is_gone_bids_for_nothing_and_its_ruling_sleeps() {
        let mut list = list(1, &[("a", 0.95)]);
        (list.always, list.never) = (Some(entity_id("z")), vec![entity_id("y")]);
        assert_ne!(ruling(&list), Ruling::default());
        list.gone = true;
        assert_eq!(bid_for(&list), []);
        assert_eq!(ruling(&list), Ruling::default());
    }

    #[test]
    fn the_decision_follows_the_link_then_the_bids_then_the_best_candidate_not_refused() {
        let decided = |list: &CandidateList| decide(list, THRESHOLDS);
        let mut sure = list(1, &[("a", 0.95), ("b", 0.6)]);
        assert_eq!(decided(&sure), RecordDecision::Duplicate, "another record has its entity");
        sure.never = vec![entity_id("a")];
        assert_eq!(decided(&sure), RecordDecision::Review);
        sure.never.push(entity_id("b"));
        assert_eq!(decided(&sure), RecordDecision::NonMatch);
        sure.matched = Some(entity_id("z"));
        assert_eq!(decided(&sure), RecordDecision::Match);
        assert_eq!(decided(&list(1, &[("a", 0.5)])), RecordDecision::Review);
        assert_eq!(decided(&list(1, &[("a", 0.49)])), RecordDecision::NonMatch);
        assert_eq!(decided(&list(1, &[])), RecordDecision::NonMatch);
    }

    #[test]
    fn an_entity_goes_to_the_likeliest_record_and_shows_all_bids_by_record() {
        let lists = [list(1, &[("a", 0.92)]), list(2, &[("a", 0.97)])];
        let mut near = around(&lists, &[]);
        near.add_entities(BTreeSet::from([entity_id("a")]), BTreeMap::new());
        near.assign();
        let entity = &near.entities[&entity_id("a")];
        assert_eq!(entity.matched, Some(lead(2)));
        assert_eq!(asking(entity).collect::<Vec<_>>(), [lead(1), lead(2), lead(2)]);
        let (loser, winner) = (&near.lists[&lead(1)], &near.lists[&lead(2)]);
        assert_eq!((&loser.matched, loser.decision), (&None, RecordDecision::Duplicate));
        assert_eq!(winner.matched, Some(entity_id("a")));
        assert_eq!((winner.source, loser.source), (Some(MatchSource::Auto), None));
    }

    #[test]
    fn a_ruling_takes_the_entity_and_its_source_from_the_person() {
        let mut ruled = list(1, &[]);
        ruled.always = Some(entity_id("a"));
        let source = MatchSource::Created;
        ruled.ruling = Some(crate::capabilities::linking::Ruling { source, ..Default::default() });
        let mut near = around(&[ruled, list(2, &[("a", 0.99)])], &[]);
        near.add_entities(BTreeSet::from([entity_id("a")]), BTreeMap::new());
        near.assign();
        assert_eq!(near.entities[&entity_id("a")].matched, Some(lead(1)));
        assert!(near.entities[&entity_id("a")].bids[0].always);
        assert_eq!(near.lists[&lead(1)].source, Some(source));
        assert_eq!(near.lists[&lead(2)].decision, RecordDecision::Duplicate);
    }

    #[test]
    fn a_record_reaches_what_it_asks_for_and_what_it_held() {
        let mut stored = list(1, &[("old", 0.95)]);
        stored.matched = Some(entity_id("held"));
        let near = around(&[list(1, &[("new", 0.95), ("unlikely", 0.1)])], &[stored]);
        assert_eq!(near.asked(lead(1)), ["held", "new", "old"].map(entity_id).into());
    }

    #[test]
    fn only_what_differs_from_the_stored_is_written() {
        let mut before = around(&[list(1, &[("a", 0.95)]), list(2, &[])], &[]);
        before.add_entities(BTreeSet::from([entity_id("a")]), BTreeMap::new());
        before.assign();
        let stored: Vec<_> = before.lists.values().cloned().collect();
        let mut again = around(&stored, &stored);
        again.add_entities(BTreeSet::from([entity_id("a")]), before.entities.clone());
        again.assign();
        assert_eq!((again.changed_lists().count(), again.changed_entities().count()), (0, 0));

        again.lists.insert(lead(1), list(1, &[]));
        again.assign();
        assert_eq!(again.changed_lists().map(|(id, _)| *id).collect::<Vec<_>>(), [lead(1)]);
        assert_eq!(again.changed_entities().count(), 1);
        assert!(again.is_relinked(lead(1), &again.lists[&lead(1)]));
        assert!(!again.is_relinked(lead(2), &again.lists[&lead(2)]));
    }
}
