//! The connected component of changed records: all that settling a change must read.
//!
//! Invariant: two records can decide each other's outcome only if a chain of shared entities joins
//! them. Assigning the component alone therefore gives its records what assigning everything gives.

use std::collections::BTreeSet;

/// A load that a [`ComponentWalk`] asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Load<R = String, E = String> {
    /// These records: answer with [`ComponentWalk::reach_entities`].
    Records(BTreeSet<R>),
    /// These entities: answer with [`ComponentWalk::reach_records`].
    Entities(BTreeSet<E>),
}

/// A walk from changed records over shared entities to every record a change can reach.
///
/// The walk does no I/O. Its caller loads what [`Self::next_load`] names and tells the walk what
/// that reaches. Each id is named once, and those found together are named together.
#[derive(Clone, Debug)]
pub struct ComponentWalk<R = String, E = String> {
    records: Reached<R>,
    entities: Reached<E>,
}

/// The ids of one kind that the walk has reached.
#[derive(Clone, Debug)]
struct Reached<T> {
    all: BTreeSet<T>,
    to_load: BTreeSet<T>,
}

impl<T: Clone + Ord> Reached<T> {
    /// Ids that the caller has at hand.
    fn at_hand(ids: impl IntoIterator<Item = T>) -> Self {
        Self { all: ids.into_iter().collect(), to_load: BTreeSet::new() }
    }

    fn extend(&mut self, ids: impl IntoIterator<Item = T>) {
        for id in ids {
            if self.all.insert(id.clone()) {
                self.to_load.insert(id);
            }
        }
    }

    /// Takes the ids that are still to load; `None` if there are none.
    fn take(&mut self) -> Option<BTreeSet<T>> {
        (!self.to_load.is_empty()).then(|| std::mem::take(&mut self.to_load))
    }
}

impl<R: Clone + Ord, E: Clone + Ord> ComponentWalk<R, E> {
    /// A walk from changed records, which the caller has at hand: the walk never asks for them.
    ///
    /// Then name, with [`Self::reach_entities`], the entities that they bid for or hold now. Name
    /// those from before the change as well: another record may take what they give up.
    #[must_use]
    pub fn from_records(changed: impl IntoIterator<Item = R>) -> Self {
        Self { records: Reached::at_hand(changed), entities: Reached::at_hand([]) }
    }

    /// Adds the entities that a record bids for or holds.
    pub fn reach_entities(&mut self, entities: impl IntoIterator<Item = E>) {
        self.entities.extend(entities);
    }

    /// Adds the records that bid for an entity, and the one that holds it.
    pub fn reach_records(&mut self, records: impl IntoIterator<Item = R>) {
        self.records.extend(records);
    }

    /// The next load; `None` if the component is complete.
    pub fn next_load(&mut self) -> Option<Load<R, E>> {
        let entities = self.entities.take().map(Load::Entities);
        entities.or_else(|| self.records.take().map(Load::Records))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::assign::{Assignment, Bid, Ruling, assign};

    const FLOOR: f64 = 0.2;

    /// A stored record: its bids, the ruling on it, and the entity it holds.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Record {
        bids: Vec<Bid>,
        ruling: Ruling,
        matched: Option<String>,
    }

    impl Record {
        fn entities(&self) -> impl Iterator<Item = String> {
            let bids = self.bids.iter().map(|bid| &bid.entity);
            bids.chain(&self.ruling.matched).chain(&self.matched).cloned()
        }
    }

    /// Stored records, and for each entity the records that ask for it or hold it.
    #[derive(Clone, Debug, Default)]
    struct Store {
        records: BTreeMap<String, Record>,
        entities: BTreeMap<String, BTreeSet<String>>,
    }

