//! Who changed something, as an answer tells it.

use serde::Serialize;
use shared::kernel::{self, SeatId};
use utoipa::ToSchema;

use crate::wire;

/// The author of a change: the back end, a seat, or an admin without one.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Author {
    Service,
    Seat {
        #[schema(value_type = wire::SeatId)]
        seat_id: SeatId,
    },
    Admin {
        /// The subject of the token.
        #[schema(required = true)]
        subject: Option<String>,
    },
}

impl From<kernel::Author> for Author {
    fn from(author: kernel::Author) -> Self {
        match author {
            kernel::Author::Service => Self::Service,
            kernel::Author::Seat { seat } => Self::Seat { seat_id: seat },
            kernel::Author::Admin { subject } => Self::Admin { subject },
        }
    }
}
