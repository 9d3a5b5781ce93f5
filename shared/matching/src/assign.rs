//! One-to-one assignment of records to entities.
//!
//! Invariant: greedy under one total order (probability descending, record id, entity id), so the result is a function of the set of bids and rulings alone;
//! and since a record's outcome depends only on records it shares entities with, directly or through others, settling one connected component alone gives what
//! settling everything gives.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// A record's wish to be matched to an entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bid {
    /// The record.
    pub record: String,
    /// The entity.
    pub entity: String,
    /// The posterior probability.
    pub probability: f64,
}

/// What a person decided about a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// The record is this entity, whatever the bids say.
    pub matched: Option<String>,
    /// The record is none of these.
    pub unmatched: BTreeSet<String>,
}

/// How a record was matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignedBy {
    /// By its bid.
    Bid,
    /// By a person.
    Ruling,
}

/// A record's entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// The entity.
    pub entity: String,
    /// The probability of the bid; 1 for a ruling without one.
    pub probability: f64,
    /// How.
    pub by: AssignedBy,
}

/// A record that lost its best entity to another record: a duplicate in the CRM, most likely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duplicate {
    /// The entity both bid for.
    pub entity: String,
    /// The record that has it.
    pub of_record: String,
    /// The loser's probability.
    pub probability: f64,
}

/// The outcome for a set of records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignment {
    /// Matched records.
    pub matched: BTreeMap<String, Assigned>,
    /// Unmatched records that lost an entity they bid for.
    pub duplicates: BTreeMap<String, Duplicate>,
}

fn total_order(left: &Bid, right: &Bid) -> std::cmp::Ordering {
    right
        .probability
        .total_cmp(&left.probability)
        .then_with(|| left.record.cmp(&right.record))
        .then_with(|| left.entity.cmp(&right.entity))
}

/// Assigns entities to records one to one.
///
/// Only bids of at least `floor` count. A manual match always holds (even two of one entity); its record takes no other entity and its entity no other record.
/// A manual unmatch never becomes a match. Call it once per object type: one-to-one is per object type.
#[must_use]
pub fn assign(
    bids: impl IntoIterator<Item = Bid>,
    rulings: &BTreeMap<String, Ruling>,
    floor: f64,
) -> Assignment {
    let mut bids: Vec<Bid> = bids.into_iter().filter(|bid| bid.probability >= floor).collect();
    bids.sort_unstable_by(total_order);
    let mut holder: FxHashMap<&str, &str> = FxHashMap::default();
    let mut matched: FxHashMap<&str, Assigned> = FxHashMap::default();
    let mut duplicates: FxHashMap<&str, Duplicate> = FxHashMap::default();
    let ruled: FxHashMap<(&str, &str), f64> = if rulings.is_empty() {
        FxHashMap::default()
    } else {
        bids.iter()
            .map(|bid| ((bid.record.as_str(), bid.entity.as_str()), bid.probability))
            .collect()
    };
    for (record, ruling) in rulings {
        let Some(entity) = &ruling.matched else { continue };
        let probability = ruled.get(&(record.as_str(), entity.as_str())).copied().unwrap_or(1.0);
        matched.insert(
            record,
            Assigned { entity: entity.clone(), probability, by: AssignedBy::Ruling },
        );
        holder.entry(entity).or_insert(record);
    }
    for bid in &bids {
        let refused =
            rulings.get(&bid.record).is_some_and(|ruling| ruling.unmatched.contains(&bid.entity));
        if refused || matched.contains_key(bid.record.as_str()) {
            continue;
        }
        if let Some(of_record) = holder.get(bid.entity.as_str()) {
            let duplicate = || Duplicate {
                entity: bid.entity.clone(),
                of_record: (*of_record).to_owned(),
                probability: bid.probability,
            };
            duplicates.entry(&bid.record).or_insert_with(duplicate);
            continue;
        }
        holder.insert(&bid.entity, &bid.record);
        matched.insert(
            &bid.record,
            Assigned {
                entity: bid.entity.clone(),
                probability: bid.probability,
                by: AssignedBy::Bid,
            },
        );
    }
    duplicates.retain(|record, _| !matched.contains_key(record));
    Assignment {
        matched: matched
            .into_iter()
            .map(|(record, assigned)| (record.to_owned(), assigned))
            .collect(),
        duplicates: duplicates
            .into_iter()
            .map(|(record, duplicate)| (record.to_owned(), duplicate))
            .collect(),
    }
}

