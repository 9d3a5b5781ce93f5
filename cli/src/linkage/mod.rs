//! Matching files against files: a directory read into shards, CRM records scored against them,
//! and the outcome written.

mod assign;
mod delta;
mod directory;
mod index;
mod output;
mod records;
mod rows;

pub use directory::{Directory, Sources, Totals};
pub use index::{Manifest, ShardFile, open_index, read_manifest, write_index};
pub(crate) use output::probability;
pub use output::{OutputFile, candidates_file, predictions_file};
pub use records::{Decided, Linked, ObjectFile, Settings, best_of_all, link};
pub use rows::{AccountFacts, AccountsById, Content, Row, Rows, keep_account};
