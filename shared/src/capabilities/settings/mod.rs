//! What an admin may set for an environment.

pub mod keys;
mod model;

pub use model::*;
