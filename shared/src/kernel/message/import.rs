//! Work of `bulk-import`.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{ImportRunId, SObject, Scope};

/// The cause of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportTrigger {
    /// The org was just connected.
    Connected,
    /// The slot of the schedule.
    Scheduled,
    /// A person or the operator asked.
    Requested,
    /// A person or the operator asked for every row to be read.
    Full,
}

/// A step of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind")]
pub enum ImportMessage {
    /// Begin an import run.
    #[serde(rename = "import_start")]
    #[strum(serialize = "import_start")]
    Start {
        /// Of which connection.
        scope: Scope,
        /// The run; derived from its slot, so that a second start of the same slot is the same run.
        run: ImportRunId,
        /// Why.
        trigger: ImportTrigger,
    },
    /// Take the next step of one object's import.
    #[serde(rename = "import_object")]
    #[strum(serialize = "import_object")]
    Object {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: ImportRunId,
        /// Which object.
        object: SObject,
        /// The step that this message is for; an older one is stale.
        step: u64,
    },
    /// Hand what a run changed to matching and auto-save, page by page.
    #[serde(rename = "import_hand_over")]
    #[strum(serialize = "import_hand_over")]
    HandOver {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: ImportRunId,
        /// The step that this message is for.
        step: u64,
    },
    /// Delete what a run that ended left in the object store.
    #[serde(rename = "import_clear")]
    #[strum(serialize = "import_clear")]
    Clear {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: ImportRunId,
    },
}

impl ImportMessage {
    /// Whose generation the work belongs to, and goes with.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Start { scope, .. }
            | Self::Object { scope, .. }
            | Self::HandOver { scope, .. }
            | Self::Clear { scope, .. } => *scope,
        }
    }
}
