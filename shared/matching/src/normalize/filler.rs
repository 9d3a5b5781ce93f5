//! Fillers: the texts that people type for a missing value.

use crate::text::fold;

/// Texts that people type for a missing value.
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

/// True if folded text is a filler (`N/A`, `[not provided]`) or a masked value rather than a value.
#[must_use]
pub fn is_filler(folded: &str) -> bool {
    FILLERS.contains(&folded)
}

/// Folds a field and drops fillers.
pub(super) fn fold_value(text: Option<&str>) -> Option<String> {
    let folded = fold(text?);
    (!is_filler(&folded)).then_some(folded)
}
