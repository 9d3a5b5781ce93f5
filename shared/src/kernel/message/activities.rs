//! Work of `writeback`.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{ActivityId, Scope, SeatId};

/// Activities to log in the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WritebackMessage {
    /// Log one activity in the CRM.
    #[serde(rename = "writeback")]
    #[strum(serialize = "writeback")]
    Activity {
        /// Of which connection.
        scope: Scope,
        /// The activity.
        activity: ActivityId,
    },
    /// Log the activities that waited for a login or for the connection: there is a grant again.
    Release {
        /// Of which connection.
        scope: Scope,
        /// Of one seat, or of all.
        seat: Option<SeatId>,
    },
}

impl WritebackMessage {
    /// Whose generation the work belongs to, and goes with.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Activity { scope, .. } | Self::Release { scope, .. } => *scope,
        }
    }
}
