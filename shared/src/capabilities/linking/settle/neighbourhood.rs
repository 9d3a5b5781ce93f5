//! The part of a connection's matches that a settlement touches: found by what is stored, assigned
//! anew, and written where it differs.

use std::collections::{BTreeMap, BTreeSet};

use matching::{AssignedBy, Bid, ComponentWalk, Load, Ruling, Thresholds, assign};

use super::Settle;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::{
    CandidateList, EntityBid, EntityMatches, MatchSource, RecordDecision,
};
use crate::kernel::{AutoSaveMessage, LeaseToken, SObject};
use crate::ports::Condition;
use crate::store::{self, Next};
use crate::work::WorkError;

/// How many items one transaction writes, besides the check of the lease and a due item.
const WRITES: usize = 90;

/// The part of a connection's matches that a settlement touches.
pub(super) struct Neighbourhood {
    object: SObject,
    thresholds: Thresholds,
    /// Every list as it will be.
    lists: BTreeMap<String, CandidateList>,
    /// Every list as it is stored.
    stored_lists: BTreeMap<String, CandidateList>,
    entities: BTreeMap<String, EntityMatches>,
    stored_entities: BTreeMap<String, EntityMatches>,
}

impl Neighbourhood {
    /// Around these lists, of which `stored` are stored otherwise or alike.
    pub(super) fn around(
        object: SObject,
        thresholds: Thresholds,
        lists: BTreeMap<String, CandidateList>,
        stored: BTreeMap<String, CandidateList>,
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
    fn asked(&self, record: &str) -> BTreeSet<String> {
        let lists = self.lists.get(record).into_iter().chain(self.stored_lists.get(record));
        lists
            .flat_map(|list| {
                let asked = bids(list, self.thresholds).into_iter().map(|bid| bid.entity);
                asked.chain(list.matched.clone())
            })
            .collect()
    }

    /// Adds entities with what is stored of them.
    fn add_entities(&mut self, ids: BTreeSet<String>, stored: BTreeMap<String, EntityMatches>) {
        let nobody_asks = |id: String| (id.clone(), EntityMatches::empty(self.object, id));
        self.entities.extend(ids.into_iter().map(nobody_asks));
        self.entities.extend(stored.clone());
        self.stored_entities.extend(stored);
    }

    /// Assigns entities to records, one to one.
    pub(super) fn assign(&mut self) {
        let mut asked: BTreeMap<String, Vec<EntityBid>> = BTreeMap::new();
        let mut all = Vec::new();
        let mut rulings = BTreeMap::new();
        for (record, list) in &self.lists {
            for bid in bids(list, self.thresholds) {
                let always = list.always.as_ref() == Some(&bid.entity);
                let stored =
                    EntityBid { record: record.clone(), probability: bid.probability, always };
                asked.entry(bid.entity.clone()).or_default().push(stored);
                all.push(bid);
            }
            rulings.insert(record.clone(), ruling(list));
        }
        let assignment = assign(all, &rulings, 0.0);
        // Two records may be ruled to be one entity: the first is the one that the entity shows.
        let mut holders: BTreeMap<&str, &str> = BTreeMap::new();
        for (record, assigned) in &assignment.matched {
            holders.entry(&assigned.entity).or_insert(record);
        }
        for (entity, matches) in &mut self.entities {
            matches.bids = asked.remove(entity).unwrap_or_default();
            matches.matched = holders.get(entity.as_str()).map(|&record| record.to_owned());
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
fn asking(entity: &EntityMatches) -> impl Iterator<Item = String> {
    entity.bids.iter().map(|bid| &bid.record).chain(&entity.matched).cloned()
}

/// A record's bids: for what a person linked it to, or for every candidate that is likely enough.
/// A record that is gone asks for nothing.
fn bids(list: &CandidateList, thresholds: Thresholds) -> Vec<Bid> {
    let bid = |entity: &String, probability| Bid {
        record: list.id.clone(),
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

/// What a person decided about a record, in the engine's words.
fn ruling(list: &CandidateList) -> Ruling {
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
        opened: &OpenGeneration,
        near: &mut Neighbourhood,
    ) -> Result<(), WorkError> {
        let mut walk = ComponentWalk::from_records(near.lists.keys().cloned());
        walk.reach_entities(near.lists.keys().flat_map(|record| near.asked(record)));
        while let Some(load) = walk.next_load() {
            match load {
                Load::Entities(ids) => {
                    let stored = self.load_entities(opened, near.object, &ids).await?;
                    walk.reach_records(stored.values().flat_map(asking));
                    near.add_entities(ids, stored);
                }
                Load::Records(ids) => {
                    let stored = self.load_lists(opened, near.object, &ids).await?;
                    near.lists.extend(stored.clone());
                    walk.reach_entities(stored.keys().flat_map(|record| near.asked(record)));
                    near.stored_lists.extend(stored);
                }
            }
        }
        Ok(())
    }

    /// Writes what differs from what is stored; says how many records' matches changed.
    pub(super) async fn write(
        &self,
        opened: &OpenGeneration,
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
                .then(|| Next::now(AutoSaveMessage::Records { scope, object, records }));
            let writes = chunk.iter().map(|c| c.2.clone()).collect();
            self.commit(opened, lease, writes, next.into_iter().collect()).await?;
        }
        Ok(changed)
    }

    pub(super) async fn load_lists(
        &self,
        opened: &OpenGeneration,
        object: SObject,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, CandidateList>, WorkError> {
        let keys: Vec<_> = ids.iter().map(|id| opened.keys.candidates(object, id)).collect();
        let lists: Vec<CandidateList> = store::get_many(&*self.ports.table, &keys).await?;
        Ok(lists.into_iter().map(|list| (list.id.clone(), list)).collect())
    }

    async fn load_entities(
        &self,
        opened: &OpenGeneration,
        object: SObject,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, EntityMatches>, WorkError> {
        let keys: Vec<_> = ids.iter().map(|id| opened.keys.entity(object, id)).collect();
        let entities: Vec<EntityMatches> = store::get_many(&*self.ports.table, &keys).await?;
        Ok(entities.into_iter().map(|e| (e.entity.clone(), e)).collect())
    }
}
