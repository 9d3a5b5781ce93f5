//! The console: pages on which a customer's admin connects an org, and sees what comes of it.
//!
//! Every page asks the routes of the API, within the process and as the person who looks: so the
//! guards, the limits, the checks and the audit log are the API's own, and no page knows more than
//! its reader may ask for. The console keeps nothing but sessions.

mod ask;
mod assets;
mod frame;
mod guard;
mod login;
mod openid;
mod pages;
mod router;
mod state;
mod trouble;
mod words;

#[cfg(test)]
mod tests;

pub use openid::{OpenId, OpenIdClient};
pub use router::router;
pub use state::Console;
