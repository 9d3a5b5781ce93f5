//! Work on exports. It is done by `match-shard`, which may read what a generation holds and write
//! objects.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::{MatchMessage, Message};
use crate::kernel::{ExportId, Scope};

/// A step of a large answer that is written as files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind")]
pub enum ExportMessage {
    /// Write the next rows.
    #[serde(rename = "export_step")]
    #[strum(serialize = "export_step")]
    Step {
        /// Of which connection.
        scope: Scope,
        /// Of which export.
        export: ExportId,
        /// The step that this message is for; an older one is stale.
        step: u64,
    },
    /// Delete the files: their day is over.
    #[serde(rename = "export_clear")]
    #[strum(serialize = "export_clear")]
    Clear {
        /// Of which connection.
        scope: Scope,
        /// Of which export.
        export: ExportId,
    },
}

impl ExportMessage {
    /// Whose generation the work belongs to, and goes with.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Step { scope, .. } | Self::Clear { scope, .. } => *scope,
        }
    }
}

/// What waits in the queue of `match-shard`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum MatchShardMessage {
    /// A step of matching.
    Match(MatchMessage),
    /// A step of an export.
    Export(ExportMessage),
}

impl From<MatchShardMessage> for Message {
    fn from(message: MatchShardMessage) -> Self {
        match message {
            MatchShardMessage::Match(message) => message.into(),
            MatchShardMessage::Export(message) => message.into(),
        }
    }
}
