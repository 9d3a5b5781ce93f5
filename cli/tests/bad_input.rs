//! What `crm-sync match` does with the files people really have.

#![expect(clippy::expect_used, reason = "a test that cannot set its stage fails")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const PEOPLE: &str = concat!(
    r#"{"id":"pe_1","first_name":"Katherine","last_name":"Wolcott","title":"Head of Legal","#,
    r#""company":{"name":"Velotrax Systems Inc."},"#,
    r#""emails":["katherine.wolcott@velotrax.com"],"city":"Austin","state":"Texas","#,
    r#""country":"United States"}"#,
    "\n",
    r#"{"id":"pe_2","first_name":"Bogdan","last_name":"Milewski","title":"Sales Manager","#,
    r#""company":{"name":"Orbitone GmbH"},"emails":["b.milewski@orbitone.de"],"#,
    r#""city":"Hamburg","country":"Germany"}"#,
    "\n",
    r#"{"id":"pe_3","first_name":"Ines","last_name":"Carvalho","title":"Analyst","#,
    r#""company":{"name":"Quantaport"},"city":"Lisbon","country":"Portugal"}"#,
    "\n",
);
const COMPANIES: &str = concat!(
    r#"{"id":"fi_1","name":"Velotrax Systems Inc.","domain":"velotrax.com","city":"Austin","#,
    r#""state":"Texas","country":"United States"}"#,
    "\n",
    r#"{"id":"fi_2","name":"Orbitone GmbH","domain":"orbitone.de","city":"Hamburg","#,
    r#""country":"Germany"}"#,
    "\n",
);
const LEADS: &str = "Id,FirstName,LastName,Company,Title,Email,City,Country\n\
    00Q1,Katherine,Wolcott,Velotrax Systems,Head of Legal,katherine.wolcott@velotrax.com,Austin,\
    USA\n\
    00Q2,Bogdan,Milewski,Orbitone,Sales Manager,b.milewski@orbitone.de,Hamburg,Germany\n";

/// A folder with a small directory and leads that match it.
struct Case {
    folder: TempDir,
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    predictions: Option<String>,
}

impl Case {
    fn new() -> Self {
        let case = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        case.put("people.jsonl", PEOPLE.as_bytes());
        case.put("companies.jsonl", COMPANIES.as_bytes());
        case.put("Lead.csv", LEADS.as_bytes());
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("a file in a temporary folder");
    }

    fn run(&self, options: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_crm-sync"))
            .current_dir(self.folder.path())
            .args(["match", "--people", "people.jsonl", "--companies", "companies.jsonl"])
            .args(["--out", "predictions.csv"])
            .args(options)
            .output()
            .expect("the program to start");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            predictions: std::fs::read_to_string(self.path("predictions.csv")).ok(),
        }
    }

    fn match_leads(&self) -> Ran {
        self.run(&["--lead", "Lead.csv"])
    }
}

impl Ran {
    /// Done, with this in the warnings, and matched these records.
    #[track_caller]
    fn did(&self, warning: &str, matched: &[&str]) {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        assert!(self.stderr.contains(warning), "{}", self.stderr);
        assert_eq!(self.matched(), matched, "{}", self.stdout);
    }

    #[track_caller]
    fn failed(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{part} in: {}", self.stderr);
        }
        assert!(self.predictions.is_none(), "a failed run writes nothing");
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }

    fn matched(&self) -> Vec<&str> {
        let rows = self.predictions.as_deref().unwrap_or_default().lines().skip(1);
        rows.filter_map(|row| row.split(',').next()).collect()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("compressing in memory")
}

#[test]
fn a_good_run_matches_both_leads() {
    let ran = Case::new().match_leads();
    ran.did("", &["00Q1", "00Q2"]);
    assert!(ran.stdout.starts_with("object  records  matched"), "{}", ran.stdout);
    assert!(ran.stdout.contains("peak memory"), "{}", ran.stdout);
}

