//! The documents above the one table, written once for the real table and for the one in memory.
//!
//! A key is a [`Slot`]: it knows the type of its document. A document that was read is a
//! [`Stored`]: it knows its revision. What is written is a [`Commit`]: documents, conditions and
//! the steps that follow, done together or not at all.

mod access;
mod beside;
mod commit;
mod condition;
mod documents;
pub(crate) mod due;
pub mod keys;
pub(crate) mod outbox;
pub(crate) mod records;
mod sealed;
mod slot;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
mod unchecked;

pub use access::{Attempt, SeriesPage, Store, attempts};
pub(crate) use beside::beside;
pub use commit::{Commit, Draft};
pub(crate) use condition::field;
pub use condition::{Edit, Field, When};
#[cfg(any(test, feature = "testing"))]
pub use documents::item;
pub(crate) use outbox::lag;
pub use outbox::{Next, Outbox, Tick};
pub use records::{RecordWrite, Records};
pub use slot::{Marker, Series, Slot, Stored};
#[cfg(any(test, feature = "testing"))]
pub use unchecked::{get, put, query_all, typed};
