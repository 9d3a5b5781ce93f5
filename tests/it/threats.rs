//! `docs/threat-model.md`, `docs/behaviour.md` and the pages of the catalogues beside the tests
//! that they name.

use std::collections::{BTreeMap, BTreeSet};

use tests::{read, rust_files};

const PAGE: &str = "docs/threat-model.md";
const RUNBOOKS: &str = "docs/incidents.md";
const BEHAVIOUR: &str = "docs/behaviour.md";

/// The pages of the catalogues: how many lines each has, and what they are called.
const CATALOGUES: [(&str, usize, &str); 3] = [
    ("docs/faults.md", 48, "faults"),
    ("docs/inputs.md", 70, "inputs"),
    ("docs/checklist.md", 46, "lines"),
];

/// How far a line of a catalogue is held by tests.
const STATES: [&str; 3] = ["asserted", "partly", "not yet"];

/// The names of all test functions, of those too that a macro runs in both homes.
fn tests() -> BTreeSet<String> {
    let folders = ["cli", "console", "functions", "local", "server", "shared", "tests"];
    let files = folders.iter().flat_map(|folder| rust_files(folder).unwrap());
    let mut names = BTreeSet::new();
    for file in files {
        let (mut is_test, mut is_listed) = (false, false);
        for line in file.text.lines().map(str::trim) {
            if line == "in_both_homes!(" || line == ");" {
                is_listed = line != ");";
            } else if is_listed {
                names.insert(line.trim_end_matches(',').to_owned());
            } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some(rest) = line.strip_prefix("async fn ").or(line.strip_prefix("fn ")) {
                let name = rest.split('(').next().unwrap_or_default();
                if std::mem::take(&mut is_test) {
                    names.insert(name.to_owned());
                }
            }
        }
    }
    names
}

/// The rows of the page's tables that have four cells.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect());
    cells.filter(|cells: &Vec<&str>| cells.len() == 4).collect()
}

/// The names that stand in backticks in a cell.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_threat_has_its_control_and_a_test_that_exists() {
    let page = read(PAGE).unwrap();
    let (mut rows, known) = (rows(&page), tests());
    // Letter, threat, control, tests.
    rows.retain(|cells| cells[0].len() == 1);
    assert!(rows.len() > 25 && known.len() > 500, "{} {}", rows.len(), known.len());
    let mut missing = Vec::new();
    for row in &rows {
        let named = named(row[3]);
        assert!(!row[2].is_empty() && !named.is_empty(), "{row:?}");
        missing.extend(named.into_iter().filter(|name| !known.contains(*name)));
    }
    assert_eq!(missing, Vec::<&str>::new(), "{PAGE} names tests that are not there");
    let letters: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(letters, BTreeSet::from(["D", "E", "I", "R", "S", "T"]));
}

#[test]
fn each_line_of_a_catalogue_names_tests_that_exist_and_is_counted() {
    let known = tests();
    for (path, lines, called) in CATALOGUES {
        let page = read(path).unwrap();
        // What happens, how far tests hold it, tests, outcome.
        let mut rows = rows(&page);
        rows.retain(|cells| STATES.contains(&cells[1]));
        let numbers: BTreeSet<&str> =
            rows.iter().filter_map(|row| row[0].split(' ').next()).collect();
        assert_eq!((rows.len(), numbers.len()), (lines, lines), "{path}");
        let mut counts = BTreeMap::from(STATES.map(|state| (state, 0)));
        let mut missing = Vec::new();
        for row in &rows {
            let named = named(row[2]);
            assert!(row[1] == "not yet" || !named.is_empty(), "{path}: {row:?}");
            missing.extend(named.into_iter().filter(|name| !known.contains(*name)));
            *counts.entry(row[1]).or_default() += 1;
        }
        assert_eq!(missing, Vec::<&str>::new(), "{path} names tests that are not there");
        let [asserted, partly, not_yet] = STATES.map(|state| counts[state]);
        let told =
            format!("{asserted} of {lines} {called} asserted, {partly} partly, {not_yet} not yet.");
        assert!(page.contains(&told), "{path} does not say: {told}");
    }
}

#[test]
fn each_behaviour_is_numbered_and_names_tests_that_exist() {
    let page = read(BEHAVIOUR).unwrap();
    let known = tests();
    let rows = page.lines().filter(|line| line.starts_with("| B"));
    let rows: Vec<Vec<&str>> =
        rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect();
    assert!(rows.len() >= 60, "{}", rows.len());
    let mut missing = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let [number, behaviour, shown] = row[..] else { panic!("{row:?}") };
        assert_eq!(number, format!("B{}", place + 1), "numbers follow each other");
        let named = named(shown);
        assert!(!behaviour.is_empty() && !named.is_empty(), "{row:?}");
        missing.extend(named.into_iter().filter(|name| !known.contains(*name)));
    }
    assert_eq!(missing, Vec::<&str>::new(), "{BEHAVIOUR} names tests that are not there");
}

#[test]
fn each_runbook_names_tests_that_exist() {
    let page = read(RUNBOOKS).unwrap();
    let known = tests();
    let books: Vec<&str> = page.split("\n## ").skip(1).collect();
    assert_eq!(books.len(), 4);
    for book in books {
        let (_, shown) = book.split_once("\nShown by:").unwrap();
        let (shown, _) = shown.split_once('.').unwrap();
        let named = named(shown);
        let missing: Vec<_> = named.iter().filter(|name| !known.contains(**name)).collect();
        assert!(named.len() >= 3 && missing.is_empty(), "{missing:?} in {book}");
    }
}
