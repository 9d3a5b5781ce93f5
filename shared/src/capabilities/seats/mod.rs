//! Customer contracts and their seats.

mod model;

pub use model::*;
