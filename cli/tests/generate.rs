//! A generated set is the same bytes for any number of threads, and says the truth of every record.

use crm_sync::generate::{Size, generate};
use std::io::Read;
use std::path::Path;

/// The inflated text; empty, and so a failing test, when the file cannot be read.
fn read(path: &Path) -> String {
    let mut text = String::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text);
    }
    text
}

const FILES: [&str; 6] = [
    "profiles.jsonl.gz",
    "companies.jsonl.gz",
    "Lead.csv.gz",
    "Contact.csv.gz",
    "Account.csv.gz",
    "truth.csv.gz",
];

#[test]
fn one_and_three_threads_write_the_same_bytes() {
    let (one, three) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    generate(one.path(), Size::scale(25_000), 3, 1, |_| ()).unwrap();
    generate(three.path(), Size::scale(25_000), 3, 3, |_| ()).unwrap();
    for file in FILES {
        let bytes = |folder: &tempfile::TempDir| std::fs::read(folder.path().join(file)).unwrap();
        assert!(bytes(&one) == bytes(&three), "{file}");
    }
}

#[test]
fn every_record_has_its_truth_and_every_truth_exists() {
    let folder = tempfile::tempdir().unwrap();
    let written = generate(folder.path(), Size::scale(2_000), 5, 2, |_| ()).unwrap();
    let people = read(&folder.path().join(FILES[0]));
    let companies = read(&folder.path().join(FILES[1]));
    let mut records = std::collections::HashSet::new();
    for file in &FILES[2..5] {
        let text = read(&folder.path().join(file));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        records.extend(reader.records().map(|record| record.unwrap()[0].to_owned()));
    }
    let rows: u64 = written.iter().map(|w| w.rows).sum();
    assert_eq!(rows, 2_000 + 40 + records.len() as u64);

    let truth = read(&folder.path().join("truth.csv.gz"));
    let mut linked = 0;
    for row in csv::Reader::from_reader(truth.as_bytes()).records() {
        let row = row.unwrap();
        assert!(records.remove(&row[0]), "{}", &row[0]);
        if !row[1].is_empty() {
            linked += 1;
            let directory = if &row[2] == "Account" { &companies } else { &people };
            assert!(directory.contains(&format!("\"id\":\"{}\"", &row[1])), "{}", &row[1]);
        }
    }
    assert!(records.is_empty());
    assert!((1_000..1_400).contains(&linked), "{linked}");
}

#[test]
fn profiles_have_links_and_the_dates_and_companies_of_their_positions() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), Size::scale(2_000), 5, 2, |_| ()).unwrap();
    let companies: Vec<matching::Company> = rows(&folder.path().join(FILES[1]));
    let ids: std::collections::HashSet<&str> = companies.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(companies.len(), 40);
    assert!(companies.iter().all(|company| !company.profile_url.is_empty()));
    let people: Vec<matching::Person> = rows(&folder.path().join(FILES[0]));
    assert_eq!(people.len(), 2_000);
    assert!(people.iter().all(|person| !person.profile_url.is_empty()));
    let photos = people.iter().filter(|person| !person.photo_url.is_empty()).count();
    assert!((1_100..1_300).contains(&photos), "{photos}");
    let mut known = 0;
    for person in &people {
        let mut since = person.company.as_ref().and_then(|company| company.start_date);
        for past in &person.past_positions {
            assert!(past.start_date < past.end_date, "{}", person.id);
            assert!(since.is_none() || past.end_date <= since, "{}: the latest first", person.id);
            since = past.start_date;
            known += usize::from(past.company_id.is_some());
            assert!(past.company_id.as_deref().is_none_or(|id| ids.contains(id)), "{}", person.id);
        }
    }
    assert!(known > 1_000, "{known}");
}

fn rows<T: serde::de::DeserializeOwned>(path: &Path) -> Vec<T> {
    read(path).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn an_empty_set_and_a_tiny_set_are_made() {
    for scale in [0, 1, 3] {
        let folder = tempfile::tempdir().unwrap();
        generate(folder.path(), Size::scale(scale), 1, 2, |_| ()).unwrap();
        assert_eq!(read(&folder.path().join(FILES[0])).lines().count() as u64, scale);
    }
}
