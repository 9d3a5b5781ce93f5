//! The errors of generating an org.

use std::path::PathBuf;

/// Why an org could not be read, generated or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the base data could not be opened or read.
    #[error("cannot read {}; is it a folder like data/dev?", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A CSV file of the base data has a row that does not fit its header.
    #[error("{} is not the CSV file that was expected", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: csv::Error,
    },
    /// A line of a JSON-lines file is not a person or a company.
    #[error("line {line} of {} is not an entity of the directory", path.display())]
    Entity {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The base data hold too little for something that the org must show.
    #[error("the base data hold no {what}")]
    Incomplete {
        /// The thing that is missing.
        what: &'static str,
    },
    /// A file of the org could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}
