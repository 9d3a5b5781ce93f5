//! Customer contracts and their seats.

pub mod keys;
mod model;

pub use model::*;
