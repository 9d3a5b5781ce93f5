//! The commands on a small generated set, from end to end.
#![expect(clippy::expect_used, reason = "a test that cannot set its stage fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use tempfile::TempDir;

/// One set and its index for all tests of this file.
static SET: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    done(folder.path(), &["generate", ".", "--scale", "1500", "--seed", "11"]);
    let files = ["--people", "profiles.jsonl.gz", "--companies", "companies.jsonl.gz"];
    done(folder.path(), &[&["index", "build", "index"][..], &files[..]].concat());
    folder
});

const FILES: [&str; 10] = [
    "--people",
    "profiles.jsonl.gz",
    "--companies",
    "companies.jsonl.gz",
    "--lead",
    "Lead.csv.gz",
    "--contact",
    "Contact.csv.gz",
    "--account",
    "Account.csv.gz",
];

fn crm_sync(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_crm-sync"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the program to start");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs a command that must succeed, and gives its output.
#[track_caller]
fn done(folder: &Path, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = crm_sync(folder, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
    stdout
}

/// Matches all objects into a file of this name and gives its text.
#[track_caller]
fn predictions(name: &str, options: &[&str]) -> String {
    let folder = SET.path();
    let out = format!("{name}.csv");
    done(folder, &[&["match", "--out", &out], options].concat());
    std::fs::read_to_string(folder.join(out)).expect("the predictions")
}

fn rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().flatten().map(|row| row.iter().map(str::to_owned).collect()).collect()
}

#[test]
fn threads_shards_and_an_index_give_the_same_bytes() {
    let expected = predictions("one", &[&FILES[..], &["--threads", "1"]].concat());
    assert!(expected.lines().count() > 500, "{}", expected.lines().count());
    for (name, options) in [
        ("two", &["--threads", "2"][..]),
        ("shards-2", &["--shards", "2"]),
        ("shards-5", &["--shards", "5", "--threads", "3"]),
    ] {
        assert_eq!(predictions(name, &[&FILES[..], options].concat()), expected, "{name}");
    }
    let index = predictions("index", &[&["--index", "index"][..], &FILES[4..]].concat());
    assert_eq!(index, expected);
}

#[test]
fn no_record_and_no_entity_is_matched_twice_within_an_object() {
    let predictions = rows(&predictions("once", &FILES));
    let records: BTreeSet<&str> = predictions.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(records.len(), predictions.len());
    let pairs: BTreeSet<(&str, &str)> =
        predictions.iter().map(|row| (&row[0][..3], row[1].as_str())).collect();
    assert_eq!(pairs.len(), predictions.len());
    for row in &predictions {
        let score: f64 = row[2].parse().expect("a number");
        assert!((0.0..=1.0).contains(&score), "{row:?}");
    }
}

