//! What is said to be out of date, against the truth of the records that the tests share.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its records fails")]

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use matching::{Company, CrmPerson, Fact, Freshness, Person};

type Row = HashMap<String, String>;

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/dev").join(name);
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// The rows of a CSV file by the value of a column.
fn rows(name: &str, by: &str) -> BTreeMap<String, Row> {
    let text = text(name);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.deserialize::<Row>().map(Result::unwrap);
    rows.map(|row| (row[by].clone(), row)).collect()
}

fn entities<T: serde::de::DeserializeOwned>(
    name: &str,
    id: fn(&T) -> &String,
) -> HashMap<String, T> {
    let lines = text(name);
    let read = lines.lines().map(|line| serde_json::from_str::<T>(line).unwrap());
    read.map(|entity| (id(&entity).clone(), entity)).collect()
}

fn value(row: &Row, name: &str) -> Option<String> {
    row.get(name).filter(|value| !value.is_empty()).cloned()
}

/// A lead, or a contact with its account.
fn record(row: &Row, account: Option<&Row>) -> CrmPerson {
    let place = |part: &str| value(row, part).or_else(|| value(row, &format!("Mailing{part}")));
    let of_account = |name: &str| account.and_then(|account| value(account, name));
    CrmPerson {
        title: value(row, "Title"),
        company: value(row, "Company").or_else(|| of_account("Name")),
        website: value(row, "Website").or_else(|| of_account("Website")),
        city: place("City"),
        state: place("State"),
        country: place("Country"),
        ..CrmPerson::default()
    }
}

/// How many of a case's records are out of date by a fact.
#[derive(Debug, Default)]
struct Share {
    outdated: BTreeMap<Fact, u32>,
    records: u32,
}

#[test]
fn a_stale_employer_is_found_and_a_present_one_is_not_taken_for_stale() {
    let people = entities("profiles.jsonl.gz", |person: &Person| &person.id);
    let companies = entities("companies.jsonl.gz", |company: &Company| &company.id);
    let accounts = rows("Account.csv.gz", "Id");
    let truth = rows("truth.csv.gz", "crm_id");
    let mut cases: BTreeMap<(String, String), Share> = BTreeMap::new();
    for (id, row) in rows("Lead.csv.gz", "Id").into_iter().chain(rows("Contact.csv.gz", "Id")) {
        let known = &truth[&id];
        let Some(person) = people.get(&known["profile_id"]) else { continue };
        let account = row.get("AccountId").and_then(|id| accounts.get(id));
        let employer = person.company.as_ref().and_then(|company| company.company_id.as_ref());
        let employer = employer.and_then(|id| companies.get(id));
        let found = Freshness::of_person(&record(&row, account), person, employer);
        let share = cases.entry((known["object"].clone(), known["case"].clone())).or_default();
        share.records += 1;
        found.outdated.into_iter().for_each(|fact| *share.outdated.entry(fact).or_default() += 1);
    }
    println!("{cases:#?}");
    for object in ["Lead", "Contact"] {
        let share = |case: &str| {
            let share = &cases[&(object.to_owned(), case.to_owned())];
            let outdated = share.outdated.get(&Fact::Company).copied().unwrap_or_default();
            f64::from(outdated) / f64::from(share.records)
        };
        // The person left, or works where their profile never said.
        for case in ["match_stale_employer", "match_unlisted_employer"] {
            assert!(share(case) > 0.93, "{object}, {case}: {cases:#?}");
        }
        assert!(share("match") < 0.05, "{object}: {cases:#?}");
    }
}
