//! What an admin may set for an environment.

mod change;
pub mod keys;
mod model;

pub use change::ChangeSettings;
pub use model::*;
