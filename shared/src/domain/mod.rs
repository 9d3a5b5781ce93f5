//! The words of the field. Pure: no clock, no randomness, no I/O.

mod activity;
mod auto_save;
mod connection;
mod directory;
mod doctor;
mod ids;
mod import_run;
mod match_run;
mod matches;
mod message;
mod permissions;
mod purge;
mod record;
mod scope;
mod sobject;
mod tenant;
mod wizard;

pub use activity::*;
pub use auto_save::*;
pub use connection::*;
pub use directory::*;
pub use doctor::*;
pub use ids::*;
pub use import_run::*;
pub use match_run::*;
pub use matches::*;
pub use message::*;
pub use permissions::*;
pub use purge::*;
pub use record::*;
pub use scope::*;
pub use sobject::*;
pub use tenant::*;
pub use wizard::*;
