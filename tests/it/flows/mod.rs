//! The main job in one process, the whole way and with every kind of trouble on it.

mod batches;
mod callbacks;
mod canary;
mod connection;
mod environments;
mod events;
mod exports;
mod fences;
mod field;
mod following;
mod inputs;
mod killed;
mod leaving;
mod logins;
pub(crate) mod main_job;
mod meanwhile;
mod moving;
mod objects;
mod observe;
mod offboarding;
pub(crate) mod org;
mod persons;
mod saving;
mod sellers;
mod troubled;
mod unsealed;
mod writing;
