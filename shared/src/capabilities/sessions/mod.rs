//! Sessions of the console: who is logged in, until when, and how all of it ends at once.
//!
//! A person's sessions and the links that they have used are one document. So a link opens one
//! session, however often it is followed and on however many instances; and to log out everywhere
//! is to empty the list. A cookie holds a secret of which only the hash is kept.

pub mod keys;
mod model;
mod open;

pub use model::*;
pub use open::{SessionError, Sessions};
