//! The words that several capabilities share. Pure: no clock, no randomness, no I/O.

mod address;
mod asked;
mod author;
mod connection;
mod contact;
mod email;
mod entity_kind;
mod event;
mod fields;
mod ids;
mod message;
mod record;
mod scope;
mod sobject;

pub use address::*;
pub use asked::*;
pub use author::*;
pub use connection::*;
pub use contact::*;
pub use email::*;
pub use entity_kind::*;
pub use event::*;
pub use fields::*;
pub use ids::*;
pub use message::*;
pub use record::*;
pub use scope::*;
pub use sobject::*;
