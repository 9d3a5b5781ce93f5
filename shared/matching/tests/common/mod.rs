//! Small synthetic directories.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod golden;

use matching::{
    CrmPerson, Employer, EntityKind, Person, PersonForm, Position, ShardBuilder, Statistics,
    shard_of,
};
use proptest::prelude::*;
use proptest::sample::select;

const GIVEN: [&str; 10] =
    ["Robert", "Bob", "Jane", "Wei", "Jürgen", "Ana Maria", "J.", "Katherine", "Kate", ""];
const FAMILY: [&str; 10] = [
    "Quillfeather",
    "Doering",
    "Wang",
    "Müller",
    "Mueller",
    "van der Berg",
    "O'Brien",
    "Li",
    "García López",
    "",
];
const FIRMS: [&str; 8] = [
    "Acme, Inc.",
    "Acme GmbH",
    "Old Mill Bakery",
    "International Widget Works",
    "IWW",
    "acme.com",
    "",
    "Unknown",
];
const CITIES: [(&str, &str); 5] =
    [("Munich", "Germany"), ("München", "DE"), ("Boston", "United States"), ("", "UK"), ("", "")];
const MAILS: [&str; 6] = [
    "robert.quillfeather@acme.com",
    "jdoering@gmail.com",
    "info@acme.com",
    "wei.wang@iww.example.com",
    "not a mail",
    "",
];

pub(crate) fn a_person(number: usize) -> impl Strategy<Value = Person> {
    let parts = (
        select(&GIVEN[..]),
        select(&FAMILY[..]),
        select(&FIRMS[..]),
        select(&FIRMS[..]),
        select(&CITIES[..]),
        select(&MAILS[..]),
        select(&["co_1", "co_2", ""][..]),
    );
    parts.prop_map(move |(first, last, firm, before, (city, country), mail, id)| Person {
        id: format!("p{number}"),
        first_name: first.into(),
        last_name: last.into(),
        title: "Head of Sales".into(),
        company: Some(Employer {
            name: firm.into(),
            company_id: Some(id.to_owned()).filter(|id| !id.is_empty()),
            ..Employer::default()
        }),
        past_positions: vec![Position {
            title: "VP Marketing".into(),
            company: before.into(),
            ..Position::default()
        }],
        emails: vec![mail.into()],
        city: city.into(),
        country: country.into(),
        ..Person::default()
    })
}

pub(crate) fn a_directory(most: usize) -> impl Strategy<Value = Vec<Person>> {
    (0..=most).prop_flat_map(|count| (0..count).map(a_person).collect::<Vec<_>>())
}

pub(crate) fn a_record() -> impl Strategy<Value = CrmPerson> {
    a_person(0).prop_map(|person| CrmPerson {
        first_name: Some(person.first_name),
        last_name: Some(person.last_name),
        title: Some("SVP, Sales".into()),
        company: person.company.map(|company| company.name),
        email: person.emails.into_iter().next(),
        city: Some(person.city),
        country: Some(person.country),
        ..CrmPerson::default()
    })
}

pub(crate) fn forms(people: &[Person]) -> Vec<PersonForm> {
    people.iter().map(PersonForm::from).collect()
}

pub(crate) fn laid_down<'a>(
    forms: impl IntoIterator<Item = &'a PersonForm>,
    number: u32,
    shards: u32,
) -> ShardBuilder {
    let mut builder = ShardBuilder::new(EntityKind::Person, number, shards);
    forms
        .into_iter()
        .filter(|form| shard_of(&form.id, shards) == number)
        .for_each(|form| builder.add_person(form));
    builder
}

pub(crate) fn build(people: &[Person], shards: u32) -> (Statistics, Vec<Vec<u8>>) {
    let forms = forms(people);
    let builders: Vec<ShardBuilder> =
        (0..shards).map(|number| laid_down(&forms, number, shards)).collect();
    let statistics = Statistics::of(&builders);
    let files = builders.into_iter().map(|builder| builder.finish(&statistics)).collect();
    (statistics, files)
}

/// Three people: Robert Quillfeather of Acme, before of the Old Mill Bakery, in Boston; Jane
/// Doering of Acme; Wei Wang of nowhere.
pub(crate) fn some_people() -> Vec<Person> {
    let person = |id: &str, first: &str, last: &str, firm: &str| Person {
        id: id.into(),
        first_name: first.into(),
        last_name: last.into(),
        company: Some(Employer { name: firm.into(), ..Employer::default() }),
        ..Person::default()
    };
    let mut people = vec![
        person("p1", "Robert", "Quillfeather", "Acme, Inc."),
        person("p2", "Jane", "Doering", "Acme"),
        person("p3", "Wei", "Wang", ""),
    ];
    people[0].past_positions = vec![Position {
        title: "Baker".into(),
        company: "Old Mill Bakery".into(),
        ..Position::default()
    }];
    people[0].city = "Boston".into();
    people[0].country = "United States".into();
    people
}
