//! Any bytes as a shard file, and a good shard with bytes changed: refused, or read without panic.
//!
//! Changed shards are opened without the checksum, which would refuse nearly all of them: behind it
//! every access must be bounds-checked all the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matching::{
    Company, CompanyForm, CrmAccount, CrmPerson, Employer, EntityKind, MatchModel, Person,
    PersonForm, Probe, Scorer, Shard, ShardBuilder, Statistics, explain,
};
use std::sync::LazyLock;

struct Good {
    statistics: Statistics,
    people: Vec<u8>,
    companies: Vec<u8>,
    probes: [Probe; 2],
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let names = ["Katherine Wolcott", "Bogdan Milewski", "Inês Carvalho", "Kate Wolcott", "."];
    let people: Vec<PersonForm> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let (first, last) = name.split_once(' ').unwrap_or(("", name));
            PersonForm::from(&Person {
                id: format!("pe_{at}"),
                first_name: first.into(),
                last_name: last.into(),
                title: "Head of Sales".into(),
                company: Some(Employer { name: "Velotrax Systems Inc".into(), company_id: None }),
                emails: vec!["k.wolcott@velotrax.com".into()],
                phones: vec!["+1 512 555 0134".into()],
                city: "Austin".into(),
                country: "US".into(),
                ..Person::default()
            })
        })
        .collect();
    let company = CompanyForm::from(&Company {
        id: "fi_1".into(),
        name: "Velotrax Systems Inc.".into(),
        domain: "velotrax.com".into(),
        city: "Austin".into(),
        ..Company::default()
    });
    let mut shard = ShardBuilder::new(EntityKind::Person, 0, 1);
    for form in &people {
        shard.add_person(form);
    }
    let mut companies = ShardBuilder::new(EntityKind::Company, 0, 1);
    companies.add_company(&company);
    let builders = [shard, companies];
    let statistics = Statistics::of(&builders);
    let [people, companies] = builders.map(|builder| builder.finish(&statistics));
    let lead = CrmPerson {
        first_name: Some("Kate".into()),
        last_name: Some("Wolcott".into()),
        company: Some("Velotrax".into()),
        email: Some("kwolcott@velotrax.com".into()),
        ..CrmPerson::default()
    };
    let account = CrmAccount { name: Some("Velotrax".into()), ..CrmAccount::default() };
    Good {
        people,
        companies,
        statistics,
        probes: [Probe::person("l1", &lead), Probe::account("a1", &account)],
    }
});

fn read(bytes: &[u8]) {
    let good = &*GOOD;
    let model = MatchModel::shipped().unwrap();
    let Ok(shard) = Shard::open_verified(bytes) else { return };
    let scorer = Scorer::new(model, &good.statistics);
    for probe in &good.probes {
        for candidate in scorer.raw_candidates(&shard, probe, 8) {
            let id = shard.entity_id(candidate.ordinal).to_owned();
            let _ = explain(model, &good.statistics, &shard, probe, &id);
        }
    }
    let _ = shard.columns();
    for ordinal in 0..shard.len().min(64) {
        let _ = shard.entity_id(ordinal);
    }
}

// As it is, and as changes to a good shard: two bytes where, one byte what.
fuzz_target!(|input: &[u8]| {
    let _ = Shard::open(input);
    read(input);
    let _ = Statistics::from_bytes(input);
    let _ = Probe::from_bytes(input);
    let Some((choice, edits)) = input.split_first() else { return };
    let mut changed = if choice % 2 == 0 { GOOD.people.clone() } else { GOOD.companies.clone() };
    for edit in edits.chunks_exact(3) {
        let length = changed.len();
        changed[usize::from(u16::from_le_bytes([edit[0], edit[1]])) % length] = edit[2];
    }
    read(&changed);
});
