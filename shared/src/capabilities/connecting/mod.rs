//! Connecting an org, and keeping the connection alive.
//!
//! A browser ends only the authorization that it began, and ends it once. A generation begins in
//! one transaction, and no two generations of an environment have the same number. A connection
//! that does not work is tried again for three days, and nothing that waits for it is lost
//! meanwhile.

mod care;
pub(crate) mod connect;
mod inspections;
pub mod keys;
mod model;
mod network_access;
mod seat_authorizations;
pub(crate) mod upkeep;
mod wizard;

pub use care::Care;
pub use connect::{Begun, Connect, ConnectError, Connected, cookie_name, login_host};
pub use inspections::{Diagnosed, InspectionError, Inspections, PermissionState};
pub use model::*;
pub use network_access::NetworkAccess;
pub use seat_authorizations::{SeatAuthorization, SeatAuthorizations};
pub use upkeep::Upkeep;
pub use wizard::{AnswerError, WizardProgress, Wizards};
