//! Sessions of the console: who is logged in, until when, and how all of it ends at once.
//!
//! A person's sessions are one document: to log out everywhere is to empty it. A link is a document
//! of its own, which goes in the transaction that begins its session. So it opens one session,
//! however often it is followed and on however many instances. Of the secrets that cookies and
//! links bear only the hashes are kept.

pub mod keys;
mod model;
mod open;

pub use model::*;
pub use open::{SessionError, Sessions};
