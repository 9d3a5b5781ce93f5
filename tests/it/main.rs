//! The integration tests: one binary, linked once.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps in vain")]

mod adapters;
mod data_model;
mod demo;
mod faults;
mod flows;
mod import;
mod local_stack;
mod template;
mod tidy;
mod wire_faults;
