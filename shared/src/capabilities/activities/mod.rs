//! Activities: what sellers do, taken in by the API and logged in the CRM in the seller's name.
//!
//! An activity is logged once in effect, and those about one record are logged in their order. One
//! that cannot be logged yet waits for the person who can change that, and holds up nobody else.

mod hold;
pub mod keys;
mod model;
mod row;
mod take_in;
mod take_over;
mod target;
mod write_back;

pub(crate) use hold::reason_to_wait;
pub use model::*;
pub use row::{CrmRow, crm_row};
pub use take_in::{Activities, ActivityError, NewActivity};
pub use write_back::WriteBack;
