//! Leaving: a connection is disconnected, and everything that it brought in is purged, provably.
//!
//! The fence goes up first: from then on no function opens the generation. The first step of the
//! purge seals the grants anew under a key of the purge and destroys the connection's secret: the
//! data is unreadable from then on, whatever else happens. Then everything is deleted, while the
//! grants are given back to Salesforce, however long it is down. The purge waits until each
//! function that was at work at the fence has run out, and looks at everything once more. Only a
//! count of zero makes a certificate.
//!
//! A seat's grant can be ended alone, a seat be removed with all that is its own, and a tenant once
//! nothing of its connections is left.
//!
//! Every part keeps its progress: a purge that is killed, or runs out of its time, goes on where it
//! stopped.

mod disconnect;
mod give_back;
pub mod keys;
mod logins;
mod model;
mod offboarding;
mod replaced;
mod shred;
mod steps;
mod sweep;
#[cfg(test)]
mod tests;
mod unborn;

pub use disconnect::{Disconnect, PurgeError};
pub use model::*;
pub use offboarding::{Offboarding, OffboardingError};
pub use steps::PurgeSteps;
