//! Connecting an org, and keeping the connection alive: authorization, the wizard, permissions, the
//! doctor, upkeep.

mod care;
pub(crate) mod connect;
pub mod keys;
mod model;
pub(crate) mod upkeep;

pub use care::Care;
pub use connect::{Begun, Connect, ConnectError, Connected, cookie_name, login_host};
pub use model::*;
pub use upkeep::Upkeep;
