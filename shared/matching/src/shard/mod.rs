//! Directory shards: immutable index files over a slice of a directory version.
//!
//! Invariant: a shard is read where it lies (a memory map, a buffer), and every access is
//! bounds-checked. A file that is cut short, changed or of another format version is refused when
//! it is opened.

mod build;
mod file;
mod finish;
mod postings;
mod view;

pub use build::ShardBuilder;
pub use file::{Shard, ShardError, shard_of};
pub(crate) use view::{CompanyView, EmployerView, MailView, NamesView, PersonView, Tokens};
