//! Publishing a directory: a full export becomes a version of a deployment, sent as a delta where
//! the last one is remembered.

mod export;
mod fingerprints;
mod parts;
mod plan;
mod send;
mod state;
#[cfg(test)]
mod tests;

pub use export::{Export, Scanned};
pub use fingerprints::{Difference, Fingerprint};
pub use parts::{Part, Parts};
pub use plan::{Changes, KINDS, Way, Why, check_gone, plural, table};
pub use send::{Sent, adopt, send};
pub use state::{Description, Entities, State};
