//! The opportunities of an account, as a seat may see them, and who left a seat's own.
//!
//! What is shown is as the last import read it. Whether the org would show an opportunity to a
//! seat's CRM user, the import tells only in part: by who owns it, by the roles above, and by the
//! account's team. So the panel holds what the org surely shows, and never more; what the org shows
//! by sharing rules alone is left out.

mod left;
mod model;
mod panel;
mod rows;

pub use left::{Left, LeftError, LeftPage, WhoLeft};
pub use model::*;
pub use panel::{OpportunityPanel, OpportunityPanels};
pub use rows::AccountRow;
