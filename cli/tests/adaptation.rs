//! `crm-sync match` without a flag on records that the shipped model was not trained on.
#![expect(clippy::expect_used, reason = "a test that cannot set its stage fails")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

const ACCOUNTS: usize = 1_300;

/// A firm of which the name is known and nothing else: a made word and a trade.
fn firm(number: usize) -> String {
    let starts =
        ["b", "br", "c", "d", "f", "fl", "g", "gr", "h", "k", "l", "m", "n", "p", "s", "t"];
    let vowels = ["a", "e", "i", "o", "u", "ai", "eo", "y"];
    let trades = ["Timber", "Glass", "Marine", "Optics", "Foods", "Freight", "Polymers", "Mining"];
    // The low bits of a product with an odd number are each number's own; the high ones mix.
    let mut bits = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let mut take = |of: usize| {
        let taken = bits % of;
        bits /= of;
        taken
    };
    let word: String = (0..3).map(|_| starts[take(16)].to_owned() + vowels[take(8)]).collect();
    format!("{word}x {}", trades[take(8)])
}

/// A directory of the even numbers, and accounts of all, with their legal form or cut short.
fn set() -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut companies = String::new();
    for number in (0..ACCOUNTS).step_by(2) {
        let name = firm(number);
        writeln!(companies, r#"{{"id":"co_{number}","name":"{name}"}}"#).expect("a text");
    }
    let mut accounts = Vec::new();
    for number in 0..ACCOUNTS {
        let name = firm(number);
        let name = match number % 7 {
            0 | 1 => format!("{name} GmbH"),
            2 | 3 => name[..name.len() - 2].to_owned(),
            _ => name,
        };
        accounts.push(format!("001{number:012},{name}"));
    }
    std::fs::write(folder.path().join("companies.jsonl"), companies).expect("a file");
    (folder, accounts)
}

/// Matches the accounts; the predictions, sorted, and the summary.
#[track_caller]
fn matched(folder: &Path, accounts: &[String], options: &[&str]) -> (Vec<String>, Value) {
    let text = format!("Id,Name\n{}\n", accounts.join("\n"));
    std::fs::write(folder.join("Account.csv"), text).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_crm-sync"))
        .current_dir(folder)
        .args(["match", "--companies", "companies.jsonl", "--account", "Account.csv"])
        .args(["--out", "out.csv", "--json"])
        .args(options)
        .output()
        .expect("the program to start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = std::fs::read_to_string(folder.join("out.csv")).expect("the predictions");
    let mut rows: Vec<String> = found.lines().map(str::to_owned).collect();
    rows.sort();
    (rows, serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn the_default_adapts_and_the_order_and_threads_change_nothing() {
    let (folder, mut accounts) = set();
    let folder = folder.path();
    let (expected, told) = matched(folder, &accounts, &["--threads", "1"]);
    let company = &told["models"]["company"];
    assert_eq!(
        (&company["adapted"], &company["records"]),
        (&1.0.into(), &ACCOUNTS.into()),
        "{told}"
    );
    let nobody = company["nobody"].as_f64().expect("a share");
    assert!((0.4..0.6).contains(&nobody), "{told}");
    let (shipped, told) = matched(folder, &accounts, &["--as-shipped"]);
    assert_eq!(told["models"], serde_json::json!({}));
    assert_ne!(expected, shipped, "the probabilities are others");
    assert!(expected.len() >= shipped.len(), "{} {}", expected.len(), shipped.len());
    let right = |row: &&String| {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let (record, entity) = row.split_once(',').expect("two columns");
        let entity = entity.split(',').next().expect("a column");
        digits(&record[3..]).trim_start_matches('0') == digits(entity).trim_start_matches('0')
    };
    assert!(expected.iter().skip(1).filter(right).count() * 20 > expected.len() * 19);
    for options in [&["--threads", "2"][..], &["--shards", "3"], &["--save-model", "used.json"]] {
        assert_eq!(matched(folder, &accounts, options).0, expected, "{options:?}");
    }
    let by_the_model = matched(folder, &accounts, &["--model", "used.json"]).0;
    assert_eq!(by_the_model, expected, "the model that was used gives what it gave");
    accounts.reverse();
    assert_eq!(matched(folder, &accounts, &[]).0, expected, "the order of the rows");
}
