//! The records of a CSV chunk, by column name.

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
    reader: csv::Reader<&'a [u8]>,
    columns: usize,
    first_line: u64,
    record: StringRecord,
}

impl std::fmt::Debug for CsvRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvRows").field("first_line", &self.first_line).finish_non_exhaustive()
    }
}

fn reader(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes)
}

impl<'a> CsvRows<'a> {
    /// The records of `chunk`, in a file with this header.
    #[must_use]
    pub fn new(chunk: &'a Chunk, header: &Header) -> Self {
        Self {
            reader: reader(&chunk.bytes, header.delimiter),
            columns: header.columns.len(),
            first_line: chunk.first_line,
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
            let at = raw.position().map_or(1, csv::Position::line);
            let line = self.first_line + at - 1;
            if raw.len() != self.columns {
                problems.push(RowProblem::skipped(line, "wrong-number-of-columns"));
                continue;
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
}
