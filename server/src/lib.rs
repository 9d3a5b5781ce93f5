//! The whole product in one process: the API, the callback and every queue's work over stores in
//! one folder.

pub mod config;
pub mod functions;
pub mod issuer;
pub mod metrics;
pub mod pace;
