//! One-to-one assignment of records to entities.
//!
//! Invariant: assignment is greedy under one total order: probability descending, record id, entity
//! id. The result is therefore a function of the set of bids and rulings alone. A record's outcome
//! depends only on records that it shares entities with, directly or through others.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// A record's wish to be matched to an entity. A caller whose ids have types of their own names
/// them here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bid<R = String, E = String> {
    /// The record.
    pub record: R,
    /// The entity.
    pub entity: E,
    /// The posterior probability.
    pub probability: f64,
}

/// A person's decision about a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling<E: Ord = String> {
    /// The record is this entity, whatever the bids say.
    pub matched: Option<E>,
    /// The record is none of these.
    pub unmatched: BTreeSet<E>,
}

impl<E: Ord> Default for Ruling<E> {
    fn default() -> Self {
        Self { matched: None, unmatched: BTreeSet::new() }
    }
}

/// The reason for a match.
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
pub struct Assigned<E = String> {
    /// The entity.
    pub entity: E,
    /// The probability of the bid; 1 for a ruling without one.
    pub probability: f64,
    /// The reason.
    pub by: AssignedBy,
}

/// A record that lost its best entity to another record: most likely a duplicate in the CRM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duplicate<R = String, E = String> {
    /// The entity both bid for.
    pub entity: E,
    /// The record that has it.
    pub of_record: R,
    /// The loser's probability.
    pub probability: f64,
}

/// The outcome for a set of records.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment<R: Ord = String, E = String> {
    /// Matched records.
    pub matched: BTreeMap<R, Assigned<E>>,
    /// Unmatched records that lost an entity they bid for.
    pub duplicates: BTreeMap<R, Duplicate<R, E>>,
}

impl<R: Ord, E> Default for Assignment<R, E> {
    fn default() -> Self {
        Self { matched: BTreeMap::new(), duplicates: BTreeMap::new() }
    }
}

fn total_order<R: Ord, E: Ord>(left: &Bid<R, E>, right: &Bid<R, E>) -> std::cmp::Ordering {
    right
        .probability
        .total_cmp(&left.probability)
        .then_with(|| left.record.cmp(&right.record))
        .then_with(|| left.entity.cmp(&right.entity))
}

/// Assigns entities to records one to one.
///
/// Only bids of at least `floor` count. A manual match always holds, even if two records are ruled
/// to be one entity. Its record takes no other entity, and no bid takes its entity. A manual
/// unmatch never becomes a match. Call this once for all objects that an entity may be linked over:
/// one-to-one is over them together.
#[must_use]
pub fn assign<R, E>(
    bids: impl IntoIterator<Item = Bid<R, E>>,
    rulings: &BTreeMap<R, Ruling<E>>,
    floor: f64,
) -> Assignment<R, E>
where
    R: Clone + Ord + Hash,
    E: Clone + Ord + Hash,
{
    let mut bids: Vec<Bid<R, E>> =
        bids.into_iter().filter(|bid| bid.probability >= floor).collect();
    bids.sort_unstable_by(total_order);
    let mut holder: FxHashMap<&E, &R> = FxHashMap::default();
    let mut matched: FxHashMap<&R, Assigned<E>> = FxHashMap::default();
    let mut duplicates: FxHashMap<&R, Duplicate<R, E>> = FxHashMap::default();
    let ruled: FxHashMap<(&R, &E), f64> = if rulings.is_empty() {
        FxHashMap::default()
    } else {
        bids.iter().map(|bid| ((&bid.record, &bid.entity), bid.probability)).collect()
    };
    for (record, ruling) in rulings {
        let Some(entity) = &ruling.matched else { continue };
        let probability = ruled.get(&(record, entity)).copied().unwrap_or(1.0);
        matched.insert(
            record,
            Assigned { entity: entity.clone(), probability, by: AssignedBy::Ruling },
        );
        holder.entry(entity).or_insert(record);
    }
    for bid in &bids {
        let refused =
            rulings.get(&bid.record).is_some_and(|ruling| ruling.unmatched.contains(&bid.entity));
        if refused || matched.contains_key(&bid.record) {
            continue;
        }
        if let Some(&of_record) = holder.get(&bid.entity) {
            let duplicate = || Duplicate {
                entity: bid.entity.clone(),
                of_record: of_record.clone(),
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
        matched: matched.into_iter().map(|(record, assigned)| (record.clone(), assigned)).collect(),
        duplicates: duplicates
            .into_iter()
            .map(|(record, duplicate)| (record.clone(), duplicate))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bids() -> impl Strategy<Value = Vec<Bid>> {
        let wishes = proptest::collection::btree_map((0..12_u8, 0..8_u8), 0..5_u8, 0..40);
        wishes.prop_map(|wishes| {
            let bid = |((record, entity), quarters)| Bid {
                record: format!("r{record}"),
                entity: format!("e{entity}"),
                probability: f64::from(quarters) / 4.0,
            };
            wishes.into_iter().map(bid).collect()
        })
    }

    fn rulings() -> impl Strategy<Value = BTreeMap<String, Ruling>> {
        let entity = || (0..8_u8).prop_map(|entity| format!("e{entity}"));
        let matched = proptest::option::of(entity());
        let unmatched = proptest::collection::btree_set(entity(), 0..2);
        let ruling =
            (matched, unmatched).prop_map(|(matched, unmatched)| Ruling { matched, unmatched });
        let record = (0..12_u8).prop_map(|record| format!("r{record}"));
        proptest::collection::btree_map(record, ruling, 0..6)
    }

    proptest! {
        #[test]
        fn no_entity_is_given_twice_but_by_rulings(bids in bids(), rulings in rulings()) {
            let outcome = assign(bids, &rulings, 0.2);
            let mut taken = BTreeSet::new();
            for (record, assigned) in &outcome.matched {
                if assigned.by == AssignedBy::Ruling {
                    continue;
                }
                prop_assert!(taken.insert(assigned.entity.clone()));
                let refused = rulings.get(record)
                    .is_some_and(|ruling| ruling.unmatched.contains(&assigned.entity));
                prop_assert!(!refused);
            }
        }
    }

    #[test]
    fn three_equal_duplicates_are_settled_by_record_id() {
        let bid = |record: &'static str| Bid { record, entity: "e", probability: 0.9 };
        let outcome = assign([bid("c"), bid("a"), bid("b")], &BTreeMap::new(), 0.5);
        assert_eq!(outcome.matched.keys().copied().collect::<Vec<_>>(), ["a"]);
        assert_eq!(
            outcome
                .duplicates
                .iter()
                .map(|(&record, duplicate)| (record, duplicate.of_record))
                .collect::<Vec<_>>(),
            [("b", "a"), ("c", "a")]
        );
    }
}
