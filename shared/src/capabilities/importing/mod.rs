//! Importing an org: runs, the objects of a run, and the choice of what is imported.
//!
//! A run reads the objects one step at a time; no step waits inside an invocation. A step reads the
//! object's progress, does one thing, and replaces the progress together with the message of the
//! next step, unless somebody else has replaced it. So a second delivery of a message does nothing,
//! and a step that was killed is taken again. Whatever is read is stored before it lands: a step
//! that lands again lands the same rows.
//!
//! It promises that, once a run went through undisturbed, our records equal the rows that the
//! integration user sees and the admin chose. One run at a time works on a connection: it holds a
//! lease, and a run without its lease takes no step and moves no watermark.

mod begin;
mod clear;
mod control;
mod fixes;
mod follow;
mod hand_over;
mod import;
pub mod keys;
mod land_row;
mod lease;
mod model;
mod object;
mod preview;
mod runs;
mod selections;

pub(crate) use begin::scheduled_import;
pub use control::ControlError;
pub use fixes::fix_of;
pub use import::Import;
pub(crate) use land_row::land_row;
pub use model::*;
#[cfg(test)]
pub(crate) use object::{GoneRow, PageIndex};
pub use object::{ROWS_READ, imported_record};
pub(crate) use object::{org_fields, org_record_types};
pub use preview::Previews;
pub use runs::{RunList, RunReport, RunWithObjects, Runs};
pub use selections::{SelectionError, Selections};
