//! The whole product in one process: the API, the callback and every queue's work over stores in
//! one folder.

pub mod backup;
pub mod config;
mod console;
pub mod control;
pub mod dead_letters;
pub mod events;
mod folder;
mod http;
pub mod issuer;
pub mod keys;
pub mod logs;
mod metrics;
mod pace;
mod run;
mod stores;
#[cfg(test)]
mod testing;
mod ticks;
mod token;
mod workers;

pub use console::{LinkError, console_link};
pub use http::ListenError;
pub use run::{Running, StartError};
pub use stores::StoresError;
pub use token::{TokenError, token};
