//! The whole product in one process: configuration first; the rest follows.

pub mod config;
pub mod pace;
