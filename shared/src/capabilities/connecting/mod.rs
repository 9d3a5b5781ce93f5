//! Connecting an org, and keeping the connection alive: authorization, the wizard, permissions, the
//! doctor, upkeep.

mod care;
pub(crate) mod connect;
mod inspections;
pub mod keys;
mod model;
mod seat_authorizations;
pub(crate) mod upkeep;
mod wizard;

pub use care::Care;
pub use connect::{Begun, Connect, ConnectError, Connected, cookie_name, login_host};
pub use inspections::{Diagnosed, InspectionError, Inspections, PermissionState};
pub use model::*;
pub use seat_authorizations::{SeatAuthorization, SeatAuthorizations};
pub use upkeep::Upkeep;
pub use wizard::{AnswerError, WizardProgress, Wizards};
