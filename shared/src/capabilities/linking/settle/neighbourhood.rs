//! The part of a connection's matches that a settlement touches.
//!
//! The walk from the records at hand finds it, the assignment decides it anew, and the difference
//! is written.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use matching::{AssignedBy, Bid, ComponentWalk, EntityKind, Load, Ruling, assign};

use super::Settle;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::{
    BatchRef, CandidateList, DecisionCounts, DecisionRules, EntityBid, EntityMatches, MatchSource,
    RankedCandidate, RecordDecision,
};
use crate::kernel::{EntityId, RecordRef};
use crate::salesforce::SalesforceId;
use crate::store::Stored;
use crate::work::WorkError;

/// The part of a connection's matches that a settlement touches.
///
/// It holds the records of every object that an entity of its kind may be: a person is linked once,
/// be it to a lead or to a contact.
pub(super) struct Neighbourhood {
    pub(super) kind: EntityKind,
    rules: DecisionRules,
    /// Every list as it will be.
    lists: BTreeMap<RecordRef, CandidateList>,
    /// Every list as it is stored.
    pub(super) stored_lists: BTreeMap<RecordRef, CandidateList>,
    entities: BTreeMap<EntityId, EntityMatches>,
    pub(super) stored_entities: BTreeMap<EntityId, EntityMatches>,
}

impl Neighbourhood {
    /// The neighbourhood around these lists; `stored` are the same lists as they are stored.
    pub(super) fn around(
        kind: EntityKind,
        rules: DecisionRules,
        lists: BTreeMap<RecordRef, CandidateList>,
        stored: BTreeMap<RecordRef, CandidateList>,
    ) -> Self {
        Self {
            kind,
            rules,
            lists,
            stored_lists: stored,
            entities: BTreeMap::new(),
            stored_entities: BTreeMap::new(),
        }
    }

    /// The entities that a record asks for or is linked to, now or as it is stored.
    fn asked(&self, record: RecordRef) -> BTreeSet<EntityId> {
        let asked = |list: &CandidateList| {
            let asked = bids(list, &self.rules).into_iter().map(|bid| bid.entity);
            asked.chain(list.matched.clone()).collect::<Vec<_>>()
        };
        let stored = self.stored_lists.get(&record);
        let now = self.lists.get(&record).into_iter().chain(stored).flat_map(asked);
        // By rules that held once a record may have asked for others, which are to forget it.
        let once = stored.into_iter().flat_map(|list| {
            let once = |candidate: &&RankedCandidate| self.rules.once_allowed(candidate);
            list.candidates.iter().filter(once).map(|candidate| candidate.entity.clone())
        });
        now.chain(once).collect()
    }

    /// Adds entities, with their stored matches.
    fn add_entities(&mut self, ids: BTreeSet<EntityId>, stored: BTreeMap<EntityId, EntityMatches>) {
        let nobody_asks = |id: EntityId| (id.clone(), EntityMatches::empty(self.kind, id));
        self.entities.extend(ids.into_iter().map(nobody_asks));
        self.entities.extend(stored.clone());
        self.stored_entities.extend(stored);
    }

    /// The entities that are to be written. One for which nobody asks is not stored.
    pub(super) fn changed_entities(&self) -> impl Iterator<Item = (&EntityId, &EntityMatches)> {
        self.entities.iter().filter(|(id, entity)| match self.stored_entities.get(*id) {
            Some(stored) => stored != *entity,
            None => !entity.bids.is_empty(),
        })
    }

    /// The lists that are to be written.
    pub(super) fn changed_lists(&self) -> impl Iterator<Item = (&RecordRef, &CandidateList)> {
        self.lists.iter().filter(|(id, list)| self.stored_lists.get(*id) != Some(*list))
    }

