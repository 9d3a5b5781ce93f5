//! The words of connecting. Pure.

mod doctor;
mod permissions;
mod wizard;

pub use doctor::*;
pub use permissions::*;
pub use wizard::*;
