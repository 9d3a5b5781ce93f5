//! Who changes something, and when: an id, never a name.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::SeatId;

/// The author of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Author {
    /// The product's own back end.
    Service,
    /// Somebody with a seat.
    Seat {
        /// The seat.
        seat: SeatId,
    },
    /// An admin without a seat.
    Admin {
        /// The subject of the token; none for a token without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
    },
}

impl Author {
    /// The seat, for somebody who has one.
    #[must_use]
    pub fn seat(&self) -> Option<SeatId> {
        match self {
            Self::Seat { seat } => Some(*seat),
            Self::Service | Self::Admin { .. } => None,
        }
    }

    /// The id that a choice is signed with: a seat's, or the subject of a token.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Service => None,
            Self::Seat { seat } => Some(seat.to_string()),
            Self::Admin { subject } => subject.clone(),
        }
    }
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Author,
}
