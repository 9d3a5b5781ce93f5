use super::*;
use proptest::prelude::*;

type Rows = Vec<Vec<Option<String>>>;

fn read(page: &[u8], expected: Option<u64>) -> Result<Rows, CsvError> {
    let mut reader = CsvReader::new(page, expected);
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        rows.push(row.iter().map(|(_, value)| value.map(str::to_owned)).collect());
    }
    assert_eq!(reader.rows(), rows.len() as u64);
    Ok(rows)
}

/// Reads a page that arrives in pieces, an empty one among them.
async fn read_pieces(page: &[u8], size: usize, expected: Option<u64>) -> Result<Rows, CsvError> {
    let mut pieces: Vec<Result<Bytes, CsvError>> =
        page.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    pieces.insert(pieces.len() / 2, Ok(Bytes::new()));
    let mut reader = RowReader::new(futures::stream::iter(pieces), expected);
    let mut rows = Vec::new();
    while let Some(row) = reader.next().await? {
        rows.push(row.iter().map(|(_, value)| value.map(str::to_owned)).collect());
    }
    Ok(rows)
}

#[test]
fn rows_are_read_as_salesforce_writes_them() {
    let page = "\"Id\",\"Name\",\"Owner.Name\"\n\"1\",\"NA\",\"\"\n\"2\",\"say \"\"hi\"\",\
         \nAnn\r\n\",\"\u{c4}\"\n";
    let mut reader = CsvReader::new(page.as_bytes(), Some(2));
    let row = reader.next().unwrap().unwrap();
    assert_eq!(
        (row.get("Id"), row.get("name"), row.get("Owner.Name")),
        (Some("1"), Some("NA"), None)
    );
    assert_eq!((row.at(1), row.at(2), row.at(3), row.get("Phone")), (Some("NA"), None, None, None));
    let row = reader.next().unwrap().unwrap();
    assert_eq!(row.get("Name"), Some("say \"hi\",\nAnn\r\n"));
    assert_eq!(row.get("OWNER.NAME"), Some("\u{c4}"));
    assert!(!format!("{row:?}").contains("hi"));
    assert!(reader.next().unwrap().is_none());
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn line_ends_bom_and_a_missing_last_line_end_make_no_difference() {
    let expected = Ok(vec![vec![Some("1".to_owned())], vec![Some("2".to_owned())]]);
    for page in [
        "\"A\"\n\"1\"\n\"2\"\n",
        "\"A\"\r\n\"1\"\r\n\"2\"\r\n",
        "\u{feff}\"A\"\n\"1\"\n\"2\"",
        "A\n1\n2\n",
    ] {
        assert_eq!(read(page.as_bytes(), Some(2)), expected, "{page:?}");
    }
}

#[test]
fn a_single_null_column_is_still_a_row() {
    assert_eq!(read(b"\"A\"\n\"\"\n\"\"\n", Some(2)), Ok(vec![vec![None], vec![None]]));
}

#[test]
fn a_damaged_page_is_an_error_and_never_a_shorter_page() {
    for (page, expected_rows, error) in [
        ("", None, CsvError::NoHeader),
        ("\n", Some(1), CsvError::NoHeader),
        ("<html><body>Maintenance</body></html>", None, CsvError::NotCsv),
        ("[{\"errorCode\":\"X\"}]", None, CsvError::NotCsv),
        ("\"Id\",\"Name\",\"id\"\n", None, CsvError::DuplicateColumn("id".to_owned())),
        ("\"A\",\"B\"\n\"1\",\"2", None, CsvError::Truncated { row: 1 }),
        ("\"A\",\"B\"\n\"1\",\"2\n", None, CsvError::Truncated { row: 1 }),
        ("\"A\",\"B\"\n\"1\",\"2\"\n\"3", None, CsvError::Truncated { row: 2 }),
        ("\"A\",\"B", None, CsvError::Truncated { row: 1 }),
        ("\"A\",\"B\"\n\"1\"", None, CsvError::Columns { row: 1, expected: 2, found: 1 }),
        ("\"A\",\"B\"\n\"1\",", None, CsvError::Truncated { row: 1 }),
        ("\"A\"\n\"1\",\"2\"\n", None, CsvError::Columns { row: 1, expected: 1, found: 2 }),
        ("\"A\"\n\"1\"\n", Some(2), CsvError::RowCount { expected: 2, found: 1 }),
        ("\"A\"\n\"1\"\n", Some(0), CsvError::RowCount { expected: 0, found: 1 }),
        ("\"A\"\n", Some(1), CsvError::RowCount { expected: 1, found: 0 }),
    ] {
        assert_eq!(read(page.as_bytes(), expected_rows), Err(error), "{page:?}");
    }
    assert_eq!(read(b"\"\xff\"\n\"1\"\n", None), Err(CsvError::Encoding));
}

#[test]
fn a_row_that_cannot_be_decoded_is_kept_with_marks_and_the_page_goes_on() {
    for (page, values) in [
        (&b"\"A\",\"B\"\n\"\xc3\",\"\xa9\"\n\"x\",\"y\"\n"[..], ["\u{fffd}", "\u{fffd}"]),
        (b"\"A\",\"B\"\n\"a\xffb\",\"c\"\n\"x\",\"y\"\n", ["a\u{fffd}b", "c"]),
        (
            b"\"A\",\"B\"\n\"\xed\xa0\xbd\",\"\xc3\xa9\"\n\"x\",\"y\"\n",
            ["\u{fffd}\u{fffd}\u{fffd}", "é"],
        ),
    ] {
        let mut reader = CsvReader::new(page, Some(2));
        let row = reader.next().unwrap().unwrap();
        assert_eq!(row.fault(), Some(RowFault::Undecodable));
        assert_eq!([row.at(0), row.at(1)], values.map(Some));
        let row = reader.next().unwrap().unwrap();
        assert_eq!((row.fault(), row.get("B")), (None, Some("y")));
        assert!(reader.next().unwrap().is_none());
    }
}

#[test]
fn no_rows_may_come_with_or_without_a_header() {
    assert_eq!(read(b"\"Id\"\n", Some(0)), Ok(vec![]));
    assert_eq!(read(b"", Some(0)), Ok(vec![]));
}

#[test]
fn i50_a_row_of_ten_megabytes_is_passed_over_and_the_page_goes_on() {
    let long = "x".repeat(10 << 20);
    let page = format!("\"A\",\"B\"\n\"1\",\"{long}\"\n\"2\",\"\"\"{long}\"\n\"3\",\"y\"\n");
    let mut reader = CsvReader::new(page.as_bytes(), Some(3));
    for _ in 0..2 {
        let row = reader.next().unwrap().unwrap();
        assert_eq!((row.fault(), row.at(0)), (Some(RowFault::TooLarge), None));
    }
    let row = reader.next().unwrap().unwrap();
    assert_eq!((row.fault(), row.at(0), row.at(1)), (None, Some("3"), Some("y")));
    assert!(reader.next().unwrap().is_none());
    assert!(reader.assembler.text.len() <= MAX_ROW_BYTES);
}

#[test]
fn a_header_cannot_grow_without_end_nor_a_row_beyond_all_columns() {
    let header = "x".repeat(MAX_ROW_BYTES + 1);
    assert_eq!(read(header.as_bytes(), None), Err(CsvError::TooLarge { row: 0 }));
    let wide = "\"x\",".repeat(MAX_COLUMNS + 1);
    assert_eq!(read(wide.as_bytes(), None), Err(CsvError::TooLarge { row: 0 }));
    let row = format!("\"A\"\n{wide}\n");
    assert_eq!(read(row.as_bytes(), None), Err(CsvError::TooLarge { row: 1 }));
    let endless = format!("\"A\"\n\"{}", "x".repeat(2 * MAX_ROW_BYTES));
    assert_eq!(read(endless.as_bytes(), None), Err(CsvError::Truncated { row: 1 }));
}

#[tokio::test]
async fn an_error_of_the_stream_is_passed_on() {
    let pieces = [Ok(Bytes::from_static(b"\"A\"\n\"1\"\n\"2\"")), Err(CsvError::NotCsv)];
    let mut reader = RowReader::new(futures::stream::iter(pieces), None);
    assert_eq!(reader.next().await.unwrap().unwrap().get("A"), Some("1"));
    assert_eq!(reader.next().await.unwrap_err(), CsvError::NotCsv);
}

/// Writes a page as Salesforce does: every value quoted, quotes doubled.
fn write(rows: &Rows, width: usize, line_end: &str) -> String {
    let line = |values: Vec<String>| {
        let quoted: Vec<_> =
            values.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
        quoted.join(",") + line_end
    };
    let mut page = line((0..width).map(|i| format!("C{i}")).collect());
    for row in rows {
        page += &line(row.iter().map(|value| value.clone().unwrap_or_default()).collect());
    }
    page
}

fn any_rows() -> impl Strategy<Value = (usize, Rows)> {
    let value = prop_oneof![
        Just(None),
        "[\",\r\n a\u{e9}\u{1f600}\\PC]{1,12}".prop_map(Some),
        proptest::collection::vec(
            prop_oneof![Just('"'), Just(','), Just('\n'), Just('\r'), Just('\0')],
            1..6
        )
        .prop_map(|chars| Some(String::from_iter(chars))),
    ];
    (1..5_usize).prop_flat_map(move |width| {
        let row = proptest::collection::vec(value.clone(), width);
        (Just(width), proptest::collection::vec(row, 0..8))
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

proptest! {
    #[test]
    fn what_was_written_is_read_whatever_the_pieces(
        (width, rows) in any_rows(),
        size in 1..40_usize,
        crlf: bool,
    ) {
        let page = write(&rows, width, if crlf { "\r\n" } else { "\n" });
        let expected = Some(rows.len() as u64);
        prop_assert_eq!(read(page.as_bytes(), expected), Ok(rows.clone()));
        prop_assert_eq!(block_on(read_pieces(page.as_bytes(), size, expected)), Ok(rows));
    }

    #[test]
    fn a_page_cut_anywhere_is_an_error((width, rows) in any_rows(), cut: proptest::sample::Index) {
        if rows.is_empty() {
            return Ok(());
        }
        let page = write(&rows, width, "\n");
        // Without its last line end the page is still whole. A cut between the halves of a doubled
        // quote in the very last value reads as a shorter value: only the transport (gzip's
        // checksum, the last chunk) can tell.
        let cut = cut.index(page.len() - 1);
        let doubled = cut > 0 && page.as_bytes()[cut - 1] == b'"' && page.as_bytes()[cut] == b'"';
        prop_assert!(doubled || read(&page.as_bytes()[..cut], Some(rows.len() as u64)).is_err());
    }

    #[test]
    fn the_csv_crate_reads_the_same(bytes in "[\",\n\r ax]{0,40}", size in 1..8_usize) {
        let ours = read(bytes.as_bytes(), None);
        prop_assert_eq!(block_on(read_pieces(bytes.as_bytes(), size, None)), ours.clone());
        let Ok(ours) = ours else { return Ok(()) };
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(bytes.as_bytes());
        let theirs: Rows = reader
            .records()
            .map(|row| {
                let row = row.unwrap();
                row.iter().map(|value| Some(value.to_owned()).filter(|v| !v.is_empty())).collect()
            })
            .collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        let _ = read(&bytes, None);
    }
}
