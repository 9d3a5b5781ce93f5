//! Normalisation of names, companies, mail addresses, phones, web sites, places and titles.
//!
//! Invariant: every normal form is a function of the field's text alone, and normalising a normal form gives it back.

mod company;
mod contact_point;
mod name;
mod place;
mod title;

pub use company::CompanyName;
pub(crate) use company::{acronym, slug_key};
pub use contact_point::{Domain, Mailbox, mail_addresses, phone_key, phone_parts, web_domain};
pub use name::{NameKind, PersonName};
pub use place::Place;
pub use title::Title;

use crate::text::fold;

/// Fillers that people type where a value is missing.
const FILLERS: [&str; 27] = [
    "",
    "na",
    "n a",
    "none",
    "null",
    "nil",
    "unknown",
    "not provided",
    "not available",
    "not applicable",
    "tbd",
    "tba",
    "missing",
    "undefined",
    "unspecified",
    "not specified",
    "no name",
    "no company",
    "no last name",
    "self employed",
    "selfemployed",
    "xxx",
    "xx",
    "x",
    "retired",
    "freelance",
    "independent",
];

/// Whether folded text is a filler (`N/A`, `[not provided]`) or a masked value rather than a value.
#[must_use]
pub fn is_filler(folded: &str) -> bool {
    FILLERS.contains(&folded)
}

/// Folds a field and drops fillers.
pub(crate) fn fold_value(text: Option<&str>) -> Option<String> {
    let folded = fold(text?);
    (!is_filler(&folded)).then_some(folded)
}