#[test]
fn a_missing_file_is_named() {
    Case::new().run(&["--lead", "none.csv"]).failed(&["cannot read none.csv", "No such file"]);
    let case = Case::new();
    std::fs::remove_file(case.path("people.jsonl")).expect("the file was there");
    case.match_leads().failed(&["cannot read people.jsonl"]);
}

#[test]
fn a_folder_in_place_of_a_file_is_named() {
    let case = Case::new();
    std::fs::create_dir(case.path("folder.csv")).expect("a folder");
    case.run(&["--lead", "folder.csv"]).failed(&["cannot read folder.csv"]);
}

#[test]
fn a_wrong_header_says_what_is_missing_and_what_was_found() {
    let case = Case::new();
    case.put("Lead.csv", b"Key,Who\n1,Jane\n");
    case.match_leads().failed(&["Lead.csv, line 1", "no column \"Id\"", "Key, Who"]);
    case.put("Lead.csv", b"Id,Who\n1,Jane\n");
    case.match_leads().failed(&["Lead.csv, line 1", "\"LastName\" or", "Id, Who"]);
    case.put("Lead.csv", b"Id,LastName,id\n1,Jane,2\n");
    case.match_leads().failed(&["Lead.csv, line 1", "\"id\" twice"]);
}

#[test]
fn other_formats_are_told() {
    let case = Case::new();
    case.put("Lead.csv", b"PK\x03\x04 and so on");
    case.match_leads().failed(&["Lead.csv: this is a zip archive"]);
    case.put("Lead.csv", b"J\x94rg,Id\n");
    case.match_leads().failed(&["Lead.csv: the text is not UTF-8", "save it as UTF-8"]);
    case.put("Lead.csv", b"{\"Id\": 1}");
    case.match_leads().failed(&["Lead.csv: this is JSON"]);
}

