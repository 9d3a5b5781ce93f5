//! Files that made trouble for people elsewhere: each is read as its sound sibling is, or refused
//! with the remedy. The inputs lie in `fixtures/field`, one folder a case.

#![expect(clippy::expect_used, reason = "a test that cannot set its stage fails")]

use std::path::PathBuf;
use std::process::Command;

/// A case's folder, and a place for what a run writes.
struct Case {
    folder: PathBuf,
    out: tempfile::TempDir,
}

/// What a run wrote.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    summary: serde_json::Value,
    stderr: String,
    predictions: String,
}

impl Case {
    fn new(name: &str) -> Self {
        let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/field");
        let out = tempfile::tempdir().expect("a temporary folder");
        Self { folder: fixtures.join(name), out }
    }

    /// Matches a file of leads to the folder's people, strictly.
    fn leads(&self, file: &str) -> Ran {
        self.run(self.folder.join(file), self.folder.join("people.jsonl"))
    }

    /// Matches leads to people, strictly.
    fn run(&self, leads: PathBuf, people: PathBuf) -> Ran {
        let predictions = self.out.path().join("predictions.csv");
        let output = Command::new(env!("CARGO_BIN_EXE_crm-sync"))
            .args(["match", "--strict", "--json", "--lead"])
            .arg(leads)
            .arg("--people")
            .arg(people)
            .arg("--out")
            .arg(&predictions)
            .output()
            .expect("the program to start");
        Ran {
            code: output.status.code(),
            summary: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            predictions: std::fs::read_to_string(predictions).unwrap_or_default(),
        }
    }

    /// Writes a file beside what runs write.
    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.out.path().join(name);
        std::fs::write(&path, bytes).expect("a file in a temporary folder");
        path
    }

    fn bytes(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(file)).expect("a file of the case")
    }

    /// The file is read without a fault, and matches as its sound sibling does.
    #[track_caller]
    fn reads(&self, file: &str, sound: &str) {
        let (ran, expected) = (self.leads(file), self.leads(sound));
        assert!(expected.predictions.lines().count() > 1, "{sound}: {}", expected.stderr);
        assert_eq!(ran.code, Some(0), "{file}: {}", ran.stderr);
        assert_eq!(ran.records(), expected.records(), "{file}");
        assert_eq!(ran.predictions, expected.predictions, "{file}");
    }
}

impl Ran {
    fn records(&self) -> Option<u64> {
        self.summary["objects"]["Lead"]["records"].as_u64()
    }
}

#[test]
fn field_01_lines_that_end_in_cr_alone_are_lines() {
    let case = Case::new("01-cr-only");
    case.reads("Lead.csv", "Lead-lf.csv");
    let mixed = case.leads("Lead-cr-and-one-lf.csv");
    assert_eq!((mixed.code, mixed.records()), (Some(0), Some(3)), "{}", mixed.stderr);
    // The directory's files too: as JSON lines, and as CSV.
    let to_cr = |bytes: Vec<u8>| bytes.into_iter().map(|b| if b == b'\n' { b'\r' } else { b });
    let json: Vec<u8> = to_cr(case.bytes("people.jsonl")).collect();
    let people = case.put("people.jsonl", &json);
    let expected = case.leads("Lead-lf.csv").predictions;
    assert_eq!(case.run(case.folder.join("Lead-lf.csv"), people).predictions, expected);
    let csv = case.put(
        "people.csv",
        b"id,first_name,last_name,emails\rfp_1,Marisol,Tavernier,\
          marisol.tavernier@velmoradynamics.com\r",
    );
    let ran = case.run(case.folder.join("Lead-lf.csv"), csv);
    assert!(ran.predictions.contains("00QFd0000000001,fp_1"), "{ran:?}");
}

