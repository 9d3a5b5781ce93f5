//! The words of the field. Pure: no clock, no randomness, no I/O.

mod activity;
mod auto_save;
mod connection;
mod correction;
mod directory;
mod ids;
mod import_run;
mod import_settings;
mod match_run;
mod matches;
mod message;
mod model;
mod purge;
mod record;
mod scope;
mod sobject;
mod tenant;

pub use activity::*;
pub use auto_save::*;
pub use connection::*;
pub use correction::*;
pub use directory::*;
pub use ids::*;
pub use import_run::*;
pub use import_settings::*;
pub use match_run::*;
pub use matches::*;
pub use message::*;
pub use model::*;
pub use purge::*;
pub use record::*;
pub use scope::*;
pub use sobject::*;
pub use tenant::*;