#[test]
fn the_matches_are_mostly_right() {
    predictions("right", &FILES);
    let told = done(SET.path(), &["evaluate", "truth.csv.gz", "right.csv", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    for object in told.as_array().expect("a list") {
        assert!(object["at_threshold"]["precision"].as_f64() > Some(0.9), "{object:#}");
        assert!(object["at_threshold"]["recall"].as_f64() > Some(0.8), "{object:#}");
        assert_eq!(object["violations_profile"], 0);
    }
}

#[test]
fn a_contacts_company_is_its_accounts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let put =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    let person = |id: &str, company: &str| {
        let person = serde_json::json!({
            "id": id, "first_name": "Ann", "last_name": "Wolcott", "company": { "name": company },
        });
        person.to_string()
    };
    let people = [
        person("pe_1", "Velotrax Systems"),
        person("pe_2", "Orbitone"),
        person("pe_3", "Quantaport"),
    ]
    .join("\n");
    put("people.jsonl", &people);
    put("Account.csv", "Id,Name\n001gn000000000XAAQ,Orbitone GmbH\n");
    // The export of the contacts has the short form of the account's id.
    put("Contact.csv", "Id,AccountId,FirstName,LastName\n003,001gn000000000X,Ann,Wolcott\n");
    let files = ["--people", "people.jsonl", "--contact", "Contact.csv"];
    let candidates = |options: &[&str]| {
        let out = ["match", "--out", "p.csv", "--candidates", "c.csv"];
        done(folder.path(), &[&out[..], &files[..], options].concat());
        rows(&std::fs::read_to_string(folder.path().join("c.csv")).expect("the candidates"))
    };
    let with_accounts = candidates(&["--account", "Account.csv"]);
    assert_eq!(with_accounts[0][4], "pe_2", "{with_accounts:?}");
    assert_eq!(with_accounts[0][7], "current");
    let without = candidates(&[]);
    assert!(without.iter().all(|row| row[7] == "unknown"), "{without:?}");
}

#[test]
fn candidates_and_explanations_are_of_the_same_records() {
    let folder = SET.path();
    let options = ["--candidates", "candidates.csv.gz", "--explain", "why.jsonl"];
    let matched = rows(&predictions("explained", &[&FILES[..], &options].concat()));
    let mut text = String::new();
    let file = std::fs::File::open(folder.join("candidates.csv.gz")).expect("the candidates");
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text)
        .expect("gzip");
    let candidates = rows(&text);
    let best: BTreeMap<&str, &Vec<String>> =
        candidates.iter().filter(|row| row[3] == "1").map(|row| (row[1].as_str(), row)).collect();
    let told = done(folder, &["calibration", "truth.csv.gz", "candidates.csv.gz", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert!(told["Lead"]["expected_calibration_error"].as_f64() < Some(0.1), "{told}");

    let why = std::fs::read_to_string(folder.join("why.jsonl")).expect("the explanations");
    let why: Vec<serde_json::Value> =
        why.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let explained = why.iter().filter(|why| why["decision"] == "match").count();
    assert_eq!(explained, matched.len());
    for why in &why {
        let record = why["explanation"]["record_id"].as_str().expect("a record");
        assert!(why["explanation"]["words"].as_str().is_some_and(|words| !words.is_empty()));
        assert!(best.contains_key(record), "{record}");
    }
}

#[test]
fn a_pair_is_explained_in_words_and_as_json() {
    let matched = rows(&predictions("pair", &FILES));
    let lead = matched.iter().find(|row| row[0].starts_with("00Q")).expect("a matched lead");
    let index = ["--index", "index", "--lead", "Lead.csv.gz"];
    let text = done(SET.path(), &[&["explain", &lead[0], &lead[1]][..], &index].concat());
    assert!(text.contains(": match, probability"), "{text}");
    assert!(text.contains("family_name"), "{text}");
    let json = done(SET.path(), &[&["explain", &lead[0], "--json"][..], &index].concat());
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["explanation"]["entity_id"].as_str(), Some(lead[1].as_str()));

    let (code, _, stderr) = crm_sync(SET.path(), &[&["explain", "00Qnobody"][..], &index].concat());
    assert_eq!(code, Some(1));
    assert!(stderr.contains("no record 00Qnobody"), "{stderr}");
}

#[test]
fn a_model_is_trained_and_matches() {
    let files = ["--index", "index", "--lead", "Lead.csv.gz"];
    for (out, labels) in [
        ("adapted.json", &[][..]),
        ("em.json", &["--rounds", "25"]),
        ("labelled.json", &["--truth", "truth.csv.gz"]),
    ] {
        let train =
            ["train", "--out", out, "--version", "test-1", "--trained-on", "a generated set"];
        let told = done(SET.path(), &[&train[..], labels, &files].concat());
        assert!(told.contains("decided alike"), "{told}");
        let text = std::fs::read_to_string(SET.path().join(out)).expect("the model");
        assert!(text.contains("\"test-1\"") && text.contains("a generated set"), "{text}");
        let name = format!("by-{out}");
        let matched = predictions(&name, &[&["--model", out][..], &files].concat());
        assert!(matched.lines().count() > 250, "{out}: {}", matched.lines().count());
    }
    let (code, _, stderr) = crm_sync(
        SET.path(),
        &[&["match", "--out", "x.csv", "--model", "truth.csv.gz"][..], &files].concat(),
    );
    assert_eq!(code, Some(1), "{stderr}");
}

#[test]
fn blocking_is_measured() {
    let files = ["--index", "index", "--lead", "Lead.csv.gz", "--truth", "truth.csv.gz", "--json"];
    let told = done(SET.path(), &[&["blocking"][..], &files].concat());
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["Lead"]["records"], 750);
    assert!(told["Lead"]["pair_recall"].as_f64() > Some(0.9), "{told}");
}

#[test]
fn a_damaged_index_is_refused_with_the_files_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let index = folder.path().join("index");
    std::fs::create_dir(&index).expect("a folder");
    let files: Vec<PathBuf> = std::fs::read_dir(SET.path().join("index"))
        .expect("the index")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in &files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        for other in &files {
            std::fs::copy(other, index.join(other.file_name().expect("a name"))).expect("a copy");
        }
        let damaged = index.join(&name);
        let mut bytes = std::fs::read(&damaged).expect("the file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        std::fs::write(&damaged, &bytes).expect("the file");
        let (code, _, stderr) = crm_sync(folder.path(), &["index", "inspect", "index"]);
        // A changed letter in the manifest may leave it readable, and then points at no file.
        assert_eq!(code, Some(1), "{name}: {stderr}");
        assert!(name == "manifest.json" || stderr.contains(&name), "{name}: {stderr}");

        std::fs::write(&damaged, &bytes[..middle]).expect("the file");
        let (code, _, stderr) = crm_sync(folder.path(), &["index", "inspect", "index"]);
        assert_eq!(code, Some(1), "{name}: {stderr}");
        assert!(stderr.contains(&name), "{name}: {stderr}");
    }
    let (code, _, stderr) = crm_sync(folder.path(), &["index", "inspect", "none"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("none is no index"), "{stderr}");
}

