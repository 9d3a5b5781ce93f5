//! Leaving: a connection is disconnected, and everything that it brought in is purged, provably.

mod disconnect;
pub mod keys;
mod model;

pub use disconnect::{Disconnect, PurgeError};
pub use model::*;
