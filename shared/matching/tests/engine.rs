//! The engine as a whole: what must hold for any directory and any records.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use common::{a_directory, a_record, build, forms, laid_down};
use matching::{
    Bid, Candidate, CrmPerson, EntityKind, MatchModel, Person, PersonForm, Probe,
    RefinementBuilder, Scored, Scorer, Shard, ShardBuilder, ShardError, Statistics,
    StatisticsBuilder, StatisticsError, assign, block_keys, explain, posterior, shard_of,
};
use proptest::prelude::*;

fn score(statistics: &Statistics, shards: &[Vec<u8>], probe: &Probe) -> Vec<Scored> {
    let model = MatchModel::shipped().unwrap();
    let engine = Scorer::new(model, statistics);
    let candidates: Vec<Candidate> = shards
        .iter()
        .flat_map(|bytes| engine.candidates(&Shard::open(bytes).unwrap(), probe, 8))
        .collect();
    let mut scored = posterior(model, EntityKind::Person, &candidates);
    scored.truncate(8);
    scored
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn one_two_or_five_shards_give_the_same_result(
        people in a_directory(60),
        records in proptest::collection::vec(a_record(), 1..12),
    ) {
        let (statistics, one) = build(&people, 1);
        let (_, two) = build(&people, 2);
        let (_, five) = build(&people, 5);
        for (number, record) in records.iter().enumerate() {
            let probe = Probe::person(&format!("r{number}"), record);
            let alone = score(&statistics, &one, &probe);
            let best = |scored: &[Scored]| -> Vec<_> {
                let best = scored.iter().map(|scored| &scored.candidate);
                best.map(|best| (best.entity_id.clone(), best.weight)).collect()
            };
            prop_assert_eq!(best(&alone), best(&score(&statistics, &two, &probe)));
            prop_assert_eq!(best(&alone), best(&score(&statistics, &five, &probe)));
        }
    }

    #[test]
    fn every_candidate_pair_shares_a_strong_block_or_two_weak_ones(
        people in a_directory(60),
        record in a_record(),
    ) {
        let (statistics, shards) = build(&people, 1);
        let probe = Probe::person("r", &record);
        let keys = block_keys(&probe, &statistics);
        let shard = Shard::open(&shards[0]).unwrap();
        let engine = Scorer::new(MatchModel::shipped().unwrap(), &statistics);
        for ordinal in engine.block(&shard, &probe) {
            let id = shard.entity_id(ordinal);
            let form = forms(&people).into_iter().find(|form| form.id == id).unwrap();
            let entity_keys = block_keys(&Probe::Person(form), &statistics);
            let entity_keys: BTreeSet<u64> = entity_keys.iter().map(|key| key.key).collect();
            let shared: Vec<_> = keys.iter().filter(|key| entity_keys.contains(&key.key)).collect();
            prop_assert!(shared.len() > 1 || shared.iter().any(|key| key.strong));
        }
    }

    #[test]
    fn builders_filled_apart_give_the_same_bytes(people in a_directory(40), cut in 0..40_usize) {
        let forms = forms(&people);
        let cut = cut.min(forms.len());
        let together = laid_down(&forms, 0, 1);
        let mut appended = laid_down(&forms[..cut], 0, 1);
        appended.append(&laid_down(&forms[cut..], 0, 1));
        let statistics = Statistics::of(std::slice::from_ref(&together));
        prop_assert!(statistics == Statistics::of(std::slice::from_ref(&appended)));
        prop_assert_eq!(appended.finish(&statistics), together.finish(&statistics));
    }

    #[test]
    fn a_shard_tells_the_id_of_each_persons_employer_where_the_directory_gave_one(
        people in a_directory(40),
    ) {
        let (forms, (_, shards)) = (forms(&people), build(&people, 1));
        let shard = Shard::open(&shards[0]).unwrap();
        for form in &forms {
            let told = shard.employer_id(shard.ordinal_of(&form.id).unwrap());
            prop_assert_eq!(told.unwrap_or_default(), &form.employer_id);
        }
    }

    #[test]
    fn statistics_of_parts_merged_in_any_order_are_those_of_the_whole(
        people in proptest::collection::vec((0..6_usize, 0..4_usize, 0..3_usize), 0..400),
        cuts in proptest::collection::vec(0..400_usize, 1..5),
        turn in 0..5_usize,
    ) {
        // Few names, so that blocks are far over their caps and the keys below them count.
        let form = |(number, &(first, last, city)): (usize, &(usize, usize, usize))| {
            PersonForm::from(&Person {
                id: format!("p{number}"),
                first_name: ["Ann", "Bela", "Carla", "Dunja", "Emil", "Fritz"][first].into(),
                last_name: ["Wolcott", "Milewski", "Carvalho", "Orbán"][last].into(),
                city: ["Boston", "Austin", "Lisbon"][city].into(),
                country: "US".into(),
                ..Person::default()
            })
        };
        let forms: Vec<PersonForm> = people.iter().enumerate().map(form).collect();
        let cuts = cuts.into_iter().map(|cut| cut.min(forms.len()));
        let mut cuts: Vec<usize> = cuts.chain([0, forms.len()]).collect();
        cuts.sort_unstable();
        let part = |cut: &[usize]| laid_down(&forms[cut[0]..cut[1]], 0, 1);
        let mut parts: Vec<ShardBuilder> = cuts.windows(2).map(part).collect();
        let turn = turn % parts.len();
        parts.rotate_left(turn);
        let count = |part: &ShardBuilder| {
            let mut counts = StatisticsBuilder::sized_for(1000);
            counts.add(part);
            counts
        };
        let whole = laid_down(&forms, 0, 1);
        let (first, rest) = parts.split_first().unwrap();
        let counts = rest.iter().map(count).fold(count(first), StatisticsBuilder::merge).refine();
        let refine = |part: &ShardBuilder| {
            let mut refined = counts.clone();
            refined.add(part);
            refined
        };
        let merged = rest.iter().map(refine).fold(refine(first), RefinementBuilder::merge).finish();
        let mut together = count(&whole).refine();
        together.add(&whole);
        let together = together.finish();
        prop_assert!(merged == together);
        prop_assert_eq!(merged.to_bytes().unwrap(), together.to_bytes().unwrap());
    }

    #[test]
    fn every_entity_has_one_shard(
        ids in proptest::collection::vec(".{0,20}", 1..50),
        count in 1..9_u32,
    ) {
        for id in &ids {
            prop_assert!(shard_of(id, count) < count);
            prop_assert_eq!(shard_of(id, count), shard_of(id, count));
        }
    }

    #[test]
    fn probes_and_statistics_survive_their_bytes(people in a_directory(20), record in a_record()) {
        let probe = Probe::person("r", &record);
        prop_assert_eq!(Probe::from_bytes(&probe.to_bytes().unwrap()), Ok(probe));
        let (statistics, _) = build(&people, 1);
        let read = Statistics::from_bytes(&statistics.to_bytes().unwrap()).unwrap();
        prop_assert!(read == statistics);
        prop_assert_eq!(read.fingerprint(), statistics.fingerprint());
    }

    #[test]
    fn any_bytes_are_no_shard_no_statistics_and_no_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        prop_assert!(Shard::open(&bytes).is_err());
        prop_assert!(Statistics::from_bytes(&bytes).is_err());
        let _ = Probe::from_bytes(&bytes);
    }
}

