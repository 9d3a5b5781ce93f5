//! Bulk results, row by row, in constant memory.
//!
//! Salesforce quotes every value and writes null and the empty text alike, as `""`. A page that was
//! cut off anywhere is an error, never a shorter page: quotes must balance, every row must have the
//! header's width, and the rows must be as many as the answer's header promised. A single row that
//! cannot be read costs itself or a part of its text, never the page: [`RowFault`].

use std::collections::HashMap;

use bytes::{Buf, Bytes};
use csv_core::ReadRecordResult;
use futures::{Stream, StreamExt};

/// A row is at most 400,000 characters by Salesforce's limits; this leaves room for four bytes in
/// each, doubled quotes aside.
const MAX_ROW_BYTES: usize = 4 << 20;

/// Salesforce's most fields in one row.
const MAX_COLUMNS: usize = 5_000;

/// Why a page of results cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// The page is empty, without even a header row.
    #[error("the page has no header row")]
    NoHeader,
    /// The page is not CSV but HTML or JSON.
    #[error("the page is not CSV")]
    NotCsv,
    /// Two columns have the same name.
    #[error("the column {0:?} comes twice")]
    DuplicateColumn(String),
    /// A row is wider or narrower than the header.
    #[error("row {row} has {found} columns, the header {expected}")]
    Columns {
        /// The row, from 1.
        row: u64,
        /// Columns of the header.
        expected: usize,
        /// Columns of the row.
        found: usize,
    },
    /// The page ends within a quoted value.
    #[error("the page ends in the middle of row {row}")]
    Truncated {
        /// The row, from 1.
        row: u64,
    },
    /// The header is not UTF-8.
    #[error("the header is not UTF-8")]
    Encoding,
    /// The header is longer, or a row wider, than Salesforce can write.
    #[error("row {row} is larger than Salesforce writes")]
    TooLarge {
        /// The row, from 1; 0 for the header.
        row: u64,
    },
    /// Fewer or more rows than the answer promised.
    #[error("the page has {found} rows where {expected} were promised")]
    RowCount {
        /// Rows that `Sforce-NumberOfRecords` promised.
        expected: u64,
        /// Rows found.
        found: u64,
    },
}

/// The columns of a page.
#[derive(Debug, Default)]
struct Header {
    names: Vec<String>,
    positions: HashMap<String, usize>,
}

impl Header {
    fn position(&self, name: &str) -> Option<usize> {
        let exact = self.positions.get(name).copied();
        exact.or_else(|| self.names.iter().position(|known| known.eq_ignore_ascii_case(name)))
    }
}

/// The reason why a row is not as Salesforce holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFault {
    /// It is longer than Salesforce can write, and has no values.
    TooLarge,
    /// Some of it cannot be decoded. U+FFFD stands there.
    Undecodable,
}

/// One row of a page.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    header: &'a Header,
    text: &'a str,
    ends: &'a [usize],
    fault: Option<RowFault>,
}

impl<'a> Row<'a> {
    /// The value of a column by its name, whatever the case; none when it is null or there is no
    /// such column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&'a str> {
        self.at(self.header.position(column)?)
    }

    /// The value of a column by its position; none when it is null.
    #[must_use]
    pub fn at(&self, position: usize) -> Option<&'a str> {
        let end = *self.ends.get(position)?;
        let start = if position == 0 { 0 } else { self.ends[position - 1] };
        Some(&self.text[start..end]).filter(|value| !value.is_empty())
    }

    /// Why the row is not as Salesforce holds it; none for nearly every row.
    #[must_use]
    pub fn fault(&self) -> Option<RowFault> {
        self.fault
    }

    /// Names and values in the order of the query.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let row = *self;
        row.header.names.iter().enumerate().map(move |(i, name)| (name.as_str(), row.at(i)))
    }
}

/// Shows the width only: values are personal data.
impl std::fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("columns", &self.ends.len()).finish_non_exhaustive()
    }
}

/// The outcome of reading some input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    MoreInput,
    Row,
    End,
}

/// Puts rows together from whatever pieces the input comes in.
struct Assembler {
    core: csv_core::Reader,
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    header: Option<Header>,
    /// The row is too large, and what came of it was dropped.
    too_large: bool,
    /// The text of a row that could not be decoded, mended, and where its values end.
    mended: (String, Vec<usize>),
    in_quotes: bool,
    last_byte: u8,
    rows: u64,
    expected_rows: Option<u64>,
}