    /// Where a lead's person works as the stored list says, and as it will be.
    pub(super) fn employers<'n>(
        &'n self,
        record: &RecordRef,
        list: &'n CandidateList,
    ) -> [Option<&'n EntityId>; 2] {
        let stored = self.stored_lists.get(record);
        [stored.and_then(CandidateList::employer), list.employer()]
    }

    /// The lists that a batch wrote first, or is to write first.
    pub(super) fn new_lists(&self, batch: BatchRef) -> impl Iterator<Item = &CandidateList> {
        let is_new = move |list: &&CandidateList| list.new_in == Some(batch);
        self.lists.values().filter(is_new)
    }

    /// Marks the lists that are not stored as the batch's.
    pub(super) fn mark_new(&mut self, batch: BatchRef) {
        for (record, list) in &mut self.lists {
            if !self.stored_lists.contains_key(record) {
                list.new_in = Some(batch);
            }
        }
    }

    /// What the lists that a batch wrote first add to the counts.
    pub(super) fn counts_of_new(&self, batch: BatchRef) -> DecisionCounts {
        let mut counts = DecisionCounts::default();
        self.new_lists(batch).for_each(|list| counts.count(None, list));
        counts
    }

    /// The records of the lists that a batch wrote first that are linked, or work somewhere: what
    /// auto-save is to look at.
    pub(super) fn new_links(&self, batch: BatchRef) -> Vec<SalesforceId> {
        let is_linked = |list: &&CandidateList| list.matched.is_some() || list.employer().is_some();
        self.new_lists(batch).filter(is_linked).map(|list| list.id).collect()
    }

    /// True if the record is linked otherwise than the stored list says.
    pub(super) fn is_relinked(&self, record: RecordRef, list: &CandidateList) -> bool {
        let stored = self.stored_lists.get(&record).and_then(|stored| stored.matched.as_ref());
        stored != list.matched.as_ref()
    }

    /// Assigns entities to records, one to one.
    pub(super) fn assign(&mut self) {
        let mut asked: BTreeMap<EntityId, Vec<EntityBid>> = BTreeMap::new();
        let mut all = Vec::new();
        let mut rulings = BTreeMap::new();
        let last_word = last_words(self.lists.values());
        for (&record, list) in &self.lists {
            for bid in bids(list, &self.rules) {
                let always = list.always.as_ref() == Some(&bid.entity);
                let stored = EntityBid { record, probability: bid.probability, always };
                asked.entry(bid.entity.clone()).or_default().push(stored);
                all.push(bid);
            }
            rulings.insert(record, ruling(list, &last_word));
        }
        let assignment = assign(all, &rulings, 0.0);
        let holders: BTreeMap<&EntityId, RecordRef> =
            assignment.matched.iter().map(|(&record, a)| (&a.entity, record)).collect();
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
            list.decision = decide(list, &self.rules);
        }
    }
}

/// The records that ask for an entity, and the one that holds it.
fn asking(entity: &EntityMatches) -> impl Iterator<Item = RecordRef> {
    entity.bids.iter().map(|bid| bid.record).chain(entity.matched)
}

/// A record's bids: for what a person linked it to, or for every candidate that the rules allow.
/// A record that is gone asks for nothing.
fn bids(list: &CandidateList, rules: &DecisionRules) -> Vec<Bid<RecordRef, EntityId>> {
    let bid = |entity: &EntityId, probability| Bid {
        record: list.record(),
        entity: entity.clone(),
        probability,
    };
    match &list.always {
        _ if list.gone => Vec::new(),
        Some(entity) => vec![bid(entity, 1.0)],
        None => {
            let likely = list.candidates.iter().filter(|c| rules.allow(list.object, c));
            likely
                .filter(|c| !list.never.contains(&c.entity))
                .map(|c| bid(&c.entity, c.probability))
                .collect()
        }
    }
}

/// The record that each entity is linked to by the last word about it. People may link one entity
/// to several records; it is one of them, and the others are its duplicates.
fn last_words<'a>(
    lists: impl IntoIterator<Item = &'a CandidateList>,
) -> BTreeMap<&'a EntityId, RecordRef> {
    let mut last: BTreeMap<&EntityId, (Option<Timestamp>, RecordRef)> = BTreeMap::new();
    for list in lists.into_iter().filter(|list| !list.gone) {
        let Some(entity) = &list.always else { continue };
        let word = (list.ruling.as_ref().and_then(|ruling| ruling.since), list.record());
        let known = last.entry(entity).or_insert(word);
        if word.0 > known.0 {
            *known = word;
        }
    }
    last.into_iter().map(|(entity, (_, record))| (entity, record)).collect()
}

