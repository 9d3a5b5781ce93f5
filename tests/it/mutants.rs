//! The list of mutants, held to the code: `make mutants` takes longer than anybody waits.

use std::collections::BTreeMap;

use tests::read;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const LIST: &str = "tests/mutants/mutants.toml";

#[test]
fn each_mutant_has_its_one_place_in_the_code_and_changes_it() {
    let list = read(LIST).unwrap();
    let parsed = DeTable::parse(&list).unwrap();
    let mutants = parsed.get_ref()["mutant"].get_ref().as_array().unwrap();
    let mut told = BTreeMap::new();
    for mutant in mutants {
        let text = |name: &str| match mutant.get_ref().get(name).map(Spanned::get_ref) {
            Some(DeValue::String(text)) => text.to_string(),
            _ => panic!("a mutant has no {name}"),
        };
        let (id, file, source) = (text("id"), text("file"), text("from"));
        let places = read(&file).unwrap().matches(&source).count();
        assert_eq!(places, 1, "{id}: `from` stands {places} times in {file}; correct {LIST}");
        assert_ne!(source, text("to"), "{id} changes nothing");
        assert!(!text("tests").is_empty(), "{id}: no test ought to notice it");
        let what = text("what");
        let other = told.insert(id.clone(), what.clone()).filter(|other| *other != what);
        assert_eq!(other, None, "{id} stands for two mutants");
    }
}
