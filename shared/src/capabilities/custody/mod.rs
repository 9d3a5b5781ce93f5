//! Custody of keys, secrets and grants.
//!
//! [`Custody`] opens a generation's data, and [`Grants`] calls its org. A generation opens only
//! while its connection is live: after a disconnect, every caller but the purge finds it closed.
//! One process at a time renews a token, and a token is stored before it is used.

mod cursor;
mod ending;
mod generation;
pub(crate) mod grants;
pub mod keys;
mod leaving;
mod login;
mod lookup;
mod model;
mod open;
mod salesforce_app;
mod secret;
mod ttl_cache;

pub use cursor::CursorError;
pub(crate) use ending::end_seat_grant;
pub use generation::OpenGeneration;
pub(crate) use grants::Replaced;
pub use grants::{GrantError, Grants};
pub(crate) use leaving::LeavingGrants;
pub(crate) use login::KeptLogin;
#[cfg(test)]
pub(crate) use login::Login;
pub use lookup::LookupError;
pub(crate) use lookup::unfenced;
pub use open::Custody;
pub(crate) use open::unread;
pub use salesforce_app::SalesforceApp;
#[cfg(test)]
pub(crate) use secret::WrappedKeys;
pub(crate) use secret::{ConnectionSecret, StoredGrant};
pub(crate) use ttl_cache::TtlCache;
