//! Activities: what sellers do, taken in by the API and logged in the CRM in the seller's name.
//!
//! An activity is logged once in effect, and those about one record are logged in their order. One
//! that cannot be logged yet waits for the person who can change that, and holds up nobody else.

mod edges;
mod fixes;
mod hold;
pub mod keys;
mod kind;
mod lanes;
mod model;
mod new_activity;
mod retroactive;
mod row;
mod same;
mod standing;
mod steer;
mod take_in;
mod take_over;
mod target;
mod wish;
mod write_back;

pub use edges::{SeatEntry, SeatList};
pub use fixes::{Fix, WhoActs, explain, fix_of};
pub(crate) use hold::reason_to_wait;
pub use kind::{ActivityKind, CallSource, CrmObject};
pub use model::*;
pub use new_activity::NewActivity;
pub use retroactive::{AlikeRow, MOST_RETROACTIVE, Retroactive};
pub(crate) use row::note_row;
pub use row::{CrmRow, RowMaking, crm_row};
pub use standing::{ActivityPage, FailureGroup, Failures, ListError};
pub use steer::{Retried, SteerError};
pub use take_in::{Activities, ActivityError};
pub use wish::{Conversation, LogWish, Remembered};
pub use write_back::WriteBack;
pub(crate) use write_back::create_row;
