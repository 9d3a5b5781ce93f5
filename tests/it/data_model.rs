//! `docs/data-model.md` beside the keys: a key that the code names has its place on the page.

use std::collections::BTreeSet;

use shared::store::keys::Kind;
use tests::{SourceFile, read, rust_files};

const PAGE: &str = "docs/data-model.md";

/// The files that make keys of documents and of objects.
fn key_files() -> Vec<SourceFile> {
    let is_of_keys = |file: &SourceFile| {
        file.path.ends_with("/keys.rs")
            || file.path.ends_with("/keys/generation.rs")
            || file.path.ends_with("/directory/model.rs")
    };
    let files = rust_files("shared/src").unwrap().into_iter();
    files.filter(|file| is_of_keys(file) && !file.path.contains("_tests")).collect()
}

/// The string literals of a file's code, without its comments.
fn literals(file: &SourceFile) -> impl Iterator<Item = &str> {
    let code = file.text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2))
}

/// The word in capitals that a literal begins with, as in `RUN#{run}`; none if it has none.
fn name_of_key(literal: &str) -> Option<&str> {
    let end = literal.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(literal.len());
    let (word, rest) = literal.split_at(end);
    (word.len() > 1 && (rest.is_empty() || rest.starts_with('#'))).then_some(word)
}

/// The folder that a literal begins with behind the prefix of its generation or version, as in
/// `{}pages/{run}`.
fn folder(literal: &str) -> Option<&str> {
    let rest = literal.strip_prefix("{}")?;
    let name = rest.split('/').next()?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    is_name.then_some(name)
}

fn named(pick: for<'a> fn(&'a str) -> Option<&'a str>) -> BTreeSet<String> {
    let files = key_files();
    files.iter().flat_map(literals).filter_map(pick).map(ToOwned::to_owned).collect()
}

#[test]
fn every_kind_of_a_generation_is_on_the_page() {
    let page = read(PAGE).unwrap();
    let missing = |kind: &Kind| !page.contains(&format!("kind `{}`", kind.as_str()));
    let missing: Vec<Kind> = Kind::ALL.into_iter().filter(missing).collect();
    assert_eq!(missing, [], "{PAGE}");
}

#[test]
fn every_key_that_the_code_names_is_on_the_page() {
    let page = read(PAGE).unwrap();
    let named = named(name_of_key);
    assert!(named.contains("WATERMARK") && named.contains("TEN"), "{named:?}");
    let kinds: BTreeSet<&str> = Kind::ALL.into_iter().map(Kind::as_str).collect();
    let documents = named.iter().filter(|name| !kinds.contains(name.as_str()));
    let is_missing = |name: &&String| {
        let forms = [format!("`{name}`"), format!("`{name}#"), format!(" {name}#")];
        !forms.iter().any(|form| page.contains(form))
    };
    assert_eq!(documents.filter(is_missing).collect::<Vec<_>>(), Vec::<&String>::new(), "{PAGE}");
}

#[test]
fn every_folder_of_objects_that_the_code_names_is_on_the_page() {
    let page = read(PAGE).unwrap();
    let folders = named(folder);
    assert!(folders.contains("pages") && folders.contains("shards"), "{folders:?}");
    let is_missing = |name: &&String| !page.contains(&format!("/{name}"));
    assert_eq!(folders.iter().filter(is_missing).collect::<Vec<_>>(), Vec::<&String>::new());
}