#[test]
fn a_truncated_gzip_costs_the_cut_row_only() {
    let case = Case::new();
    let whole =
        gzip(format!("{PEOPLE}{}", r#"{"id":"pe_9","last_name":"Xu"}"#.repeat(3)).as_bytes());
    case.put("people.jsonl", &whole[..whole.len() - 12]);
    case.match_leads().did("people.jsonl: skipped 1 row: truncated-gzip (line", &["00Q1", "00Q2"]);

    let whole = gzip(LEADS.as_bytes());
    case.put("people.jsonl", PEOPLE.as_bytes());
    case.put("Lead.csv", &whole[..whole.len() - 8]);
    case.match_leads().did("Lead.csv: skipped 1 row: truncated-gzip (line", &["00Q1", "00Q2"]);
}

#[test]
fn gzip_and_plain_and_other_delimiters_give_the_same_predictions() {
    let case = Case::new();
    let expected = case.match_leads().predictions;
    case.put(
        "people.jsonl",
        &[gzip(&PEOPLE.as_bytes()[..200]), gzip(&PEOPLE.as_bytes()[200..])].concat(),
    );
    case.put("Lead.csv", &gzip(LEADS.as_bytes()));
    assert_eq!(case.match_leads().predictions, expected);
    for delimiter in [";", "\t", "|"] {
        let leads = LEADS.replace(',', delimiter).replace('\n', "\r\n");
        case.put("Lead.csv", &[b"\xef\xbb\xbf", leads.trim_end().as_bytes()].concat());
        assert_eq!(case.match_leads().predictions, expected, "{delimiter:?}");
    }
}

#[test]
fn invalid_utf8_is_repaired_and_counted() {
    let case = Case::new();
    // Letters that are UTF-8 say that the others are faults, and no other encoding.
    let mut leads = LEADS.replace("Head of Legal", "Leiterin für Verträge").into_bytes();
    leads.extend(b"00Q3,In\xeas,Carvalho,Quantaport,Analyst,,Lisbon,Portugal\n");
    case.put("Lead.csv", &leads);
    let ran = case.match_leads();
    assert!(
        ran.stderr.contains("Lead.csv: repaired 1 row: invalid-utf8 (line 4)"),
        "{}",
        ran.stderr
    );
    assert!(ran.matched().starts_with(&["00Q1", "00Q2"]));

    let case = Case::new();
    case.put(
        "people.jsonl",
        &[
            PEOPLE.replace("Lisbon", "Évora, São Tomé").as_bytes(),
            b"{\"id\":\"pe_4\",\"last_name\":\"Gr\xfcn\"}\n",
        ]
        .concat(),
    );
    case.match_leads()
        .did("people.jsonl: repaired 1 row: invalid-utf8 (line 4)", &["00Q1", "00Q2"]);
}

#[test]
fn rows_without_an_id_are_skipped() {
    let case = Case::new();
    case.put("Lead.csv", format!("{LEADS} ,Jane,Doe,X,,,,\n,Jane,Doe,X,,,,\n").as_bytes());
    case.put(
        "people.jsonl",
        format!("{{\"last_name\":\"Doe\"}}\n{{\"id\":\"\"}}\n{PEOPLE}").as_bytes(),
    );
    let ran = case.match_leads();
    ran.did("Lead.csv: skipped 2 rows: no-id (line 4, 5)", &["00Q1", "00Q2"]);
    ran.did("people.jsonl: skipped 2 rows: no-id (line 1, 2)", &["00Q1", "00Q2"]);
}

#[test]
fn of_duplicate_ids_the_first_counts() {
    let case = Case::new();
    let again = PEOPLE.lines().next().unwrap_or_default();
    case.put("people.jsonl", format!("{PEOPLE}{again}\n").as_bytes());
    case.put("Lead.csv", format!("{LEADS}00Q1,Bogdan,Milewski,Orbitone,,,,\n").as_bytes());
    let ran = case.match_leads();
    ran.did("people.jsonl: skipped 1 row: duplicate-id (line 4)", &["00Q1", "00Q2"]);
    ran.did("Lead.csv: skipped 1 row: duplicate-id (line 4)", &["00Q1", "00Q2"]);
}

#[test]
fn an_empty_directory_matches_nobody() {
    let case = Case::new();
    for empty in [&b""[..], b"\n\n", b"\xef\xbb\xbf", b"id,last_name\n"] {
        case.put("people.jsonl", empty);
        case.put(
            "companies.jsonl",
            empty.strip_suffix(b",last_name\n").map_or(empty, |_| b"id,name\n"),
        );
        let ran = case.match_leads();
        ran.did("", &[]);
        assert_eq!(ran.predictions.as_deref(), Some("crm_id,profile_id,score\n"));
    }
}

#[test]
fn empty_crm_files_have_no_records() {
    let case = Case::new();
    for empty in [&b""[..], b"Id,LastName", b"Id,LastName\n", b"\xef\xbb\xbf"] {
        case.put("Lead.csv", empty);
        case.match_leads().did("", &[]);
    }
}

#[test]
fn a_field_of_ten_megabytes_is_skipped_and_the_rest_goes_on() {
    let long = "x".repeat(10 << 20);
    let case = Case::new();
    case.put(
        "Lead.csv",
        format!(
            "{LEADS}00Q3,\"{long}\",Doe,X,,,,\n00Q4,Ines,Carvalho,Quantaport,\
         Analyst,,Lisbon,Portugal\n"
        )
        .as_bytes(),
    );
    case.put(
        "people.jsonl",
        format!("{{\"id\":\"pe_0\",\"title\":\"{long}\"}}\n{PEOPLE}").as_bytes(),
    );
    let ran = case.match_leads();
    assert!(
        ran.stderr.contains("Lead.csv: skipped 1 row: row-too-long (line 4)"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("people.jsonl: skipped 1 row: row-too-long (line 1)"),
        "{}",
        ran.stderr
    );
    assert!(ran.matched().starts_with(&["00Q1", "00Q2"]), "{:?}", ran.predictions);
}

#[test]
fn a_person_named_with_a_dot_is_kept_and_matches_nobody_by_name() {
    let case = Case::new();
    case.put(
        "people.jsonl",
        format!("{PEOPLE}{{\"id\":\"pe_4\",\"first_name\":\"\",\"last_name\":\".\"}}\n").as_bytes(),
    );
    case.put("Lead.csv", format!("{LEADS}00Q3,,.,,,,,\n").as_bytes());
    case.match_leads().did("Lead.csv: kept 1 row: no-usable-name (line 4)", &["00Q1", "00Q2"]);
}

#[test]
fn bad_json_and_bad_rows_are_skipped_with_their_lines() {
    let case = Case::new();
    case.put(
        "people.jsonl",
        format!("not json\n[1,2]\n{PEOPLE}{{\"id\":\"pe_1\",\"op\":\"delete\"}}\n{{\"id\":")
            .as_bytes(),
    );
    case.put("Lead.csv", format!("{LEADS}00Q3,too,few\n00Q4,\"never closed\n").as_bytes());
    let ran = case.match_leads();
    ran.did("people.jsonl: skipped 3 rows: bad-json (line 1, 2, 7)", &["00Q1", "00Q2"]);
    ran.did("people.jsonl: skipped 1 row: deletion-or-merge (line 6)", &["00Q1", "00Q2"]);
    ran.did("Lead.csv: skipped 1 row: wrong-number-of-columns (line 4)", &["00Q1", "00Q2"]);
    ran.did("Lead.csv: skipped 1 row: unbalanced-quote (line 5)", &["00Q1", "00Q2"]);
}

#[test]
fn deleted_records_are_left_out() {
    let case = Case::new();
    case.put(
        "Lead.csv",
        b"Id,LastName,FirstName,Email,IsDeleted\n00Q2,Milewski,Bogdan,\
         b.milewski@orbitone.de,true\n",
    );
    case.match_leads().did("Lead.csv: skipped 1 row: deleted (line 2)", &[]);
}

#[test]
fn only_strict_runs_fail_for_skipped_rows() {
    let case = Case::new();
    case.put("Lead.csv", format!("{LEADS},no,id,,,,,\n").as_bytes());
    assert_eq!(case.run(&["--lead", "Lead.csv"]).code, Some(0));
    let strict = case.run(&["--lead", "Lead.csv", "--strict"]);
    assert_eq!(strict.code, Some(3));
    assert_eq!(strict.matched(), ["00Q1", "00Q2"]);
    // A person without a usable name is no fault of the file.
    case.put("Lead.csv", format!("{LEADS}00Q3,,.,,,,,\n").as_bytes());
    assert_eq!(case.run(&["--lead", "Lead.csv", "--strict"]).code, Some(0));
}

#[test]
fn a_wrong_command_line_has_its_own_code() {
    assert_eq!(Case::new().run(&["--lead"]).code, Some(2));
    Case::new().run(&[]).failed(&["nothing to match"]);
    let output = Command::new(env!("CARGO_BIN_EXE_crm-sync"))
        .args(["match", "--lead", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--out", "x"])
        .output()
        .expect("the program to start");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_output_that_cannot_be_written_is_told() {
    let case = Case::new();
    let ran = case.run(&["--lead", "Lead.csv", "--candidates", "no/such/folder/c.csv"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("cannot write no/such/folder/c.csv"), "{}", ran.stderr);
    assert!(no_leftovers(case.folder.path()));
}

fn no_leftovers(folder: &Path) -> bool {
    let mut names =
        std::fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.file_name());
    !names.any(|name| name.to_string_lossy().ends_with(".part"))
}

#[test]
fn the_summary_is_json_when_asked() {
    let case = Case::new();
    case.put("Lead.csv", format!("{LEADS},no,id,,,,,\n").as_bytes());
    let ran = case.run(&["--lead", "Lead.csv", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(value["objects"]["Lead"]["records"], 2);
    assert_eq!(value["objects"]["Lead"]["matched"], 2);
    assert_eq!(value["objects"]["Lead"]["problems"]["reasons"]["no-id"]["rows"], 1);
    assert!(value["peak_memory_bytes"].as_u64().is_some());
}
