//! Work of `writeback`.

use matching::EntityKind;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{ActivityId, EntityId, Scope, SeatId};

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
    /// Log the activities that waited for an entity's record: it is linked.
    Linked {
        /// Of which connection.
        scope: Scope,
        /// A person or a company.
        entity_kind: EntityKind,
        /// Which one.
        entity: EntityId,
    },
}

impl WritebackMessage {
    /// Whose generation the work belongs to, and goes with.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Activity { scope, .. }
            | Self::Release { scope, .. }
            | Self::Linked { scope, .. } => *scope,
        }
    }
}
