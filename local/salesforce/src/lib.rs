#![doc = include_str!("../README.md")]
// describe answers one JSON object of 55 keys for each field.
#![recursion_limit = "256"]

mod call;
mod clock;
mod control;
mod dml;
mod ids;
mod oauth;
mod org;
mod rest;
mod schema;
mod server;
mod service;
mod simulator;
mod soql;
mod storage;
mod sync;
mod world;

pub use control::{Control, ControlError};
pub use oauth::{App, AppPolicy, GrantView, RefreshTokenPolicy};
pub use org::{
    DuplicateRule, FieldPermission, LoadError, ObjectPermission, OrgSettings, Profile,
    ValidationRule, WriteEntry,
};
pub use server::{Fault, FaultKind, TlsError};
pub use simulator::{Simulator, SimulatorOptions, StartError};
pub use world::RequestEntry;
