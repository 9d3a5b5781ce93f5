//! The words of linking. Pure.

mod correction;
mod match_run;
mod matches;
mod probe;
mod rules;
mod tuned_model;

pub use correction::*;
pub use match_run::*;
pub use matches::*;
pub(crate) use probe::{crm_account, crm_person, probe_of};
pub use rules::*;
pub use tuned_model::*;
