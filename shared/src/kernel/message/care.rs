//! Work of `connection-care`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::Scope;

/// Work on a connection besides its imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CareMessage {
    /// Keep a connection's grants alive, and see to one that does not work.
    Upkeep {
        /// Of which connection.
        scope: Scope,
        /// The step that this message is for.
        step: u64,
    },
    /// Ask the org what its integration user may see and do.
    Inspect {
        /// Of which connection.
        scope: Scope,
    },
    /// Look at a record through a field mapping.
    PreviewMapping {
        /// Of which connection.
        scope: Scope,
        /// When it was asked for; an older one is stale.
        asked_at: Timestamp,
    },
}

impl CareMessage {
    /// Whose generation the work belongs to, and goes with.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Upkeep { scope, .. }
            | Self::Inspect { scope }
            | Self::PreviewMapping { scope, .. } => *scope,
        }
    }
}
