//! `crm-sync` for people: match CRM exports against a directory, without any cloud.
//!
//! The library holds what the binary does, so that tests and fuzzing reach it; nothing else is
//! meant to depend on it.

pub mod args;
pub mod commands;
pub mod evaluate;
pub mod input;
