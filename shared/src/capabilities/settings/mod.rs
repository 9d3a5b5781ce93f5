//! The settings that an admin makes for an environment.

mod change;
pub mod keys;
mod model;

pub(crate) use change::change;
pub use change::{ChangeSettings, KEPT_CHANGES, SettingsError};
pub use model::*;
