//! Base data that are missing, broken or too few end in a message that says what and where.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::folder::data;

fn copy_of_the_base() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(data()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

fn replace(folder: &Path, name: &str, text: &str) {
    let mut file = GzEncoder::new(File::create(folder.join(name)).unwrap(), Compression::default());
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap();
}

fn run(base: &Path, arguments: &[&str]) -> Output {
    let out = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_org-generator"))
        .arg("--base")
        .arg(base)
        .arg("--out")
        .arg(out.path().join("org"))
        .args(arguments)
        .output()
        .unwrap()
}

fn complaint(base: &Path) -> String {
    let output = run(base, &["--small"]);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_good_run_says_how_many_rows_it_wrote() {
    let output = run(&data(), &["--small", "--seed", "3", "--as-of", "2027-03-01T00:00:00Z"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("60 Account,") && said.contains("40 User,"), "{said}");
}

#[test]
fn a_folder_without_data_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = complaint(folder.path());
    assert!(said.contains("Account.csv.gz; is it a folder like data/dev?"), "{said}");
    assert!(said.contains("No such file"), "{said}");
}

#[test]
fn a_broken_entity_is_named_by_file_and_line() {
    let folder = copy_of_the_base();
    let company = concat!(
        r#"{"id":"co_1","name":"A","domain":"","website":"","phone":"","street":"","city":"","#,
        r#""state":"","postal_code":"","country":"","industry":"","employees":3}"#,
    );
    replace(folder.path(), "companies.jsonl.gz", &format!("{company}\n{{\"id\":\"co_2\"}}\n"));
    let said = complaint(folder.path());
    assert!(said.contains("line 2 of") && said.contains("companies.jsonl.gz"), "{said}");
    assert!(said.contains("missing field `name`"), "{said}");
}

#[test]
fn a_ragged_csv_row_is_named_by_file_and_line() {
    let folder = copy_of_the_base();
    replace(folder.path(), "Lead.csv.gz", "Id,LastName\n00QDn000000UJGgMAO,Miller\nonly\n");
    let said = complaint(folder.path());
    assert!(said.contains("Lead.csv.gz is not the CSV file") && said.contains("line: 3"), "{said}");
}

#[test]
fn base_data_that_cannot_tell_the_story_are_refused() {
    let folder = copy_of_the_base();
    replace(folder.path(), "truth.csv.gz", "crm_id,profile_id,object,case\n");
    let said = complaint(folder.path());
    assert!(said.contains("the base data hold no contact that plainly is"), "{said}");
}