/// A person's ruling about a record, in the engine's terms.
fn ruling(list: &CandidateList, last_word: &BTreeMap<&EntityId, RecordRef>) -> Ruling<EntityId> {
    if list.gone {
        return Ruling::default();
    }
    let holds = |entity: &&EntityId| last_word.get(entity) == Some(&list.record());
    let matched = list.always.as_ref().filter(holds).cloned();
    Ruling { matched, unmatched: list.never.iter().cloned().collect() }
}

fn decide(list: &CandidateList, rules: &DecisionRules) -> RecordDecision {
    if list.matched.is_some() {
        return RecordDecision::Match;
    }
    if !bids(list, rules).is_empty() {
        return RecordDecision::Duplicate;
    }
    let best = list
        .candidates
        .iter()
        .filter(|c| !list.never.contains(&c.entity))
        .map(|c| c.probability)
        .fold(0.0, f64::max);
    if best >= rules.review_at() { RecordDecision::Review } else { RecordDecision::NonMatch }
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
                    let stored = self.load_entities(generation, near.kind, &ids).await?;
                    walk.reach_records(stored.values().flat_map(asking));
                    near.add_entities(ids, stored);
                }
                Load::Records(ids) => {
                    let stored = self.load_lists(generation, &ids).await?;
                    near.lists.extend(stored.clone());
                    walk.reach_entities(stored.keys().flat_map(|&record| near.asked(record)));
                    near.stored_lists.extend(stored);
                }
            }
        }
        Ok(())
    }

    pub(super) async fn load_lists(
        &self,
        generation: &OpenGeneration,
        records: &BTreeSet<RecordRef>,
    ) -> Result<BTreeMap<RecordRef, CandidateList>, WorkError> {
        let slots = records.iter().map(|of| generation.keys.candidates(of.object, of.id));
        let lists = generation.store.load_many(slots).await?.into_iter().map(Stored::into_inner);
        Ok(lists.map(|list| (list.record(), list)).collect())
    }

    async fn load_entities(
        &self,
        generation: &OpenGeneration,
        kind: EntityKind,
        ids: &BTreeSet<EntityId>,
    ) -> Result<BTreeMap<EntityId, EntityMatches>, WorkError> {
        let slots = ids.iter().map(|id| generation.keys.entity(kind, id));
        let entities = generation.store.load_many(slots).await?.into_iter().map(Stored::into_inner);
        Ok(entities.map(|matches| (matches.entity.clone(), matches)).collect())
    }
}

#[cfg(test)]
mod tests {
    use matching::EmployerEvidence;

    use super::*;
    use crate::kernel::SObject;
    use crate::testing::{entity_id, record_id};

    fn rules() -> DecisionRules {
        let thresholds = matching::Thresholds { match_at: 0.9, review_at: 0.5 };
        DecisionRules::new(thresholds, crate::capabilities::linking::KeptMatchRules::default())
    }

    fn lead(number: u64) -> RecordRef {
        RecordRef { object: SObject::Lead, id: record_id("00Q", number) }
    }

    fn contact(number: u64) -> RecordRef {
        RecordRef { object: SObject::Contact, id: record_id("003", number) }
    }

    /// The list of a lead with candidates of these probabilities.
    fn list(number: u64, candidates: &[(&str, f64)]) -> CandidateList {
        let candidate = |&(entity, probability): &(&str, f64)| RankedCandidate {
            entity: entity_id(entity),
            weight: 0.0,
            probability,
            employer: EmployerEvidence::Unknown,
            evidence: String::new(),
            company: None,
        };
        let candidates = candidates.iter().map(candidate).collect();
        CandidateList { candidates, ..CandidateList::empty(SObject::Lead, lead(number).id) }
    }

