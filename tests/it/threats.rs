//! `docs/threat-model.md` beside the tests that it names.

use std::collections::BTreeSet;

use tests::{read, rust_files};

const PAGE: &str = "docs/threat-model.md";

/// The names of all test functions.
fn tests() -> BTreeSet<String> {
    let folders = ["cli", "functions", "local", "server", "shared", "tests"];
    let files = folders.iter().flat_map(|folder| rust_files(folder).unwrap());
    let mut names = BTreeSet::new();
    for file in files {
        let mut is_test = false;
        for line in file.text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
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

/// The rows of the page's tables: letter, threat, control, tests.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect());
    cells.filter(|cells: &Vec<&str>| cells.len() == 4 && cells[0].len() == 1).collect()
}

#[test]
fn each_threat_has_its_control_and_a_test_that_exists() {
    let page = read(PAGE).unwrap();
    let (rows, known) = (rows(&page), tests());
    assert!(rows.len() > 25 && known.len() > 500, "{} {}", rows.len(), known.len());
    let mut missing = Vec::new();
    for row in &rows {
        let named: Vec<&str> = row[3].split('`').skip(1).step_by(2).collect();
        assert!(!row[2].is_empty() && !named.is_empty(), "{row:?}");
        missing.extend(named.into_iter().filter(|name| !known.contains(*name)));
    }
    assert_eq!(missing, Vec::<&str>::new(), "{PAGE} names tests that are not there");
    let letters: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(letters, BTreeSet::from(["D", "E", "I", "R", "S", "T"]));
}
