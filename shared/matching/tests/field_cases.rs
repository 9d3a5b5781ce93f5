//! Trouble that people had with other products, and its neighbours: each record is decided right.
//! The cases lie in `fixtures/field`; each is matched against the golden directory and its own
//! entities.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test binary uses its part of the golden set")]

#[path = "common/golden.rs"]
mod golden;

use golden::entities;
use matching::{
    Company, CompanyForm, EntityKind, MatchDecision, MatchModel, Person, PersonForm, Probe, Scorer,
    Shard, ShardBuilder, Statistics, explain, posterior,
};
use serde::Deserialize;

/// One line of a case.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Person { person: Person },
    Company { company: Company },
    Record { id: String, object: String, right: String, record: serde_json::Value },
}

/// Decides every record of a case and compares that with what is right: `match ID`, `no match`
/// (review at most), or `nobody`.
#[track_caller]
fn is_right(case: &str) {
    let mut people: Vec<Person> = entities(include_str!("fixtures/golden/people.jsonl"));
    let mut companies: Vec<Company> = entities(include_str!("fixtures/golden/companies.jsonl"));
    let mut records = Vec::new();
    for line in case.lines() {
        match serde_json::from_str(line).unwrap() {
            Line::Person { person } => people.push(person),
            Line::Company { company } => companies.push(company),
            Line::Record { id, object, right, record } => {
                let probe = if object == "Account" {
                    Probe::account(&id, &serde_json::from_value(record).unwrap())
                } else {
                    Probe::person(&id, &serde_json::from_value(record).unwrap())
                };
                records.push((probe, right));
            }
        }
    }
    let mut person_shard = ShardBuilder::new(EntityKind::Person, 0, 1);
    for person in &people {
        person_shard.add_person(&PersonForm::from(person));
    }
    let mut company_shard = ShardBuilder::new(EntityKind::Company, 0, 1);
    for company in &companies {
        company_shard.add_company(&CompanyForm::from(company));
    }
    let builders = [person_shard, company_shard];
    let statistics = Statistics::of(&builders);
    let shards = builders.map(|builder| builder.finish(&statistics));
    let model = MatchModel::shipped().unwrap();
    let engine = Scorer::new(model, &statistics);
    let mut wrong = Vec::new();
    for (probe, right) in &records {
        let bytes = &shards[usize::from(probe.kind() == EntityKind::Company)];
        let shard = Shard::open(bytes).unwrap();
        let scored = posterior(model, probe.kind(), &engine.candidates(&shard, probe, 8));
        let decided = scored.first().map_or("nobody".to_owned(), |best| {
            let entity = &best.candidate.entity_id;
            match model.thresholds.decide(best.probability) {
                MatchDecision::Match => format!("match {entity}"),
                MatchDecision::Review => format!("review {entity}"),
                MatchDecision::NonMatch => "nobody".to_owned(),
            }
        });
        let is_right =
            if right == "no match" { !decided.starts_with("match") } else { decided == *right };
        if !is_right {
            let why = scored.first().map(|best| {
                let id = &best.candidate.entity_id;
                explain(model, &statistics, &shard, probe, id).map(|why| why.words)
            });
            wrong.push(format!("{}: {decided}, right is {right}: {why:?}", probe.record_id()));
        }
    }
    assert!(records.len() > 1 && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn field_07_a_switchboard_is_nobodys_phone_and_an_extension_tells_people_apart() {
    is_right(include_str!("fixtures/field/07-phones.jsonl"));
}

#[test]
fn field_07_a_number_in_scientific_notation_is_none() {
    is_right(include_str!("fixtures/field/07-phones-from-excel.jsonl"));
}

#[test]
fn field_08_one_mailbox_is_one_however_its_address_is_written() {
    is_right(include_str!("fixtures/field/08-mail-addresses.jsonl"));
}

#[test]
fn field_08_a_departments_mailbox_makes_no_stranger_a_person_of_the_directory() {
    is_right(include_str!("fixtures/field/08-departments.jsonl"));
}

#[test]
fn field_10_numbers_numerals_and_letters_of_company_names_are_no_slips() {
    is_right(include_str!("fixtures/field/10-numbered-companies.jsonl"));
}

#[test]
fn field_11_a_legal_form_is_no_word_in_any_script() {
    is_right(include_str!("fixtures/field/11-forms-in-other-scripts.jsonl"));
}

#[test]
fn field_12_further_names_generations_and_lone_names_count() {
    is_right(include_str!("fixtures/field/12-parts-of-names.jsonl"));
}

/// Many people at one number or address: agreeing on it says the less, the more they are.
#[test]
fn a_phone_and_an_address_say_less_the_more_people_share_them() {
    let weight = |sharing: usize| {
        let person = |number: usize| Person {
            id: format!("p{number}"),
            first_name: format!("Given{}", (b'a' + u8::try_from(number).unwrap()) as char),
            last_name: "Abernathy".into(),
            phones: vec!["+1 612 555 0170".into()],
            emails: vec!["house@abernathy-farm.com".into()],
            ..Person::default()
        };
        let mut builder = ShardBuilder::new(EntityKind::Person, 0, 1);
        for number in 0..sharing {
            builder.add_person(&PersonForm::from(&person(number)));
        }
        let statistics = Statistics::of(std::slice::from_ref(&builder));
        let bytes = builder.finish(&statistics);
        let record = serde_json::json!({
            "last_name": "Abernathy", "phone": "612 555 0170", "email": "house@abernathy-farm.com",
        });
        let probe = Probe::person("r", &serde_json::from_value(record).unwrap());
        let shard = Shard::open(&bytes).unwrap();
        let why =
            explain(MatchModel::shipped().unwrap(), &statistics, &shard, &probe, "p0").unwrap();
        let of = |name: &str| why.comparisons.iter().find(|one| one.name == name).unwrap().weight;
        (of("phone"), of("email"))
    };
    let (alone, eight) = (weight(1), weight(8));
    assert!((alone.0 - eight.0 - 3.0).abs() < 1e-6, "{alone:?} {eight:?}");
    assert!((alone.1 - eight.1 - 3.0).abs() < 1e-6, "{alone:?} {eight:?}");
}