    /// The same of a contact.
    fn list_of_contact(number: u64, candidates: &[(&str, f64)]) -> CandidateList {
        let RecordRef { object, id } = contact(number);
        CandidateList { object, id, ..list(number, candidates) }
    }

    /// As a person linked it, so many seconds after the beginning.
    fn linked_by_hand(list: CandidateList, entity: &str, seconds: i64) -> CandidateList {
        let since = Some(Timestamp::from_second(seconds).unwrap());
        let always = Some(entity_id(entity));
        let ruling = Some(crate::capabilities::linking::Ruling { since, ..Default::default() });
        CandidateList { ruling, always, ..list }
    }

    /// What becomes of these lists, all of which ask for `a`.
    fn assigned(lists: &[CandidateList]) -> Neighbourhood {
        let mut near = around(lists, &[]);
        near.add_entities(BTreeSet::from([entity_id("a")]), BTreeMap::new());
        near.assign();
        near
    }

    fn around(lists: &[CandidateList], stored: &[CandidateList]) -> Neighbourhood {
        let by_id = |lists: &[CandidateList]| {
            lists.iter().map(|list| (list.record(), list.clone())).collect::<BTreeMap<_, _>>()
        };
        Neighbourhood::around(EntityKind::Person, rules(), by_id(lists), by_id(stored))
    }

    fn bid_for(list: &CandidateList) -> Vec<(String, f64)> {
        let bids = bids(list, &rules()).into_iter();
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
        let ruled = |list: &CandidateList| ruling(list, &last_words([list]));
        assert_ne!(ruled(&list), Ruling::default());
        list.gone = true;
        assert_eq!(bid_for(&list), []);
        assert_eq!(ruled(&list), Ruling::default());
    }

    #[test]
    fn the_decision_follows_the_link_then_the_bids_then_the_best_candidate_not_refused() {
        let decided = |list: &CandidateList| decide(list, &rules());
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
    fn a_person_is_linked_once_over_leads_and_contacts_and_the_best_score_wins() {
        let (lead_list, contact_list) =
            (list(1, &[("a", 0.97)]), list_of_contact(1, &[("a", 0.92)]));
        let near = assigned(&[lead_list.clone(), contact_list]);
        let entity = &near.entities[&entity_id("a")];
        assert_eq!(entity.matched, Some(lead(1)));
        let loser = &near.lists[&contact(1)];
        assert_eq!((&loser.matched, loser.decision), (&None, RecordDecision::Duplicate));
        let listed: Vec<_> = entity.bids.iter().map(|bid| bid.record).collect();
        assert_eq!(listed, [contact(1), lead(1)], "the alternative is kept");
        let equal = assigned(&[lead_list, list_of_contact(1, &[("a", 0.97)])]);
        assert_eq!(equal.entities[&entity_id("a")].matched, Some(contact(1)));
    }

    #[test]
    fn a_lead_that_a_person_chose_goes_before_a_contact_that_the_engine_found() {
        let chosen = linked_by_hand(list(1, &[]), "a", 1);
        let near = assigned(&[chosen, list_of_contact(1, &[("a", 0.99)])]);
        assert_eq!(near.entities[&entity_id("a")].matched, Some(lead(1)));
        assert_eq!(near.lists[&lead(1)].source, Some(MatchSource::Manual));
        assert_eq!(near.lists[&contact(1)].decision, RecordDecision::Duplicate);
    }

    #[test]
    fn of_two_records_that_people_linked_to_one_person_the_last_word_holds() {
        for (first, second, holder) in [(1, 2, contact(1)), (2, 1, lead(1))] {
            let lists = [
                linked_by_hand(list(1, &[]), "a", first),
                linked_by_hand(list_of_contact(1, &[]), "a", second),
            ];
            let near = assigned(&lists);
            assert_eq!(near.entities[&entity_id("a")].matched, Some(holder));
            let linked = near.lists.values().filter(|list| list.matched.is_some());
            assert_eq!(linked.map(CandidateList::record).collect::<Vec<_>>(), [holder]);
            let other = near.lists.values().find(|list| list.matched.is_none()).unwrap();
            assert_eq!(other.decision, RecordDecision::Duplicate);
        }
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
