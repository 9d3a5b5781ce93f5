//! Saving for sellers what belongs to their open opportunities, and what they own or work with.
//!
//! The rules save the entity that a record is matched to, into a list of the seller's seat. An
//! admin says which rules may hold, and each seller leaves out what they do not want. What was
//! saved stays, unless an admin grants it a number of days after which it goes when no rule calls
//! for it any more, or undoes what was saved under one revision of the settings. A list has an end,
//! and says when something is left out. When an admin changes the rules, they are applied to
//! everything that is imported already. Who is merged into another in the directory is saved as
//! that one, and who is gone from it is not saved.

mod auto_save;
mod concerned;
mod dry_run;
pub mod keys;
mod lists;
mod model;
mod tally;
mod undo;

pub use auto_save::AutoSave;
pub(crate) use concerned::contacts_in;
pub use dry_run::{DryRun, DryRunError, DryRuns, Example, Forecast, SeatForecast};
pub use lists::{Fill, FillPage, SavedError, SavedLists, SavedPage};
pub use model::*;
pub use undo::{UndoSaving, UndoingError};
