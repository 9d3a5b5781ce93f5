//! Comparisons: each gives a level, and the term frequency evidence of the value agreed on.
//!
//! Invariant: a missing value is the null level, which is no evidence, never disagreement. Fields
//! that depend on each other are one comparison.

mod company;
mod company_name;
mod contradiction;
mod levels;
mod person;
mod person_employment;
mod person_name;
mod place;

pub(crate) use company::CompanyContext;
pub(crate) use company_name::{NameAgreement, agreement_of_names};
pub(crate) use contradiction::Contradiction;
pub(crate) use levels::{
    CompanyComparison, Comparison, PersonComparison, WIDTH, comparisons, doublings, is_discounted,
};
pub use levels::{EmployerEvidence, Levels};
pub(crate) use person::{Met, PersonContext};
