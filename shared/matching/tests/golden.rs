//! Five hundred labelled records: floors for precision and recall, and the confusion table pinned,
//! so that a change of behaviour shows itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_precision_loss, reason = "a few hundred records")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use common::golden::{Golden, Labelled, records};
use matching::{Bid, MatchDecision, MatchModel, Scorer, Shard, assign, posterior};

/// Record, entity, probability of every match of one object type.
fn matches(
    records: &[&Labelled],
    engine: &Scorer<'_>,
    shard: &Shard<'_>,
) -> BTreeMap<String, (String, f64)> {
    let model = MatchModel::shipped().unwrap();
    let bids = records.iter().flat_map(|record| {
        let probe = record.probe();
        let scored = posterior(model, probe.kind(), &engine.candidates(shard, &probe, 8));
        scored.into_iter().map(|scored| Bid {
            record: record.id.clone(),
            entity: scored.candidate.entity_id,
            probability: scored.probability,
        })
    });
    let outcome = assign(bids.collect::<Vec<_>>(), &BTreeMap::new(), model.thresholds.review_at);
    outcome
        .matched
        .into_iter()
        .map(|(record, assigned)| (record, (assigned.entity, assigned.probability)))
        .collect()
}

/// Records, right and wrong matches of each case, and precision and recall by entity.
fn judge<'a>(
    records: &[&'a Labelled],
    found: &BTreeMap<String, (String, f64)>,
) -> (BTreeMap<&'a str, [u32; 3]>, f64, f64) {
    let mut cases: BTreeMap<&str, [u32; 3]> = BTreeMap::new();
    let (mut right, mut wrong) = (BTreeSet::new(), 0);
    for record in records {
        let case = cases.entry(&record.case).or_default();
        case[0] += 1;
        let decided = found.get(&record.id).filter(|(_, probability)| {
            MatchModel::shipped().unwrap().thresholds.decide(*probability) == MatchDecision::Match
        });
        match decided {
            Some((entity, _)) if Some(entity) == record.entity.as_ref() => {
                right.insert(entity.clone());
                case[1] += 1;
            }
            Some(_) => {
                wrong += 1;
                case[2] += 1;
            }
            None => {}
        }
    }
    let linkable: BTreeSet<&String> =
        records.iter().filter_map(|record| record.entity.as_ref()).collect();
    (
        cases,
        right.len() as f64 / (right.len() + wrong) as f64,
        right.len() as f64 / linkable.len() as f64,
    )
}

#[test]
fn five_hundred_labelled_records_are_matched_as_well_as_ever() {
    let golden = Golden::build();
    let engine = Scorer::new(MatchModel::shipped().unwrap(), &golden.statistics);
    let records = records();
    let mut table = String::new();
    for (object, bytes, precision_floor, recall_floor) in [
        ("Lead", &golden.people, 0.96, 0.94),
        ("Contact", &golden.people, 0.96, 0.94),
        ("Account", &golden.companies, 0.98, 0.96),
    ] {
        let of_object: Vec<&Labelled> =
            records.iter().filter(|record| record.object == object).collect();
        let found = matches(&of_object, &engine, &Shard::open(bytes).unwrap());
        let (cases, precision, recall) = judge(&of_object, &found);
        assert!(
            precision >= precision_floor && recall >= recall_floor,
            "{object}: precision {precision:.3}, recall {recall:.3}"
        );
        for (case, [records, right, wrong]) in cases {
            writeln!(table, "{object} {case}: {records} records, {right} right, {wrong} wrong")
                .unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
