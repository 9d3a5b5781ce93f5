//! The way in: listeners, TLS and hosts.

mod host;
mod listener;
mod tls;

pub(crate) use host::Host;
pub(crate) use listener::{Peer, always, serve};
pub(crate) use tls::Identity;
pub use tls::TlsError;
