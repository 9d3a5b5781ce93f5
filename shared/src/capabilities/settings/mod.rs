//! The settings that an admin makes for an environment.

pub mod keys;
mod model;

pub use model::*;
