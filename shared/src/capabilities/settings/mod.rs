//! The settings that an admin makes for an environment.

mod change;
pub mod keys;
mod model;

pub use change::{ChangeSettings, KEPT_CHANGES, SettingsError};
pub(crate) use change::{change, changing};
pub use model::*;
