//! Benches of the engine's steps over the golden set: `cargo bench -p matching`. Compare runs side
//! by side, never across machines.
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::sync::LazyLock;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use matching::{
    CrmPerson, EntityKind, MatchModel, Person, PersonForm, Probe, Scorer, Shard, ShardBuilder,
    Statistics, block_keys, posterior,
};

fn main() {
    divan::main();
}

static PEOPLE: LazyLock<Vec<Person>> = LazyLock::new(|| {
    include_str!("../tests/fixtures/golden/people.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
});

static RECORDS: LazyLock<Vec<CrmPerson>> = LazyLock::new(|| {
    let rows = include_str!("../tests/fixtures/golden/records.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    rows.filter(|row| row["object"] != "Account")
        .map(|row| serde_json::from_value(row["record"].clone()).unwrap())
        .collect()
});

/// The golden people sixteen times over under other ids and names, so that blocks are as full as in
/// a larger directory.
fn forms() -> Vec<PersonForm> {
    let mut forms = Vec::new();
    for copy in 0..16 {
        for person in PEOPLE.iter() {
            let mut person = person.clone();
            person.id = format!("{}-{copy}", person.id);
            if copy % 4 != 0 {
                person.last_name =
                    format!("{}{}", person.last_name, ["", "s", "er", "mann"][copy % 4]);
            }
            forms.push(PersonForm::from(&person));
        }
    }
    forms
}

static BUILT: LazyLock<(Statistics, Vec<u8>)> = LazyLock::new(|| {
    let forms = forms();
    let mut builder = ShardBuilder::new(EntityKind::Person, 0, 1);
    for form in &forms {
        builder.add_person(form);
    }
    let statistics = Statistics::of(std::slice::from_ref(&builder));
    let bytes = builder.finish(&statistics);
    (statistics, bytes)
});

static PROBES: LazyLock<Vec<Probe>> =
    LazyLock::new(|| RECORDS.iter().map(|record| Probe::person("r", record)).collect());

#[divan::bench]
fn normalise_people(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(PEOPLE.len())).bench(|| {
        PEOPLE.iter().map(PersonForm::from).map(|form| black_box(form).phones.len()).sum::<usize>()
    });
}

#[divan::bench]
fn normalise_records(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(RECORDS.len())).bench(|| {
        RECORDS
            .iter()
            .map(|record| black_box(Probe::person("r", record)).is_nameless())
            .filter(|nameless| *nameless)
            .count()
    });
}

#[divan::bench]
fn count_and_build(bencher: Bencher<'_, '_>) {
    let forms = forms();
    bencher.counter(ItemsCount::new(forms.len())).bench(|| {
        let mut builder = ShardBuilder::new(EntityKind::Person, 0, 1);
        for form in &forms {
            builder.add_person(form);
        }
        let statistics = Statistics::of(std::slice::from_ref(&builder));
        builder.finish(&statistics)
    });
}

#[divan::bench]
fn open(bencher: Bencher<'_, '_>) {
    let (_, bytes) = &*BUILT;
    bencher
        .counter(divan::counter::BytesCount::new(bytes.len()))
        .bench(|| Shard::open(black_box(bytes)).unwrap().len());
}

#[divan::bench]
fn make_block_keys(bencher: Bencher<'_, '_>) {
    let (statistics, _) = &*BUILT;
    bencher
        .counter(ItemsCount::new(PROBES.len()))
        .bench(|| PROBES.iter().map(|probe| block_keys(probe, statistics).len()).sum::<usize>());
}

#[divan::bench]
fn block(bencher: Bencher<'_, '_>) {
    let (statistics, bytes) = &*BUILT;
    let (shard, engine) =
        (Shard::open(bytes).unwrap(), Scorer::new(MatchModel::shipped().unwrap(), statistics));
    bencher
        .counter(ItemsCount::new(PROBES.len()))
        .bench(|| PROBES.iter().map(|probe| engine.block(&shard, probe).len()).sum::<usize>());
}

#[divan::bench]
fn block_score_and_decide(bencher: Bencher<'_, '_>) {
    let (statistics, bytes) = &*BUILT;
    let (shard, engine) =
        (Shard::open(bytes).unwrap(), Scorer::new(MatchModel::shipped().unwrap(), statistics));
    let decide = |probe| {
        posterior(
            MatchModel::shipped().unwrap(),
            EntityKind::Person,
            &engine.candidates(&shard, probe, 8),
        )
        .len()
    };
    bencher
        .counter(ItemsCount::new(PROBES.len()))
        .bench(|| PROBES.iter().map(decide).sum::<usize>());
}
