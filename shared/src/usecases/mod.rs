//! What the functions do: read through the ports, decide in the domain, write through the ports.
//!
//! Every handler may be called twice with the same message, in any order, and may die at any call.

mod activities;
mod auto_save;
mod connect;
mod custody;
mod directory;
mod grants;
mod import;
mod match_runs;
mod purge;
mod salesforce_app;
mod score;
mod settle;
mod upkeep;
mod write_back;

pub use activities::{Activities, ActivityError, NewActivity};
pub use auto_save::AutoSave;
pub use connect::{Begun, Connect, ConnectError, Connected, cookie_name, login_host};
pub use custody::{Custody, Opened};
pub use directory::{Directory, DirectoryError};
pub use grants::{GrantError, Grants};
pub use import::Import;
pub use match_runs::MatchRuns;
pub use purge::{Disconnect, PurgeError};
pub use salesforce_app::SalesforceApp;
pub use score::{Score, ShardFiles};
pub use settle::Settle;
pub use upkeep::Upkeep;
pub use write_back::WriteBack;
