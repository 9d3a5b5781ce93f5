//! Customer contracts and their seats.

pub mod keys;
mod model;
mod tenants;
mod votes;

pub use model::*;
pub use tenants::{NewSeat, TenantError, Tenants};
pub use votes::{CrmVotes, VoteError, Voted};
