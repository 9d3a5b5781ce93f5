//! Work of `writeback`.

use matching::EntityKind;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{ActivityId, ChangeId, EntityId, Scope, SeatId};

/// What sellers do, to be written into the CRM.
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
    /// Create or update one record in the CRM.
    Change {
        /// Of which connection.
        scope: Scope,
        /// Whose change.
        seat: SeatId,
        /// The change.
        change: ChangeId,
    },
    /// Go on with what waited for a login or for the connection: there is a grant again.
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
            | Self::Change { scope, .. }
            | Self::Release { scope, .. }
            | Self::Linked { scope, .. } => *scope,
        }
    }
}