impl Assembler {
    fn new(expected_rows: Option<u64>) -> Self {
        Self {
            core: csv_core::Reader::new(),
            text: vec![0; 8 << 10],
            text_len: 0,
            ends: vec![0; 64],
            ends_len: 0,
            header: None,
            too_large: false,
            mended: (String::new(), Vec::new()),
            in_quotes: false,
            last_byte: b'\n',
            rows: 0,
            expected_rows,
        }
    }

    /// Reads up to the end of the next row; empty input means that there is no more. Tells how many
    /// bytes it took.
    fn step(&mut self, input: &[u8]) -> Result<(Step, usize), CsvError> {
        let mut taken = 0;
        loop {
            let (result, read, written, ended) = self.core.read_record(
                &input[taken..],
                &mut self.text[self.text_len..],
                &mut self.ends[self.ends_len..],
            );
            self.note(&input[taken..taken + read]);
            taken += read;
            self.text_len += written;
            self.ends_len += ended;
            match result {
                ReadRecordResult::InputEmpty => return Ok((Step::MoreInput, taken)),
                ReadRecordResult::OutputFull => self.make_room()?,
                ReadRecordResult::OutputEndsFull if !grow(&mut self.ends, MAX_COLUMNS) => {
                    return Err(CsvError::TooLarge { row: self.number() });
                }
                ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::Record => {
                    self.check_whole(input)?;
                    if self.header.is_some() {
                        self.rows += 1;
                        return Ok((Step::Row, taken));
                    }
                    self.header = Some(self.take_header()?);
                }
                ReadRecordResult::End => return self.end().map(|()| (Step::End, taken)),
            }
            // To go on without input would mean the end of the page.
            if taken == input.len() && taken > 0 {
                return Ok((Step::MoreInput, taken));
            }
        }
    }

    /// Makes room for more of a row. One that is too large is read on to its end, and dropped.
    fn make_room(&mut self) -> Result<(), CsvError> {
        if !grow(&mut self.text, MAX_ROW_BYTES) {
            if self.header.is_none() {
                return Err(CsvError::TooLarge { row: 0 });
            }
            (self.too_large, self.text_len) = (true, 0);
        }
        Ok(())
    }

    /// The number of the row that is being read; 0 for the header.
    fn number(&self) -> u64 {
        if self.header.is_some() { self.rows + 1 } else { 0 }
    }

    /// Quotes come in pairs, doubled ones included, so only their parity tells whether a value is
    /// open.
    fn note(&mut self, read: &[u8]) {
        self.in_quotes ^= memchr::memchr_iter(b'"', read).count() % 2 == 1;
        self.last_byte = read.last().copied().unwrap_or(self.last_byte);
    }

    /// Refuses a row that the end of the page, and not the end of a line, completed as Salesforce
    /// does not write it.
    ///
    /// Its last value is quoted, so that a row that ends after a comma or within a bare value lost
    /// its rest.
    fn check_whole(&self, input: &[u8]) -> Result<(), CsvError> {
        let starts_as_other =
            matches!(self.text[..self.text_len].first(), Some(b'<' | b'{' | b'['));
        if self.header.is_none() && starts_as_other {
            return Err(CsvError::NotCsv);
        }
        let cut = input.is_empty() && !matches!(self.last_byte, b'"' | b'\n' | b'\r');
        if self.in_quotes || cut {
            return Err(CsvError::Truncated { row: self.rows + 1 });
        }
        Ok(())
    }

    fn take_header(&mut self) -> Result<Header, CsvError> {
        let mut header = Header::default();
        let text =
            std::str::from_utf8(&self.text[..self.text_len]).map_err(|_| CsvError::Encoding)?;
        let mut start = 0;
        for &end in &self.ends[..self.ends_len] {
            let name = text.get(start..end).ok_or(CsvError::Encoding)?;
            if header.position(name).is_some() {
                return Err(CsvError::DuplicateColumn(name.to_owned()));
            }
            header.positions.insert(name.to_owned(), header.names.len());
            header.names.push(name.to_owned());
            start = end;
        }
        (self.text_len, self.ends_len) = (0, 0);
        Ok(header)
    }

    /// Makes room for the next row.
    fn clear_row(&mut self) {
        (self.text_len, self.ends_len, self.too_large) = (0, 0, false);
    }

