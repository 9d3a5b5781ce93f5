#![doc = include_str!("../README.md")]
// describe answers one JSON object of 55 keys for each field.
#![recursion_limit = "256"]

mod call;
mod clock;
mod control;
mod dml;
mod error;
mod faults;
mod grants;
mod ids;
mod jobs;
mod oauth;
mod org;
mod random;
mod reply;
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
pub use faults::{Fault, FaultKind};
pub use grants::{App, AppPolicy, GrantView, RefreshTokenPolicy};
pub use org::{
    DuplicateRule, FieldPermission, LoadError, ObjectPermission, OrgSettings, Profile,
    ValidationRule, WriteEntry,
};
pub use server::TlsError;
pub use simulator::{Simulator, SimulatorOptions, StartError};
pub use world::RequestEntry;
