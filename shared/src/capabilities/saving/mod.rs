//! Saving accounts and contacts of open opportunities for their owners.

mod auto_save;
pub mod keys;
mod lists;
mod model;

pub use auto_save::AutoSave;
pub use lists::{SavedLists, SavedPage};
pub use model::*;
