//! Badges: whether people or companies are in the CRM, as which record, and what of it is out of
//! date.
//!
//! The link is what settling last stored; the record is as the last import read it; the entity is
//! as the current directory version has it. A badge holds no field of the record: every seat sees
//! it, whatever the seat may see in the CRM.

mod filter;
mod model;
mod show;

pub use filter::{CrmFilter, FilterError, FilterPage};
pub use model::{Badge, BadgeState, CrmLink, OutdatedFact};
pub use show::{BadgeError, BadgePage, Badges, MOST_BADGES};
pub(crate) use show::{News, employer_of, employers_accounts};