#[test]
fn an_index_is_inspected() {
    let told = done(SET.path(), &["index", "inspect", "index"]);
    assert!(told.contains("people-000-of-001.shard") && told.contains("1 500"), "{told}");
    let json = done(SET.path(), &["index", "inspect", "index", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["shards"][0]["entities"], 1500);
}

#[test]
fn blocks_over_the_cap_are_the_same_at_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut people, mut leads) =
        (String::new(), "Id,FirstName,LastName,Company,City\n".to_owned());
    for n in 0..6_000 {
        let given = ["Ann", "Bela", "Carla", "Dunja"][n % 4];
        let family = ["Wolcott", "Milewski", "Carvalho"][n / 4 % 3];
        let (company, city) = (format!("Orbitone {}", n % 997), format!("Town{}", n % 31));
        let person = serde_json::json!({
            "id": format!("pe_{n}"), "first_name": given, "last_name": family, "city": city,
            "company": { "name": company }, "headline": "x".repeat(700),
        });
        people.extend([person.to_string(), "\n".to_owned()]);
        if n % 20 == 0 {
            leads.extend([
                n.to_string().as_str(),
                ",",
                given,
                ",",
                family,
                ",",
                &company,
                ",",
                &city,
                "\n",
            ]);
        }
    }
    std::fs::write(folder.path().join("people.jsonl"), people).expect("a file");
    std::fs::write(folder.path().join("Lead.csv"), leads).expect("a file");
    let candidates = |threads: &str| {
        let files = ["--people", "people.jsonl", "--lead", "Lead.csv", "--candidates", "c.csv"];
        done(
            folder.path(),
            &[&["match", "--out", "p.csv", "--threads", threads][..], &files].concat(),
        );
        std::fs::read_to_string(folder.path().join("c.csv")).expect("the candidates")
    };
    let one = candidates("1");
    assert!(one.lines().count() > 100, "{}", one.lines().count());
    for _ in 0..3 {
        assert!(candidates("3") == one);
    }
}

const LEADS: &str = "\
Id,FirstName,LastName,Company
00Q1,Ann,Wolcott,Orbitone
00Q2,Bela,Wolcott,Orbitone
00Q3,Carla,Wolcott,Quantaport
00Q5,Dunja,Wolcott,Quantaport
";

#[test]
fn deltas_give_what_the_changed_directory_gives() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let put = |name: &str, lines: &[String]| {
        std::fs::write(folder.path().join(name), lines.join("\n")).expect("a file");
    };
    let person = |id: &str, first: &str, company: &str| {
        let company = serde_json::json!({ "name": company });
        serde_json::json!({ "id": id, "first_name": first, "last_name": "Wolcott",
            "company": company })
        .to_string()
    };
    let gone = |id: &str, op: &str, into: &str| {
        serde_json::json!({ "id": id, "op": op, "into": into }).to_string()
    };
    let (ann, bela, carla) = (
        person("pe_1", "Ann", "Velotrax"),
        person("pe_2", "Bela", "Orbitone"),
        person("pe_3", "Carla", "Quantaport"),
    );
    put("people.jsonl", &[ann, bela, carla.clone(), person("pe_4", "Karla", "Quantaport")]);
    put(
        "first.jsonl",
        &[
            person("pe_1", "Ann", "Orbitone"),
            gone("pe_2", "delete", ""),
            person("pe_5", "Dunja", "Velotrax"),
            gone("pe_5", "delete", ""),
        ],
    );
    put(
        "second.jsonl",
        &[
            gone("pe_4", "merge", "pe_3"),
            person("pe_5", "Dunja", "Quantaport"),
            gone("pe_9", "merge", "pe_2"),
        ],
    );
    put(
        "now.jsonl",
        &[carla, person("pe_1", "Ann", "Orbitone"), person("pe_5", "Dunja", "Quantaport")],
    );
    put("Lead.csv", &[LEADS.to_owned()]);
    let matched = |options: &[&str]| {
        let out = ["match", "--lead", "Lead.csv", "--out", "p.csv", "--candidates", "c.csv"];
        let (code, _, stderr) = crm_sync(folder.path(), &[&out[..], options].concat());
        assert_eq!(code, Some(0), "{stderr}");
        (std::fs::read_to_string(folder.path().join("c.csv")).expect("the candidates"), stderr)
    };
    let deltas = [
        "--people",
        "people.jsonl",
        "--people-delta",
        "first.jsonl",
        "--people-delta",
        "second.jsonl",
    ];
    let (by_deltas, told) = matched(&deltas);
    assert_eq!(by_deltas, matched(&["--people", "now.jsonl"]).0);
    assert!(told.contains("second.jsonl: kept 1 row: merged-into-nobody (line 3)"), "{told}");
    done(folder.path(), &[&["index", "build", "index"][..], &deltas].concat());
    assert_eq!(matched(&["--index", "index"]).0, by_deltas);
}