/// What a [`ComponentWalk`] needs to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The bids and the ruling of a record: answer with [`ComponentWalk::record`].
    Record(String),
    /// The records that bid for an entity or are manually matched to it: answer with [`ComponentWalk::bidders`].
    Bidders(String),
}

/// Collects the connected component of changed records, asking its caller for what is stored.
///
/// Start it with the records that changed and with every entity they bid for or held *before* the change: what a deleted record gives free, another may take.
#[derive(Clone, Debug, Default)]
pub struct ComponentWalk {
    open: Vec<Ask>,
    records: BTreeMap<String, Vec<Bid>>,
    rulings: BTreeMap<String, Ruling>,
    asked_records: BTreeSet<String>,
    asked_entities: BTreeSet<String>,
}

impl ComponentWalk {
    /// Starts from changed records and the entities they touched before.
    #[must_use]
    pub fn new(
        changed: impl IntoIterator<Item = String>,
        touched: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut walk = Self::default();
        changed.into_iter().for_each(|record| walk.ask_record(record));
        touched.into_iter().for_each(|entity| walk.ask_entity(entity));
        walk
    }

    fn ask_record(&mut self, record: String) {
        if self.asked_records.insert(record.clone()) {
            self.open.push(Ask::Record(record));
        }
    }

    fn ask_entity(&mut self, entity: String) {
        if self.asked_entities.insert(entity.clone()) {
            self.open.push(Ask::Bidders(entity));
        }
    }

    /// What to load next; `None` when the component is complete.
    pub fn next_ask(&mut self) -> Option<Ask> {
        self.open.pop()
    }

    /// Everything that can be loaded at once.
    pub fn next_asks(&mut self) -> Vec<Ask> {
        std::mem::take(&mut self.open)
    }

    /// Answers [`Ask::Record`]; a deleted record has no bids and no ruling.
    pub fn record(&mut self, record: &str, bids: Vec<Bid>, ruling: Option<Ruling>) {
        for bid in &bids {
            self.ask_entity(bid.entity.clone());
        }
        if let Some(entity) = ruling.as_ref().and_then(|ruling| ruling.matched.clone()) {
            self.ask_entity(entity);
        }
        self.records.insert(record.to_owned(), bids);
        if let Some(ruling) = ruling {
            self.rulings.insert(record.to_owned(), ruling);
        }
    }

    /// Answers [`Ask::Bidders`].
    pub fn bidders(&mut self, records: impl IntoIterator<Item = String>) {
        records.into_iter().for_each(|record| self.ask_record(record));
    }

