//! `crm-sync` for people: match CRM exports against a directory, without any cloud.
//!
//! The library holds what the binary does, so that tests and fuzzing reach it; nothing else is
//! meant to depend on it.

pub mod api_client;
pub mod args;
pub mod audit_file;
pub mod commands;
pub mod evaluate;
pub mod generate;
pub mod input;
pub mod linkage;
pub mod moving;
pub mod pipeline;
pub mod progress;
pub mod publish;
pub mod report;
mod salesforce_id;

/// The threads to work on: as many as asked for, else one a core.
#[must_use]
pub fn threads(asked: Option<std::num::NonZeroUsize>) -> usize {
    asked.or_else(|| std::thread::available_parallelism().ok()).map_or(1, Into::into)
}
