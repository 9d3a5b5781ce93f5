//! What an admin may set for an environment.

mod model;

pub use model::*;