    /// The records of the component.
    pub fn records(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// Settles the component: the outcome of each of its records is what [`assign`] over everything would give. A record of [`Self::records`] that the outcome
    /// does not name is unmatched.
    #[must_use]
    pub fn settle(self, floor: f64) -> Assignment {
        assign(self.records.into_values().flatten(), &self.rulings, floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug, Default)]
    struct World {
        bids: BTreeMap<String, Vec<Bid>>,
        rulings: BTreeMap<String, Ruling>,
    }

    impl World {
        fn all(&self) -> Assignment {
            assign(self.bids.values().flatten().cloned(), &self.rulings, 0.2)
        }

        fn touched(&self, record: &str) -> Vec<String> {
            let bids = self.bids.get(record).into_iter().flatten().map(|bid| bid.entity.clone());
            bids.chain(self.rulings.get(record).and_then(|ruling| ruling.matched.clone())).collect()
        }

        fn bidders(&self, entity: &str) -> Vec<String> {
            let bidding = self
                .bids
                .iter()
                .filter(|(_, bids)| bids.iter().any(|bid| bid.entity == entity))
                .map(|(record, _)| record.clone());
            let ruled = self
                .rulings
                .iter()
                .filter(|(_, ruling)| ruling.matched.as_deref() == Some(entity))
                .map(|(record, _)| record.clone());
            bidding.chain(ruled).collect()
        }
    }

    #[derive(Clone, Debug)]
    enum Event {
        Bids(u8, Vec<(u8, u8)>),
        Delete(u8),
        Rule(u8, Option<u8>, Vec<u8>),
    }

    fn event() -> impl Strategy<Value = Event> {
        let record = 0..12_u8;
        prop_oneof![
            4 => (record.clone(), proptest::collection::vec((0..8_u8, 0..5_u8), 0..4)).prop_map(|(record, bids)| Event::Bids(record, bids)),
            1 => record.clone().prop_map(Event::Delete),
            1 => (record, proptest::option::of(0..8_u8), proptest::collection::vec(0..8_u8, 0..2)).prop_map(|(record, matched, unmatched)| Event::Rule(record, matched, unmatched)),
        ]
    }

    fn apply(world: &mut World, event: Event) -> String {
        let entity = |entity: u8| format!("e{entity}");
        match event {
            Event::Bids(record, bids) => {
                let record = format!("r{record}");
                let distinct: BTreeMap<u8, u8> = bids.into_iter().collect();
                let bids = distinct.into_iter().map(|(to, probability)| Bid {
                    record: record.clone(),
                    entity: entity(to),
                    probability: f64::from(probability) / 4.0,
                });
                world.bids.insert(record.clone(), bids.collect());
                record
            }
            Event::Delete(record) => {
                let record = format!("r{record}");
                world.bids.remove(&record);
                world.rulings.remove(&record);
                record
            }
            Event::Rule(record, matched, unmatched) => {
                let record = format!("r{record}");
                let ruling = Ruling {
                    matched: matched.map(entity),
                    unmatched: unmatched.into_iter().map(entity).collect(),
                };
                world.rulings.insert(record.clone(), ruling);
                record
            }
        }
    }

    proptest! {
        #[test]
        fn incremental_settling_equals_settling_from_scratch(events in proptest::collection::vec(event(), 1..40)) {
            let mut world = World::default();
            let mut kept = Assignment::default();
            for event in events {
                let before = world.clone();
                let changed = apply(&mut world, event);
                let mut walk = ComponentWalk::new([changed.clone()], before.touched(&changed));
                while let Some(ask) = walk.next_ask() {
                    match ask {
                        Ask::Record(record) => walk.record(&record, world.bids.get(&record).cloned().unwrap_or_default(), world.rulings.get(&record).cloned()),
                        Ask::Bidders(entity) => walk.bidders(world.bidders(&entity)),
                    }
                }
                for record in walk.records() {
                    kept.matched.remove(record);
                    kept.duplicates.remove(record);
                }
                let settled = walk.settle(0.2);
                kept.matched.extend(settled.matched);
                kept.duplicates.extend(settled.duplicates);
                prop_assert_eq!(&kept, &world.all());
            }
        }

        #[test]
        fn no_entity_is_given_twice_but_by_rulings(events in proptest::collection::vec(event(), 1..40)) {
            let mut world = World::default();
            for event in events {
                apply(&mut world, event);
            }
            let outcome = world.all();
            let mut taken = BTreeSet::new();
            for (record, assigned) in &outcome.matched {
                prop_assert!(assigned.by == AssignedBy::Ruling || taken.insert(assigned.entity.clone()));
                let unmatched = world.rulings.get(record).is_some_and(|ruling| ruling.unmatched.contains(&assigned.entity));
                prop_assert!(assigned.by == AssignedBy::Ruling || !unmatched);
            }
        }
    }

    #[test]
    fn three_equal_duplicates_are_settled_by_record_id() {
        let bid =
            |record: &str| Bid { record: record.into(), entity: "e".into(), probability: 0.9 };
        let outcome = assign([bid("c"), bid("a"), bid("b")], &BTreeMap::new(), 0.5);
        assert_eq!(outcome.matched.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(
            outcome
                .duplicates
                .iter()
                .map(|(record, duplicate)| (record.as_str(), duplicate.of_record.as_str()))
                .collect::<Vec<_>>(),
            [("b", "a"), ("c", "a")]
        );
    }
}
