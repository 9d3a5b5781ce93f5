use super::*;

fn chunks_of(source: Box<dyn Read + Send>, layout: Layout) -> ChunkReader {
    ChunkReader::new("x".into(), Text::new(source), layout)
}

/// All rows of `bytes` as chunks, glued together, and the faults.
fn read(bytes: &'static [u8], layout: Layout) -> (Vec<u8>, Vec<RowProblem>) {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for chunk in chunks_of(Box::new(bytes), layout) {
        let chunk = chunk.unwrap();
        rows.extend(chunk.bytes);
        problems.extend(chunk.problems);
    }
    (rows, problems)
}

const CSV: Layout = Layout::Csv { delimiter: b',' };

#[test]
fn a_file_of_one_chunk_comes_back_whole() {
    for bytes in [&b"a,b\n1,2\n3,4"[..], b"", b"\n", b"a,\"x\ny\"\n\"\"\"q\",2"] {
        assert_eq!(read(bytes, CSV), (bytes.to_vec(), vec![]));
        assert_eq!(read(bytes, Layout::JsonLines), (bytes.to_vec(), vec![]));
    }
}

#[test]
fn the_header_is_the_first_record_without_a_byte_order_mark() {
    let mut chunks = chunks_of(Box::new(&b"\xef\xbb\xbfId,\"a\nb\"\n1,2\n"[..]), CSV);
    assert_eq!(chunks.header(), b"Id,\"a\nb\"\n");
    let chunk = chunks.next().unwrap().unwrap();
    assert_eq!((chunk.first_line, chunk.bytes.as_slice()), (3, &b"1,2\n"[..]));
    assert!(chunks.next().is_none());
}

#[test]
fn rows_that_end_in_cr_alone_are_rows_and_have_their_lines() {
    let bytes = b"Id,Name\r1,\"a\nb\"\r2,c\r3,d";
    let mut chunks = chunks_of(Box::new(&bytes[..]), CSV);
    assert_eq!(chunks.header(), b"Id,Name\r");
    let chunk = chunks.next().unwrap().unwrap();
    assert_eq!((chunk.first_line, chunk.bytes.as_slice()), (2, &b"1,\"a\nb\"\r2,c\r3,d"[..]));
    let many = "1,abcdefg\r".repeat(300_000).into_bytes();
    let (mut rows, mut line) = (0, 1);
    for chunk in chunks_of(Box::new(std::io::Cursor::new(many)), CSV) {
        let chunk = chunk.unwrap();
        assert_eq!(chunk.first_line, line);
        line += count_lines(&chunk.bytes);
        rows += chunk.bytes.len() / 10;
    }
    assert_eq!((rows, line), (300_000, 300_001));
}

#[test]
fn a_cr_lf_is_never_cut_in_two() {
    let row = "1,abcdef\r\n";
    for padding in ["", "x", "xx", "xxx"] {
        let bytes = format!("{padding}{}", row.repeat(250_000)).into_bytes();
        for layout in [CSV, Layout::JsonLines] {
            let mut line = 1;
            for chunk in chunks_of(Box::new(std::io::Cursor::new(bytes.clone())), layout) {
                let chunk = chunk.unwrap();
                assert_eq!(chunk.first_line, line);
                assert!(chunk.bytes.ends_with(b"\r\n") && !chunk.bytes.starts_with(b"\n"));
                line += count_lines(&chunk.bytes);
            }
            assert_eq!(line, 250_001);
        }
    }
}

