//! Our evaluation prints, byte for byte, what the reference script printed for the same files.
//!
//! The expected files were made by the benchmark's script; the names say with which options.

use std::path::PathBuf;
use std::process::{Command, Output};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/evaluate").join(name)
}

fn evaluate(predictions: &str, options: &[&str]) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_crm-sync"))
        .arg("evaluate")
        .args([fixture("truth.csv"), fixture(&format!("{predictions}.csv"))])
        .args(options)
        .output()
}

#[test]
fn the_output_is_the_reference_scripts() {
    let ways: [(&str, &[&str]); 5] = [
        ("each.txt", &["--cases"]),
        ("each.json", &["--json", "--cases"]),
        ("all.txt", &["--object", "all", "--threshold", "0.75"]),
        ("high.json", &["--object", "all", "--threshold", "2", "--json"]),
        ("account.json", &["--object", "Account", "--threshold", "-3.5", "--json"]),
    ];
    for predictions in ["probabilities", "weights", "none", "tiny", "sure"] {
        for (way, options) in ways {
            let name = format!("{predictions}.{way}");
            let output = evaluate(predictions, options).unwrap();
            let expected = std::fs::read_to_string(fixture(&name)).unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{name}");
            assert_eq!(output.status.code(), Some(0), "{name}");
        }
    }
}

#[test]
fn a_missing_column_is_named_with_its_file() {
    let output = Command::new(env!("CARGO_BIN_EXE_crm-sync"))
        .arg("evaluate")
        .args([fixture("probabilities.csv"), fixture("each.txt.missing")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("each.txt.missing"), "{message}");
}

#[test]
fn a_score_that_is_no_number_is_skipped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let predictions = folder.path().join("p.csv");
    std::fs::write(&predictions, "crm_id,profile_id,score\nLe0001,pr0001,high\nLe0001,pr1\n")
        .unwrap();
    for (strict, code) in [(None, 0), (Some("--strict"), 3)] {
        let output = Command::new(env!("CARGO_BIN_EXE_crm-sync"))
            .arg("evaluate")
            .args([&fixture("truth.csv"), &predictions])
            .args(strict)
            .output()
            .unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("p.csv: skipped 1 row: bad-score (line 2)"), "{message}");
        assert!(message.contains("p.csv: kept 1 row: cells-left-out (line 3)"), "{message}");
        assert_eq!(output.status.code(), Some(code));
    }
}
