//! Work of `telling`.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::Event;

/// What others are to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TellingMessage {
    /// Tell others what happened.
    Publish {
        /// What.
        event: Event,
    },
}
