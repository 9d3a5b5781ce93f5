//! The words and decisions of connecting. Pure.

mod doctor;
mod permissions;
mod upkeep;
mod wizard;

pub use doctor::*;
pub use permissions::*;
pub(crate) use upkeep::*;
pub use wizard::*;
