//! What sellers do: taken in by the API, and written back to the CRM as the seller.

pub mod keys;
mod model;
pub(crate) mod take_in;
mod write_back;

pub use model::*;
pub use take_in::{Activities, ActivityError, NewActivity};
pub use write_back::WriteBack;
