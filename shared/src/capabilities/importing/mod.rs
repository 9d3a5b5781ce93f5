//! Importing an org: runs, the objects of a run, and the choice of what is imported.

pub(crate) mod import;
pub mod keys;
mod model;
mod preview;
mod runs;
mod selections;

pub use import::{Import, SteerError, imported_record};
pub(crate) use import::{org_fields, scheduled_import};
pub use model::*;
pub use preview::Previews;
pub use runs::{RunList, RunReport, RunWithObjects, Runs};
pub use selections::{SelectionError, Selections};
