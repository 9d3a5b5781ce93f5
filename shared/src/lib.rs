//! The common crate.
