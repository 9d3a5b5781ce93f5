//! The main job in one process, the whole way and with every kind of trouble on it.

mod canary;
mod connection;
mod events;
mod following;
mod killed;
mod leaving;
mod main_job;
mod moving;
mod observe;
mod org;
mod persons;
mod troubled;
