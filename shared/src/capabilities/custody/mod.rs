//! Keys, secrets and grants: what opens a generation's data, and what calls its org.

mod generation;
pub(crate) mod grants;
pub mod keys;
mod salesforce_app;
mod ttl_cache;

pub(crate) use generation::{ConnectionSecret, StoredGrant};
pub use generation::{Custody, OpenGeneration};
pub use grants::{GrantError, Grants};
pub use salesforce_app::SalesforceApp;
