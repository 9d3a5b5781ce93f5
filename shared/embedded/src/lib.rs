//! The ports on one machine, without any service beside the process.

pub mod keys;
pub mod objects;
pub mod private;
pub mod queues;
mod sqlite;
pub mod table;

pub use sqlite::{OpenError, StoreFault};
