//! The repositories: typed items above the one table, written once for the real table and for the
//! one in memory.

mod documents;
pub mod keys;
pub(crate) mod outbox;
pub(crate) mod records;

pub use documents::{delete, get, get_many, item, item_key_suffix, put, query, query_all, typed};
pub use outbox::{Next, Outbox};
pub use records::{RecordWrite, Records};
