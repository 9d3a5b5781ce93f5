//! The list of mutants, held to the code: `make mutants` takes longer than anybody waits.

use std::collections::{BTreeMap, BTreeSet};

use tests::{read, rust_files};
use toml::de::{DeTable, DeValue};

const LIST: &str = "tests/mutants/mutants.toml";

/// What the page names as having noticed a mutant.
fn noticed_by(page: &str) -> BTreeMap<&str, &str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.map(|row| row.trim_end_matches(" |").split(" | ").collect::<Vec<_>>());
    cells.filter(|cells| cells.len() == 3).map(|cells| (cells[0], cells[2])).collect()
}

#[test]
fn each_mutant_has_its_place_in_the_code_and_a_test_that_noticed_it() {
    let (list, page) = (read(LIST).unwrap(), read("docs/mutations.md").unwrap());
    let parsed = DeTable::parse(&list).unwrap();
    let mutants = parsed.get_ref()["mutant"].get_ref().as_array().unwrap();
    let noticed = noticed_by(&page);
    let tests: String = ["cli", "console", "functions", "local", "server", "shared", "tests"]
        .iter()
        .flat_map(|folder| rust_files(folder).unwrap())
        .map(|file| file.text)
        .collect();
    let mut ids = BTreeSet::new();
    for mutant in mutants {
        let text = |name: &str| match mutant.get_ref().get(name).map(|value| value.get_ref()) {
            Some(DeValue::String(text)) => text.to_string(),
            _ => panic!("a mutant has no {name}"),
        };
        let (id, file, source) = (text("id"), text("file"), text("from"));
        let places = read(&file).unwrap().matches(&source).count();
        assert_eq!(places, 1, "{id}: `from` stands {places} times in {file}; correct {LIST}");
        assert_ne!(source, text("to"), "{id} changes nothing");
        let test = noticed.get(&*id).and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
        let test = test.unwrap_or_else(|| panic!("{id}: nothing noticed it; run `make mutants`"));
        assert!(tests.contains(&format!("fn {test}(")), "{id}: there is no test {test}");
        ids.insert(id);
    }
    let told: BTreeSet<String> = noticed.keys().map(ToString::to_string).collect();
    assert_eq!(told, ids, "docs/mutations.md tells of other mutants; run `make mutants`");
}
