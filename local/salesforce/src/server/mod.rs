//! The way in: listeners, TLS, hosts, and the faults that a test has planned.

mod fault;
mod host;
mod listener;
mod tls;

pub use fault::{Fault, FaultKind};
pub(crate) use fault::{FaultPlan, Played};
pub(crate) use host::Host;
pub(crate) use listener::{Peer, always, serve};
pub(crate) use tls::Identity;
pub use tls::TlsError;
