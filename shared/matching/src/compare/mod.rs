//! Comparisons: each gives a level, and the term frequency evidence of the value agreed on.
//!
//! Invariant: a missing value is the null level, which is no evidence, never disagreement; dependent fields are one comparison.

mod company;
mod company_name;
pub(crate) mod person;
mod person_employment;
mod person_name;

pub(crate) use company::{COMPANY_COMPARISONS, CompanyContext};
pub(crate) use company_name::{NameAgreement, compare_company_names, letters_of};
pub(crate) use person::{EMPLOYER, Met, PERSON_COMPARISONS, PersonContext};

/// Most comparisons a kind has.
pub(crate) const WIDTH: usize = 10;

/// A comparison's name and its levels, the null level first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub(crate) name: &'static str,
    pub(crate) levels: &'static [&'static str],
}

/// The levels of one candidate pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Levels {
    /// The level of each comparison.
    pub(crate) level: [u8; WIDTH],
    /// The term frequency evidence of each comparison, in bits: how much rarer than always the agreed value is.
    pub(crate) rarity: [f32; WIDTH],
    /// The position of the directory person that the employer evidence is from: 0 the current one.
    pub(crate) position: u8,
}