#[test]
fn a_shard_changed_at_any_byte_is_refused_and_never_panics() {
    let people = common::some_people();
    let (statistics, shards) = build(&people, 1);
    let mut bytes = shards[0].clone();
    let probe = Probe::person(
        "r",
        &CrmPerson {
            first_name: Some("Jane".into()),
            last_name: Some("Doering".into()),
            company: Some("Acme".into()),
            ..CrmPerson::default()
        },
    );
    let engine = Scorer::new(MatchModel::shipped().unwrap(), &statistics);
    for at in 0..bytes.len() {
        for flipped in [bytes[at] ^ 1, bytes[at] ^ 0x80, 0xff] {
            let was = std::mem::replace(&mut bytes[at], flipped);
            if was != flipped {
                assert!(Shard::open(&bytes).is_err(), "byte {at}");
                // A change behind the checked header goes unseen here. It must do no harm.
                if let Ok(shard) = Shard::open_verified(&bytes) {
                    let _ = engine.candidates(&shard, &probe, 8);
                    let _ =
                        explain(MatchModel::shipped().unwrap(), &statistics, &shard, &probe, "p1");
                }
            }
            bytes[at] = was;
        }
    }
    for length in 0..bytes.len() {
        assert!(Shard::open(&bytes[..length]).is_err(), "length {length}");
    }
    assert!(Shard::open(&bytes).is_ok());
    bytes.push(0);
    assert!(matches!(Shard::open(&bytes), Err(ShardError::Truncated { .. })));
}

/// A shard and a probe that meets its people, made once.
static GOOD: LazyLock<(Statistics, Vec<u8>, Probe)> = LazyLock::new(|| {
    let (statistics, mut shards) = build(&common::some_people(), 1);
    let record = CrmPerson {
        first_name: Some("Bob".into()),
        last_name: Some("Quillfeather".into()),
        company: Some("Old Mill Bakery".into()),
        ..CrmPerson::default()
    };
    (statistics, shards.remove(0), Probe::person("r", &record))
});

