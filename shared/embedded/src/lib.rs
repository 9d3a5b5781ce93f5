//! The ports on one machine, without any service beside the process.

pub mod keys;
pub mod objects;