#[test]
fn the_line_that_names_the_separator_is_no_header() {
    for (first, delimiter) in
        [("sep=;", b';'), ("SEP=,", b','), ("\"sep=|\"", b'|'), ("sep=\t", b'\t')]
    {
        let bytes = format!("{first}\r\nId\r\n1\r\n").into_bytes();
        assert_eq!(separator(&bytes), Some(delimiter), "{first}");
        let mut chunks = chunks_of(Box::new(std::io::Cursor::new(bytes)), CSV);
        assert_eq!(chunks.header(), b"Id\r\n");
        assert_eq!(chunks.next().unwrap().unwrap().first_line, 3);
    }
    for other in ["", "sep", "sep=", "sep=ab", "sep=x", "step=;", "sep=\"", "Id;sep=;"] {
        assert_eq!(separator(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn a_quote_that_never_closes_costs_its_own_line_only() {
    let (rows, problems) = read(b"1,a\n2,\"b\n3,c\n4,d\n", CSV);
    assert_eq!(rows, b"1,a\n3,c\n4,d\n");
    assert_eq!(problems, [RowProblem::skipped(2, "unbalanced-quote")]);
}

#[test]
fn a_quote_within_a_field_is_a_character() {
    let bytes = b"1,5\" pipe\n2,b\n";
    assert_eq!(read(bytes, CSV), (bytes.to_vec(), vec![]));
}

#[test]
fn a_row_without_end_is_dropped_and_the_next_is_read() {
    for layout in [CSV, Layout::JsonLines] {
        let mut bytes = b"1,a\n2,".to_vec();
        bytes.resize(GIVE_UP_BYTES + 3 * CHUNK_BYTES, b'x');
        bytes.extend(b"\n3,c\n");
        let (rows, problems) = read(bytes.leak(), layout);
        assert_eq!(rows, b"1,a\n3,c\n");
        assert_eq!(problems, [RowProblem::skipped(2, "row-too-long")]);
    }
}

#[test]
fn a_long_last_row_without_line_end_is_dropped() {
    let mut bytes = b"1,a\n".to_vec();
    bytes.resize(GIVE_UP_BYTES + 3 * CHUNK_BYTES, b'x');
    let (rows, problems) = read(bytes.leak(), Layout::JsonLines);
    assert_eq!((rows.as_slice(), problems.len()), (&b"1,a\n"[..], 1));
}

#[test]
fn only_so_many_unbalanced_quotes_are_forgiven() {
    let stray = format!("1,\"{}\n", "2,b\n".repeat(1 << 18));
    let bytes = std::io::Cursor::new(stray.repeat(MAX_UNBALANCED as usize + 1));
    let mut chunks = chunks_of(Box::new(bytes), CSV);
    chunks.give_up = CHUNK_BYTES;
    let mut forgiven = 0;
    let error = loop {
        match chunks.next() {
            Some(Ok(chunk)) => forgiven += chunk.problems.len(),
            Some(Err(error)) => break error,
            None => panic!("the file was read to its end"),
        }
    };
    assert_eq!(forgiven, MAX_UNBALANCED as usize);
    assert!(error.to_string().starts_with("x, line "), "{error}");
    assert!(chunks.next().is_none());
}

#[test]
fn chunks_know_their_first_line() {
    let row = format!("{},\"two\nlines\"\n", "x".repeat(1000));
    let bytes = row.repeat(5000);
    let mut line = 1;
    for chunk in chunks_of(Box::new(std::io::Cursor::new(bytes)), CSV) {
        let chunk = chunk.unwrap();
        assert_eq!(chunk.first_line, line);
        line += count_lines(&chunk.bytes);
    }
    assert_eq!(line, 10_001);
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic_and_whole_rows_are_kept(
        rows in proptest::collection::vec("[a-z,\"\n]{0,12}", 0..40),
        delimiter in proptest::option::of(proptest::sample::select(vec![b',', b';'])),
    ) {
        let bytes = rows.join("\n").into_bytes();
        let layout = delimiter.map_or(Layout::JsonLines, |delimiter| Layout::Csv { delimiter });
        let chunks = chunks_of(Box::new(std::io::Cursor::new(bytes.clone())), layout);
        let mut kept = 0;
        for chunk in chunks {
            let Ok(chunk) = chunk else { return Ok(()) };
            kept += chunk.bytes.len();
        }
        proptest::prop_assert!(kept <= bytes.len());
        if layout == Layout::JsonLines {
            proptest::prop_assert_eq!(kept, bytes.len());
        }
    }
}