proptest! {
    // PROPTEST_CASES makes it a long run.
    #[test]
    fn a_shard_with_bytes_changed_behind_its_checksum_does_no_harm(
        edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..40),
    ) {
        let (statistics, good, probe) = &*GOOD;
        let mut bytes = good.clone();
        let columns = Shard::open(good).unwrap().columns();
        let body: usize = columns.iter().map(|(_, length)| length).sum();
        let header = bytes.len() - body;
        for (at, byte) in edits {
            bytes[header + usize::from(at) % body] = byte;
        }
        if let Ok(shard) = Shard::open_verified(&bytes) {
            let model = MatchModel::shipped().unwrap();
            for candidate in Scorer::new(model, statistics).raw_candidates(&shard, probe, 8) {
                let id = shard.entity_id(candidate.ordinal);
                let _ = explain(model, statistics, &shard, probe, id);
            }
            let ids = (0..shard.len().min(8)).map(|at| shard.entity_id(at).len());
            let _ = (shard.columns(), shard.ordinal_of("p1"), ids.sum::<usize>());
        }
    }
}

#[test]
fn other_versions_are_named_as_such() {
    let (statistics, shards) = build(&common::some_people(), 1);
    let mut bytes = shards[0].clone();
    bytes[7] += 1;
    assert_eq!(Shard::open(&bytes).unwrap_err(), ShardError::OtherFormat);
    let mut bytes = statistics.to_bytes().unwrap();
    bytes[7] += 1;
    assert_eq!(Statistics::from_bytes(&bytes), Err(StatisticsError::OtherFormat));
    bytes[7] -= 1;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert_eq!(Statistics::from_bytes(&bytes), Err(StatisticsError::Corrupt));
}

#[test]
fn an_empty_directory_matches_nobody() {
    let (statistics, shards) = build(&[], 1);
    let shard = Shard::open(&shards[0]).unwrap();
    assert!(shard.is_empty());
    let probe =
        Probe::person("r", &CrmPerson { last_name: Some("Doe".into()), ..CrmPerson::default() });
    assert!(
        Scorer::new(MatchModel::shipped().unwrap(), &statistics)
            .candidates(&shard, &probe, 8)
            .is_empty()
    );
}

#[test]
fn a_stale_employer_speaks_for_a_match_and_is_explained() {
    let people = common::some_people();
    let (statistics, shards) = build(&people, 1);
    let record = CrmPerson {
        first_name: Some("Bob".into()),
        last_name: Some("Quillfeather".into()),
        company: Some("Old Mill Bakery Ltd".into()),
        country: Some("Deutschland".into()),
        ..CrmPerson::default()
    };
    let probe = Probe::person("r", &record);
    let scored = score(&statistics, &shards, &probe);
    assert_eq!(scored[0].candidate.entity_id, "p1");
    let why = explain(
        MatchModel::shipped().unwrap(),
        &statistics,
        &Shard::open(&shards[0]).unwrap(),
        &probe,
        "p1",
    )
    .unwrap();
    assert!(why.blocked);
    assert!((why.weight.bits() - scored[0].candidate.weight.bits()).abs() < 1e-9);
    for part in ["same surname", "short form", "employer is a past position", "another country"] {
        assert!(why.words.contains(part), "{part} in {}", why.words);
    }
    let sum: f64 = why.comparisons.iter().map(|comparison| comparison.weight).sum();
    assert!((sum + why.prior - why.weight.bits()).abs() < 1e-9);
}

#[test]
fn equal_duplicates_are_settled_alike_every_time() {
    let people = common::some_people();
    let (statistics, shards) = build(&people, 1);
    let record = CrmPerson {
        first_name: Some("Robert".into()),
        last_name: Some("Quillfeather".into()),
        company: Some("Acme".into()),
        ..CrmPerson::default()
    };
    let bids = |order: &[&str]| -> Vec<Bid> {
        let bid = |id: &str| {
            let scored = score(&statistics, &shards, &Probe::person(id, &record));
            Bid {
                record: id.to_owned(),
                entity: scored[0].candidate.entity_id.clone(),
                probability: scored[0].probability,
            }
        };
        order.iter().map(|id| bid(id)).collect()
    };
    let rulings = std::collections::BTreeMap::new();
    let first = assign(bids(&["b", "c", "a"]), &rulings, 0.2);
    assert_eq!(first, assign(bids(&["c", "a", "b"]), &rulings, 0.2));
    assert_eq!(first.matched.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(first.duplicates.len(), 2);
}
