//! Matching files against files: a directory read into shards, CRM records scored against them,
//! and the outcome written.

mod assign;
mod directory;
mod output;
mod records;
mod rows;

pub use directory::{Directory, Sources, Totals};
pub use output::{candidates_file, predictions_file};
pub use records::{Decided, Linked, ObjectFile, Settings, link};
pub use rows::{AccountsById, Content, Row, Rows};
