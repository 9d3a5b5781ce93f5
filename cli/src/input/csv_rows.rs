//! The records of a CSV chunk, by column name.

use super::lines::count_lines;
use super::{Chunk, InputError, MAX_ROW_BYTES, RowProblem};
use csv::{ByteRecord, ReaderBuilder, StringRecord};

/// The columns of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The names as the file writes them, trimmed.
    pub columns: Vec<String>,
    delimiter: u8,
}

impl Header {
    /// Reads the header record. Names are compared without regard to case.
    pub fn parse(path: &str, record: &[u8], delimiter: u8) -> Result<Self, InputError> {
        let text = String::from_utf8_lossy(record);
        let mut reader = reader(text.as_bytes(), delimiter);
        let mut fields = StringRecord::new();
        let _ = reader.read_record(&mut fields);
        if fields.iter().any(|field| field.starts_with(' ') && field.trim().starts_with('"')) {
            return Err(InputError::SpacedQuotes { path: path.to_owned() });
        }
        let columns: Vec<String> = fields.iter().map(|field| field.trim().to_owned()).collect();
        for (at, column) in columns.iter().enumerate() {
            if !column.is_empty() && columns[..at].iter().any(|c| c.eq_ignore_ascii_case(column)) {
                let column = column.clone();
                return Err(InputError::DuplicateColumn { path: path.to_owned(), column });
            }
        }
        Ok(Self { columns, delimiter })
    }

    /// Where a column stands.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
    }

    /// Where a column stands that the file must have.
    pub fn required(&self, path: &str, name: &str) -> Result<usize, InputError> {
        self.position(name).ok_or_else(|| InputError::MissingColumn {
            path: path.to_owned(),
            missing: format!("{name:?}"),
            found: self.found(),
        })
    }

    /// The columns in one line, for a message.
    #[must_use]
    pub fn found(&self) -> String {
        const NAMED: usize = 20;
        if self.columns.is_empty() {
            return "no columns".to_owned();
        }
        let mut list = self.columns.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        if self.columns.len() > NAMED {
            list.push_str(", …");
        }
        list.chars().take(500).collect()
    }
}

/// Reads the records of one chunk, one after another.
pub struct CsvRows<'a> {
    bytes: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    columns: usize,
    needed: usize,
    /// The line of the byte at `at`, where a record begins.
    line: u64,
    at: usize,
    record: StringRecord,
}

impl std::fmt::Debug for CsvRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvRows").field("line", &self.line).finish_non_exhaustive()
    }
}

fn reader(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes)
}

impl<'a> CsvRows<'a> {
    /// The records of `chunk`, in a file with this header. No record of it ends within the first
    /// `needed` columns: a shorter one was cut, while a longer one may have lost empty cells only.
    #[must_use]
    pub fn new(chunk: &'a Chunk, header: &Header, needed: usize) -> Self {
        Self {
            bytes: &chunk.bytes,
            reader: reader(&chunk.bytes, header.delimiter),
            columns: header.columns.len(),
            needed,
            line: chunk.first_line,
            at: 0,
            record: StringRecord::new(),
        }
    }

    /// The next usable record and the line it begins on. Faulty ones go to `problems`; a record
    /// that is not UTF-8 is kept with U+FFFD in the place of what could not be read.
    pub fn next(&mut self, problems: &mut Vec<RowProblem>) -> Option<(u64, &StringRecord)> {
        // The record's own buffer is read into, converted and kept: no allocation a row.
        let mut raw: ByteRecord = std::mem::take(&mut self.record).into_byte_record();
        loop {
            let from = self.reader.position().byte();
            // Reading from memory, flexible and as bytes, leaves nothing that can fail.
            if !self.reader.read_byte_record(&mut raw).unwrap_or(false) {
                return None;
            }
            let line = self.line_at(from);
            if !self.fits(&raw) {
                problems.push(RowProblem::skipped(line, "wrong-number-of-columns"));
                continue;
            }
            if raw.len() < self.columns {
                problems.push(RowProblem::kept(line, "cells-left-out"));
            }
            for _ in raw.len()..self.columns {
                raw.push_field(b"");
            }
            if self.reader.position().byte() - from > MAX_ROW_BYTES as u64 {
                problems.push(RowProblem::skipped(line, "row-too-long"));
                continue;
            }
            self.record = match StringRecord::from_byte_record(raw) {
                Ok(record) => record,
                Err(error) => {
                    problems.push(RowProblem::repaired(line, "invalid-utf8"));
                    StringRecord::from_byte_record_lossy(error.into_byte_record())
                }
            };
            break Some((line, &self.record));
        }
    }

    /// The next record as it stands, whatever is wrong with it, and the line it begins on.
    pub fn next_as_it_stands(&mut self) -> Option<(u64, &StringRecord)> {
        let mut raw: ByteRecord = std::mem::take(&mut self.record).into_byte_record();
        let from = self.reader.position().byte();
        if !self.reader.read_byte_record(&mut raw).unwrap_or(false) {
            return None;
        }
        self.record = StringRecord::from_byte_record_lossy(raw);
        Some((self.line_at(from), &self.record))
    }

    /// True if a record differs from the header's width by empty cells at its end only.
    fn fits(&self, raw: &ByteRecord) -> bool {
        let too_many = raw.iter().skip(self.columns);
        raw.len() >= self.needed.min(self.columns) && too_many.into_iter().all(<[u8]>::is_empty)
    }

    /// The line of the record that the reader began to look for at a byte. The csv crate's own
    /// lines are those before the line end that it has yet to pass.
    fn line_at(&mut self, from: u64) -> u64 {
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(self.bytes.len());
        let ends = self.bytes[from..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let start = from + ends.count();
        self.line += count_lines(&self.bytes[self.at..start]);
        self.at = start;
        self.line
    }
}
