//! The audit log: who did what when, one chain a tenant.
//!
//! An entry is written in the transaction of the deed that it tells of, and holds the hash of the
//! entry before it. Nothing changes or deletes one. A chain that was edited, shortened, reordered
//! or cut off does not check: [`check`] says where. An entry holds ids, and no person's data.

pub mod keys;
mod log;
mod model;
mod verify;

pub use log::{AuditError, AuditFilter, AuditLog, AuditPage, KEPT};
pub use model::*;
pub use verify::{Broken, Checked, check};
