//! Leaving: a connection is disconnected, and everything that it brought in is purged, provably.
//!
//! The fence goes up first: from then on no function opens the generation. Then the purge revokes
//! the grants, counts everything, deletes it and destroys the data key. It waits until each
//! function that was at work at the fence has run out, and looks at everything once more. Only a
//! count of zero makes a certificate.

mod disconnect;
pub mod keys;
mod model;
mod revoke;
mod sweep;

pub use disconnect::{Disconnect, PurgeError};
pub use model::*;
