//! The common crate.

pub mod salesforce;
