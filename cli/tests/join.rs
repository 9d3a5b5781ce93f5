//! `crm-sync match --join`: the CRM's rows with their matches, for a spreadsheet.
#![expect(clippy::expect_used, reason = "a test that cannot set its stage fails")]

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const PEOPLE: &str = concat!(
    r#"{"id":"p1","first_name":"Tamsin","last_name":"Quillfeather","title":"Head of Kilns","#,
    r#""company":{"name":"Amber Pottery"},"emails":["tq@amber.example","t@home.example"]}"#,
    "\n",
    r#"{"id":"p2","first_name":"Ivo","last_name":"Marschgürtel","title":"=HYPERLINK(1)","#,
    r#""company":{"name":"Nordlicht Werke"},"city":"Köln"}"#,
    "\n",
);

/// Semicolons, a cell with a line end, what a spreadsheet would run, a row without an id, a row cut
/// short, and nobody of the directory.
const LEADS: &str = "\
Id;FirstName;LastName;Company;Phone;Note
00Q000000000001;Tamsin;Quillfeather;Amber Pottery;+1 (415) 555-0133;\"two
lines; one cell\"
00Q000000000002;Ivo;Marschgürtel;Nordlicht Werke GmbH;;@SUM(A1)
;Una;Reed;Zenith;;
00Q000000000004;Una;Reed
00Q000000000005;Cleo;Umberdale;Zenith;-12,5;-2+cmd|'x'
";

fn crm_sync(folder: &Path, options: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_crm-sync"))
        .current_dir(folder)
        .args(["match", "--people", "people.jsonl", "--out", "out.csv"])
        .args(options)
        .output()
        .expect("the program to start");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn stage() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let put = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    put("people.jsonl", PEOPLE);
    put("Lead.csv", LEADS);
    folder
}

fn read(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join(name)).expect("the joined file");
    let text = text.strip_prefix('\u{feff}').expect("a mark by which spreadsheets know UTF-8");
    let mut rows = csv::ReaderBuilder::new();
    let mut rows = rows.delimiter(b';').has_headers(false).from_reader(text.as_bytes());
    let cells = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    rows.records().map(|row| cells(row.expect("rows of one width"))).collect()
}

#[test]
fn rows_come_as_they_were_with_what_they_were_matched_to() {
    let folder = stage();
    let folder = folder.path();
    let options = ["--lead", "Lead.csv", "--join", "joined.csv", "--join-columns", "title,emails"];
    let (done, told) = crm_sync(folder, &options);
    assert!(done, "{told}");
    let rows = read(folder, "joined.csv");
    assert_eq!(
        rows[0].join(" "),
        "Id FirstName LastName Company Phone Note crm_sync_decision crm_sync_id \
         crm_sync_probability crm_sync_reason crm_sync_title crm_sync_emails"
    );
    assert_eq!(rows.len(), 6, "{rows:?}");
    assert_eq!(rows[1][4..6], ["+1 (415) 555-0133", "two\nlines; one cell"]);
    assert_eq!(rows[1][6..8], ["match", "p1"]);
    let surety: f64 = rows[1][8].parse().expect("a probability");
    assert!(surety >= 0.5 && rows[1][9].contains("name"), "{:?}", rows[1]);
    assert_eq!(rows[1][10..], ["Head of Kilns", "tq@amber.example; t@home.example"]);
    assert_eq!((&*rows[2][2], &*rows[2][5]), ("Marschgürtel", "'@SUM(A1)"));
    assert_eq!((&*rows[2][6], &*rows[2][10]), ("match", "'=HYPERLINK(1)"));
    assert_eq!((&*rows[3][1], &*rows[3][6], &*rows[3][9]), ("Una", "skipped", "no-id"));
    assert_eq!((&*rows[4][0], &*rows[4][6]), ("00Q000000000004", "skipped"));
    assert_eq!(rows[5][4..8], ["-12,5", "'-2+cmd|'x'", "unmatched", ""]);
}

#[test]
fn a_joined_file_is_read_again_and_its_columns_are_made_anew() {
    let folder = stage();
    let folder = folder.path();
    // A row that was cut short is written whole, and is read as one.
    let whole = LEADS.replace(";Reed\n", ";Reed;Zenith;;\n");
    std::fs::write(folder.join("Lead.csv"), whole).expect("a file");
    assert!(crm_sync(folder, &["--lead", "Lead.csv", "--join", "joined.csv"]).0);
    let (done, told) = crm_sync(folder, &["--lead", "joined.csv", "--join", "again.csv"]);
    assert!(done, "{told}");
    assert_eq!(read(folder, "again.csv"), read(folder, "joined.csv"));
}

#[test]
fn each_object_has_a_file_and_an_unknown_column_is_an_error() {
    let folder = stage();
    let folder = folder.path();
    std::fs::write(folder.join("Contact.csv"), "Id,LastName\n003000000000001,Reed\n")
        .expect("a file");
    let both = ["--lead", "Lead.csv", "--contact", "Contact.csv", "--join", "joined.csv"];
    let (done, told) = crm_sync(folder, &both);
    assert!(done && folder.join("joined-Lead.csv").exists(), "{told}");
    assert!(folder.join("joined-Contact.csv").exists() && !folder.join("joined.csv").exists());
    std::fs::write(folder.join("people.jsonl"), "id,last_name\np1,Reed\n").expect("a file");
    let unknown = ["--lead", "Lead.csv", "--join", "x.csv", "--join-columns", "wealth"];
    let (done, told) = crm_sync(folder, &unknown);
    assert!(!done && told.contains("no column \"wealth\" for --join-columns"), "{told}");
    assert!(!folder.join("x.csv").exists(), "nothing is left half written");
}
