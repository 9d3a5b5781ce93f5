//! The words of linking. Pure.

mod correction;
mod match_run;
mod matches;
mod tuned_model;

pub use correction::*;
pub use match_run::*;
pub use matches::*;
pub use tuned_model::*;
