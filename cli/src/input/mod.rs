//! Row files as people hand them over: plain or gzip, JSON lines or CSV, with all their faults.
//!
//! A fault of one row never stops the run: the row is skipped or repaired, counted by reason, and
//! the first few line numbers are kept for the message. Only a file that cannot be read at all
//! (missing, another format, no usable header) is an error.

mod chunks;
mod csv_rows;
mod encoding;
mod lines;
mod problems;
pub mod salesforce;
mod source;
mod table;
mod text;

pub use chunks::{Chunk, ChunkReader};
pub use csv_rows::{CsvRows, Header};
pub(crate) use lines::lines;
pub use problems::{Fate, FileProblems, Reason, RowProblem};
pub use source::{Layout, RowFile, from_reader, open};
pub use table::{Column, read_columns};

/// The longest row that is read; a longer one is skipped and counted. Salesforce's longest text
/// field holds 131,072 characters, so a row beyond this is a fault of the export.
pub const MAX_ROW_BYTES: usize = 1 << 20;

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file is missing, a folder, or not readable.
    #[error("cannot read {path}")]
    Unreadable {
        /// The path as given.
        path: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The first bytes are of a format that is not read.
    #[error("{path}: this is {format}; give plain or gzip text, JSON lines or CSV")]
    Format {
        /// The path as given.
        path: String,
        /// The format it looks like.
        format: &'static str,
    },
    /// The text is in an encoding that cannot be told from others.
    #[error(
        "{path}: the text is not UTF-8, and which encoding it is in cannot be told; save it as \
         UTF-8 (spreadsheets call it \"CSV UTF-8\") and try again"
    )]
    Encoding {
        /// The path as given.
        path: String,
    },
    /// Quotes that do not begin their fields do not count as quotes.
    #[error(
        "{path}, line 1: spaces stand between delimiters and quotes, so that the quotes would not \
         count; take those spaces out"
    )]
    SpacedQuotes {
        /// The path as given.
        path: String,
    },
    /// The header names a column twice, so that no value can be trusted.
    #[error("{path}, line 1: the header names the column {column:?} twice; rename or remove one")]
    DuplicateColumn {
        /// The path as given.
        path: String,
        /// The column.
        column: String,
    },
    /// The header lacks a column that the file must have.
    #[error("{path}, line 1: no column {missing}; the header has: {found}")]
    MissingColumn {
        /// The path as given.
        path: String,
        /// The thing that is missing.
        missing: String,
        /// The columns found.
        found: String,
    },
    /// So many quotes are unbalanced that the file is not the CSV it claims to be.
    #[error("{path}, line {line}: too many unbalanced quotes; check the delimiter and the quoting")]
    Unbalanced {
        /// The path as given.
        path: String,
        /// Where reading stopped.
        line: u64,
    },
}
