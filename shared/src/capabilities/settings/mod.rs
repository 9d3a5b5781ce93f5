//! The settings that an admin makes for an environment.

mod change;
pub mod keys;
mod model;
mod seat_logging;
mod seat_saving;

pub use change::{ChangeSettings, KEPT_CHANGES, SettingsError};
pub(crate) use change::{change, changing};
pub use model::*;
pub use seat_logging::*;
pub use seat_saving::*;