    fn assigned<'a>(records: impl IntoIterator<Item = (&'a String, &'a Record)>) -> Assignment {
        let (mut bids, mut rulings) = (Vec::new(), BTreeMap::new());
        for (id, record) in records {
            bids.extend(record.bids.iter().cloned());
            rulings.insert(id.clone(), record.ruling.clone());
        }
        assign(bids, &rulings, FLOOR)
    }

    impl Store {
        /// Settles changed records with all that they can reach; says which records were read.
        fn settle(&mut self, changed: BTreeMap<String, Record>) -> BTreeSet<String> {
            let mut walk = ComponentWalk::from_records(changed.keys().cloned());
            for (id, record) in &changed {
                walk.reach_entities(record.entities());
                walk.reach_entities(self.records.get(id).into_iter().flat_map(Record::entities));
            }
            let (mut records, mut entities) = (changed, BTreeSet::new());
            while let Some(load) = walk.next_load() {
                match load {
                    Load::Records(ids) => {
                        for id in ids {
                            let record = self.records[&id].clone();
                            walk.reach_entities(record.entities());
                            assert!(records.insert(id, record).is_none(), "loaded twice");
                        }
                    }
                    Load::Entities(ids) => {
                        for id in ids {
                            let asking = self.entities.get(&id).cloned().unwrap_or_default();
                            walk.reach_records(asking);
                            assert!(entities.insert(id), "loaded twice");
                        }
                    }
                }
            }
            let read = records.keys().cloned().collect();
            self.write(records, entities);
            read
        }

        /// Assigns the component anew, and writes its records and entities alone.
        fn write(&mut self, mut records: BTreeMap<String, Record>, entities: BTreeSet<String>) {
            let mut assignment = assigned(&records);
            let mut asking: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (id, record) in &mut records {
                record.matched = assignment.matched.remove(id).map(|assigned| assigned.entity);
                for entity in record.entities() {
                    asking.entry(entity).or_default().insert(id.clone());
                }
            }
            for entity in entities {
                let asking = asking.remove(&entity).unwrap_or_default();
                self.entities.insert(entity, asking);
            }
            assert!(asking.is_empty(), "every entity of the component was loaded");
            self.records.extend(records);
        }

        /// The component of a record by brute force: it grows until nothing joins it.
        fn component(&self, of: &str) -> BTreeSet<String> {
            let mut found = BTreeSet::from([of.to_owned()]);
            loop {
                let entities: BTreeSet<String> =
                    found.iter().flat_map(|id| self.records[id].entities()).collect();
                let joined = self.records.iter().filter(|(_, record)| {
                    record.entities().any(|entity| entities.contains(&entity))
                });
                let joined: Vec<String> = joined.map(|(id, _)| id.clone()).collect();
                let before = found.len();
                found.extend(joined);
                if found.len() == before {
                    return found;
                }
            }
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
        let bids = proptest::collection::vec((0..8_u8, 0..5_u8), 0..4);
        let never = proptest::collection::vec(0..8_u8, 0..2);
        let always = proptest::option::of(0..8_u8);
        prop_oneof![
            4 => (record.clone(), bids).prop_map(|(record, bids)| Event::Bids(record, bids)),
            1 => record.clone().prop_map(Event::Delete),
            1 => (record, always, never)
                .prop_map(|(record, always, never)| Event::Rule(record, always, never)),
        ]
    }

    fn entity(number: u8) -> String {
        format!("e{number}")
    }

    /// The record that an event changes, as it will be.
    fn changed(store: &Store, event: Event) -> (String, Record) {
        let (Event::Bids(number, _) | Event::Delete(number) | Event::Rule(number, ..)) = &event;
        let id = format!("r{number}");
        let mut record = store.records.get(&id).cloned().unwrap_or_default();
        match event {
            Event::Bids(_, bids) => {
                let bid = |(to, quarters): (u8, u8)| Bid {
                    record: id.clone(),
                    entity: entity(to),
                    probability: f64::from(quarters) / 4.0,
                };
                let distinct: BTreeMap<u8, u8> = bids.into_iter().collect();
                record.bids = distinct.into_iter().map(bid).collect();
            }
            Event::Delete(_) => record = Record::default(),
            Event::Rule(_, always, never) => {
                let unmatched = never.into_iter().map(entity).collect();
                record.ruling = Ruling { matched: always.map(entity), unmatched };
            }
        }
        (id, record)
    }

    proptest! {
        #[test]
        fn incremental_settling_equals_settling_from_scratch(
            batches in proptest::collection::vec(proptest::collection::vec(event(), 1..4), 1..20),
        ) {
            let mut store = Store::default();
            for events in batches {
                let changes = events.into_iter().map(|event| changed(&store, event)).collect();
                store.settle(changes);
                let all = assigned(&store.records);
                for (id, record) in &store.records {
                    let entity = all.matched.get(id).map(|assigned| &assigned.entity);
                    prop_assert_eq!(record.matched.as_ref(), entity, "{}", id);
                }
            }
        }

        #[test]
        fn a_walk_reads_the_connected_component_and_nothing_else(
            events in proptest::collection::vec(event(), 1..30),
            from in 0..12_u8,
        ) {
            let mut store = Store::default();
            for event in events {
                let change = changed(&store, event);
                store.settle(BTreeMap::from([change]));
            }
            let from = format!("r{from}");
            let unchanged = store.records.entry(from.clone()).or_default().clone();
            let component = store.component(&from);
            prop_assert_eq!(store.settle(BTreeMap::from([(from, unchanged)])), component);
        }
    }
}
