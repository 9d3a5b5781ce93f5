//! The capabilities of the product, a folder for each.
//!
//! A capability holds its own words (`model`, pure), its verbs and its stored documents. Verbs read
//! through the ports, decide in the model and write through the ports. A verb may be called twice
//! with the same message, in any order, and may die at any call.
//!
//! Capabilities form a graph without circles, which `tests/it/tidy.rs` checks.

pub mod activities;
pub mod answers;
pub mod asking;
pub mod audit;
pub mod backlog;
pub mod badges;
pub mod break_glass;
pub mod changing;
pub mod connecting;
pub mod custody;
pub mod directory;
pub mod exporting;
pub mod importing;
pub mod leaving;
pub mod limits;
pub mod linking;
pub mod lists;
pub mod moving;
pub mod opportunities;
pub mod saving;
pub mod seats;
pub mod sessions;
pub mod settings;
pub mod telling;
