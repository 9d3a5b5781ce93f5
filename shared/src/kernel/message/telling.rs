//! Work of `telling`.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::Event;

/// An event to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TellingMessage {
    /// Publish an event.
    Publish {
        /// The event.
        event: Event,
    },
}
