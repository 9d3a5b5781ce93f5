//! What the functions do: read through the ports, decide in the domain, write through the ports.
//!
//! Every handler may be called twice with the same message, in any order, and may die at any call.

pub(crate) mod activities;
mod auto_save;
pub(crate) mod connect;
mod corrections;
pub(crate) mod custody;
pub(crate) mod directory;
mod directory_files;
mod entities;
pub(crate) mod grants;
pub(crate) mod import;
pub(crate) mod match_runs;
mod match_steps;
pub(crate) mod models;
mod purge;
mod salesforce_app;
mod score;
mod selections;
pub(crate) mod settle;
mod ttl_cache;
pub(crate) mod upkeep;
mod write_back;

#[cfg(test)]
mod histories_tests;

pub use activities::{Activities, ActivityError, NewActivity};
pub use auto_save::AutoSave;
pub use connect::{Begun, Connect, ConnectError, Connected, cookie_name, login_host};
pub use corrections::{CorrectionError, Corrections};
pub use custody::{Custody, Opened};
pub use directory::{Directory, DirectoryError};
pub use directory_files::{DirectoryFile, HeldFile, ShardFiles};
pub use grants::{GrantError, Grants};
pub use import::{Import, SteerError, imported_record};
pub use match_steps::MatchSteps;
pub use models::{ExplainedCandidate, ModelError, Models, WeighedComparison};
pub use purge::{Disconnect, PurgeError};
pub use salesforce_app::SalesforceApp;
pub use selections::{SelectionError, Selections};
pub use upkeep::Upkeep;
pub use write_back::WriteBack;
