//! The main job in one process, the whole way and with every kind of trouble on it.

mod canary;
mod connection;
mod events;
mod following;
mod killed;
mod leaving;
mod logins;
pub(crate) mod main_job;
mod moving;
mod observe;
pub(crate) mod org;
mod persons;
mod saving;
mod troubled;
mod unsealed;
