//! Changes: leads, contacts and accounts that sellers create, update and take back in the CRM, as
//! themselves.
//!
//! A change is made once in effect. It is checked against the org as the seller sees it, claimed,
//! made, and read back; what was there before is kept, so that it can be undone. One that waits for
//! a login is made after it. A record that a seller created for a person is that person's match.

mod bulk;
mod described;
mod fields;
pub mod keys;
mod model;
mod show;
mod steps;
mod take_in;
mod take_over;
mod undo;
mod worklist;
mod writes;

pub use bulk::{Bulk, BulkOutcome, MOST_IN_BULK};
pub use described::{code_beside, controller_of};
pub use fields::{FieldProblem, policy_of, updatable_fields};
pub use model::*;
pub use show::ChangePage;
pub use steps::ChangeSteps;
pub use take_in::{ChangeError, Changes, NewChange};
pub use worklist::{Proposal, Worklist, WorklistError, WorklistItem, Worklists};
pub use writes::Writes;
