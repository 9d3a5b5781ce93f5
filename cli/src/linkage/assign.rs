//! One-to-one assignment of millions of bids, by place instead of by id.
//!
//! The rule is the engine's: greedy in the order (probability, record id, entity id). This form of
//! it has no rulings and copies no id; a property test holds it to the engine's.

use std::cmp::Ordering;

/// A record's wish for an entity, both by their places in lists that can tell their ids.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PlacedBid {
    pub(super) record: u32,
    pub(super) entity: u32,
    pub(super) probability: f64,
}

/// The place of each record's accepted bid in `bids`, which are left sorted.
pub(super) fn assign<'a>(
    bids: &mut [PlacedBid],
    records: usize,
    entities: usize,
    record_id: impl Fn(u32) -> &'a str,
    entity_id: impl Fn(u32) -> &'a str,
) -> Vec<Option<PlacedBid>> {
    let order = |a: &PlacedBid, b: &PlacedBid| -> Ordering {
        b.probability
            .total_cmp(&a.probability)
            .then_with(|| record_id(a.record).cmp(record_id(b.record)))
            .then_with(|| entity_id(a.entity).cmp(entity_id(b.entity)))
    };
    bids.sort_unstable_by(order);
    let mut matched: Vec<Option<PlacedBid>> = vec![None; records];
    let mut assigned = vec![false; entities];
    for bid in bids.iter() {
        let (record, entity) =
            (&mut matched[bid.record as usize], &mut assigned[bid.entity as usize]);
        if record.is_none() && !*entity {
            *record = Some(*bid);
            *entity = true;
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;
    use matching::Bid;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_the_engines_assignment(
            wishes in proptest::collection::btree_map((0u32..12, 0u32..9), 0u8..5, 0..60),
        ) {
            let record_ids: Vec<String> = (0..12).map(|n| format!("r{}", (n * 7) % 12)).collect();
            let entity_ids: Vec<String> = (0..9).map(|n| format!("e{}", (n * 5) % 9)).collect();
            let mut bids: Vec<PlacedBid> = wishes
                .iter()
                .map(|(&(record, entity), &tenths)| PlacedBid { record, entity,
                    probability: f64::from(tenths) / 10.0 + 0.5 })
                .collect();
            let named: Vec<Bid> = bids
                .iter()
                .map(|bid| Bid {
                    record: record_ids[bid.record as usize].clone(),
                    entity: entity_ids[bid.entity as usize].clone(),
                    probability: bid.probability,
                })
                .collect();
            let ours = assign(&mut bids, 12, 9, |n| &record_ids[n as usize],
                |n| &entity_ids[n as usize]);
            let engines = matching::assign(named, &BTreeMap::new(), 0.0);
            let ours: BTreeMap<String, String> = ours
                .into_iter()
                .flatten()
                .map(|bid| (record_ids[bid.record as usize].clone(),
                    entity_ids[bid.entity as usize].clone()))
                .collect();
            let engines: BTreeMap<String, String> =
                engines.matched.into_iter().map(|(record, assigned)| (record,
                    assigned.entity)).collect();
            prop_assert_eq!(ours, engines);
        }
    }
}