#[test]
fn field_02_a_separator_line_marks_and_delimiters_in_labels_mislead_nobody() {
    let case = Case::new("02-excel-sep-line");
    for file in [
        "Lead-sep.csv",
        "Lead-bom-sep.csv",
        "Lead-sep-comma.csv",
        "Lead-double-bom.csv",
        "Lead-utf16le.csv",
        "Lead-utf16le-nobom.csv",
    ] {
        case.reads(file, "Lead-semicolon.csv");
    }
    for (file, records) in
        [("Lead-comma-in-label.csv", 3), ("Lead-brace-in-a-note.csv", 2), ("Lead-backslash.csv", 2)]
    {
        let ran = case.leads(file);
        assert_eq!((ran.code, ran.records()), (Some(0), Some(records)), "{file}: {}", ran.stderr);
    }
    let spaced = case.leads("Lead-space-before-quote.csv");
    assert_eq!(spaced.code, Some(1));
    assert!(spaced.stderr.contains("take those spaces out"), "{}", spaced.stderr);
    let mut big_endian = case.bytes("Lead-utf16le.csv");
    big_endian.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
    let leads = case.put("Lead.csv", &big_endian);
    let ran = case.run(leads, case.folder.join("people.jsonl"));
    assert_eq!(ran.predictions, case.leads("Lead-semicolon.csv").predictions);
}

#[test]
fn field_03_cells_that_were_left_out_are_empty_and_bad_rows_have_their_true_lines() {
    let case = Case::new("03-short-rows");
    case.reads("Lead-trailing-empty-cells-dropped.csv", "Lead-whole.csv");
    case.reads("Lead-one-empty-cell-too-many.csv", "Lead-whole.csv");
    for file in ["Lead-lines-lf.csv", "Lead-lines-crlf.csv"] {
        let ran = case.leads(file);
        let told = "skipped 3 rows: wrong-number-of-columns (line 3, 5, 7)";
        assert!(ran.stderr.contains(told), "{file}: {}", ran.stderr);
        assert_eq!((ran.code, ran.records()), (Some(3), Some(3)), "{file}");
    }
    // A cell too many that is not empty, rows of many widths, lines within quotes, blank lines.
    let head = "Id,LastName,Company,City,Phone\r\n";
    let rows = "1,A,\"a\r\nb\"\r\n\r\n2,B,b,Oslo\r\n3,C,c,Rome,1,,\r\n4,D,d,Bonn,2,x\r\n5,E\r\n";
    let leads = case.put("Lead.csv", format!("{head}{rows}").as_bytes());
    let ran = case.run(leads, case.folder.join("people.jsonl"));
    assert_eq!(ran.records(), Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("wrong-number-of-columns (line 7, 8)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("kept 2 rows: cells-left-out (line 2, 5)"), "{}", ran.stderr);
}

#[test]
fn field_04_code_pages_are_found_or_refused() {
    let case = Case::new("04-code-pages");
    for (file, name) in [
        ("Lead-cp1252.csv", "windows-1252"),
        ("Lead-macroman.csv", "macintosh"),
        ("Lead-mojibake.csv", "UTF-8 encoded twice"),
    ] {
        case.reads(file, "Lead-utf8.csv");
        let told = format!("{file}: read as {name}");
        assert!(case.leads(file).stderr.contains(&told), "{file}");
    }
    let ran = case.leads("Lead-sjis.csv");
    assert_eq!((ran.code, ran.records()), (Some(0), Some(1)), "{}", ran.stderr);
    assert!(ran.stderr.contains("read as Shift_JIS"), "{}", ran.stderr);
    let leads = case.put("Lead.csv", b"Id,LastName\n00Q1,J\x94rg\n");
    let refused = case.run(leads, case.folder.join("people.jsonl"));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("save it as UTF-8"), "{}", refused.stderr);
}

#[test]
fn i08_and_i36_bad_addresses_and_n_a_are_no_values() {
    let case = Case::new("03-short-rows");
    let long = format!("{}@acme.example", "a".repeat(310));
    let rows = format!(
        "Id,FirstName,LastName,Company,Email,City\n\
         1,Marisol,Tavernier,Velmora Dynamics,{long},Portland\n\
         2,Marisol,Tavernier,Velmora Dynamics,mar\0isol@velmora.example,Portland\n\
         3,Marisol,Tavernier,#N/A,#N/A,#N/A\n4,#N/A,#N/A,#N/A,#N/A,#N/A\n#N/A,a,b,c,,\n"
    );
    let leads = case.put("Lead.csv", rows.as_bytes());
    let ran = case.run(leads, case.folder.join("people.jsonl"));
    assert_eq!(ran.records(), Some(4), "{}", ran.stderr);
    for told in [
        "repaired 2 rows: bad-email (line 2, 3)",
        "kept 1 row: no-usable-name (line 5)",
        "skipped 1 row: no-id (line 6)",
    ] {
        assert!(ran.stderr.contains(told), "{told} in: {}", ran.stderr);
    }
}
