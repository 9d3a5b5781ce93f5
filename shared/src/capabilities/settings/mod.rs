//! The settings that an admin makes for an environment.

mod change;
pub mod keys;
mod model;

pub use change::ChangeSettings;
pub use model::*;