    /// The row that was just completed.
    fn row(&mut self) -> Result<Row<'_>, CsvError> {
        let row = self.rows;
        let width = self.header.as_ref().map_or(0, |header| header.names.len());
        if self.ends_len != width {
            return Err(CsvError::Columns { row, expected: width, found: self.ends_len });
        }
        let fault = if self.too_large {
            Some(RowFault::TooLarge)
        } else if self.is_decoded() {
            None
        } else {
            self.mend();
            Some(RowFault::Undecodable)
        };
        let header = self.header.as_ref().ok_or(CsvError::NoHeader)?;
        let (text, ends): (&str, &[usize]) = match fault {
            Some(RowFault::TooLarge) => ("", &[]),
            Some(RowFault::Undecodable) => (&self.mended.0, &self.mended.1),
            None => {
                let text = std::str::from_utf8(&self.text[..self.text_len]);
                (text.unwrap_or_default(), &self.ends[..self.ends_len])
            }
        };
        Ok(Row { header, text, ends, fault })
    }

    fn is_decoded(&self) -> bool {
        let text = std::str::from_utf8(&self.text[..self.text_len]);
        // Halves of a character in two neighbouring values would make whole UTF-8 together.
        let is_whole =
            |text: &str| self.ends[..self.ends_len].iter().all(|&end| text.is_char_boundary(end));
        text.is_ok_and(is_whole)
    }

    /// Decodes the values one by one, with U+FFFD for what is not UTF-8.
    fn mend(&mut self) {
        let (text, ends) = &mut self.mended;
        text.clear();
        ends.clear();
        let mut start = 0;
        for &end in &self.ends[..self.ends_len] {
            text.push_str(&String::from_utf8_lossy(&self.text[start..end]));
            ends.push(text.len());
            start = end;
        }
    }

    fn end(&self) -> Result<(), CsvError> {
        let expected = self.expected_rows.unwrap_or(self.rows);
        // An empty query may be answered with nothing at all.
        if self.header.is_none() && self.expected_rows != Some(0) {
            return Err(CsvError::NoHeader);
        }
        if expected != self.rows {
            return Err(CsvError::RowCount { expected, found: self.rows });
        }
        Ok(())
    }
}

/// Makes a buffer longer; false when it is as long as it may be.
fn grow<T: Clone + Default>(buffer: &mut Vec<T>, max: usize) -> bool {
    let longer = (buffer.len() * 2).min(max);
    let may_grow = longer > buffer.len();
    buffer.resize(longer, T::default());
    may_grow
}

/// Rows of a page that is in memory.
pub struct CsvReader<'a> {
    input: &'a [u8],
    assembler: Assembler,
}

impl<'a> CsvReader<'a> {
    /// Reads a page; when `expected_rows` is given, another number of rows is an error at the end.
    #[must_use]
    pub fn new(page: &'a [u8], expected_rows: Option<u64>) -> Self {
        Self { input: page, assembler: Assembler::new(expected_rows) }
    }

    /// The next row, or none at a sound end.
    #[expect(
        clippy::should_implement_trait,
        reason = "a row borrows the reader, which an Iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<Row<'_>>, CsvError> {
        self.assembler.clear_row();
        loop {
            let (step, taken) = self.assembler.step(self.input)?;
            self.input = &self.input[taken..];
            match step {
                Step::MoreInput => {}
                Step::Row => break,
                Step::End => return Ok(None),
            }
        }
        self.assembler.row().map(Some)
    }

    /// Rows read so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.assembler.rows
    }
}

/// Rows of a page as it arrives.
pub struct RowReader<S> {
    stream: S,
    chunk: Bytes,
    ended: bool,
    assembler: Assembler,
}

impl<S, E> RowReader<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: From<CsvError>,
{
    /// Reads a page; when `expected_rows` is given, another number of rows is an error at the end.
    #[must_use]
    pub fn new(stream: S, expected_rows: Option<u64>) -> Self {
        let assembler = Assembler::new(expected_rows);
        Self { stream, chunk: Bytes::new(), ended: false, assembler }
    }

    /// The next row, or none at a sound end.
    pub async fn next(&mut self) -> Result<Option<Row<'_>>, E> {
        self.assembler.clear_row();
        loop {
            while self.chunk.is_empty() && !self.ended {
                match self.stream.next().await {
                    Some(chunk) => self.chunk = chunk?,
                    None => self.ended = true,
                }
            }
            let (step, taken) = self.assembler.step(&self.chunk)?;
            self.chunk.advance(taken);
            match step {
                Step::MoreInput => {}
                Step::Row => break,
                Step::End => return Ok(None),
            }
        }
        Ok(Some(self.assembler.row()?))
    }

    /// Rows read so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.assembler.rows
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
