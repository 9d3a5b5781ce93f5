//! String similarity, wrapped in one place so that it can be swapped.
//!
//! Most compared words have little in common. Their letters as sets show that at a fraction of the
//! cost, and never wrongly. A letter that the other word lacks costs at least one edit, and cannot
//! be matched.

use rapidfuzz::distance::{jaro_winkler, osa};

/// The letters of folded words as a set; digits share the places of letters, spaces have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Letters(pub(crate) u32);

impl Letters {
    /// The letters of some words.
    pub(crate) fn of(words: &[u8]) -> Self {
        Self(words.iter().fold(0, |set, byte| set | 1 << (byte & 31)) & !1)
    }

    /// The number of these letters that the other lacks.
    pub(crate) fn missing(self, other: Self) -> usize {
        (self.0 & !other.0).count_ones() as usize
    }
}

/// The letters of words and how many they are, spaces apart.
pub(crate) fn letters_of(words: &[u8]) -> (Letters, usize) {
    (Letters::of(words), words.iter().filter(|byte| **byte != b' ').count())
}

/// Edits (insert, delete, replace, swap of neighbours) between two words, or `None` over `limit`.
#[must_use]
pub(crate) fn edits(left: &[u8], right: &[u8], limit: usize) -> Option<usize> {
    if left.len().abs_diff(right.len()) > limit {
        return None;
    }
    let letters = (Letters::of(left), Letters::of(right));
    if letters.0.missing(letters.1).max(letters.1.missing(letters.0)) > limit {
        return None;
    }
    osa::distance_with_args(
        left.iter().copied(),
        right.iter().copied(),
        &osa::Args::default().score_cutoff(limit),
    )
}

/// True if the Jaro–Winkler similarity of two words reaches a bar.
#[must_use]
pub(crate) fn jaro_winkler_reaches(left: &[u8], right: &[u8], bar: f64) -> bool {
    let letters = (Letters::of(left), Letters::of(right));
    may_reach((letters.0, left.len()), (letters.1, right.len()), bar)
        && jaro_winkler::similarity(left.iter().copied(), right.iter().copied()) >= bar
}

/// True if the Jaro–Winkler similarity of words of these letters and lengths may reach a bar.
///
/// Jaro's similarity is at most (m/a + m/b + 1) / 3 if m of the letters of lengths a and b match. A
/// common start adds at most 0.4 of the rest to 1.
#[allow(clippy::cast_precision_loss, reason = "a word has few letters")]
pub(crate) fn may_reach(left: (Letters, usize), right: (Letters, usize), bar: f64) -> bool {
    let matching = |one: (Letters, usize), other: (Letters, usize)| {
        one.1.saturating_sub(one.0.missing(other.0)) as f64
    };
    let (most, lengths) =
        (matching(left, right).min(matching(right, left)), (left.1 as f64, right.1 as f64));
    let jaro = (bar - 0.4) / 0.6;
    most * (lengths.0 + lengths.1) >= (3.0 * jaro - 1.0 - 1e-9) * lengths.0 * lengths.1
}

/// Edits that are a slip of the finger at this length: none under 4 letters, one under 8, else two.
#[must_use]
pub(crate) fn slips(length: usize) -> usize {
    match length {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// True if two words differ by no more than [`slips`] of the shorter.
#[must_use]
pub(crate) fn is_slip(left: &[u8], right: &[u8]) -> bool {
    let limit = slips(left.len().min(right.len()));
    limit > 0 && edits(left, right, limit).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn letters_never_rule_out_what_is_alike(
            left in "[a-f0-3]{0,12}",
            right in "[a-f0-3]{0,12}",
            limit in 1..4_usize,
        ) {
            let (left, right) = (left.as_bytes(), right.as_bytes());
            let args = osa::Args::default().score_cutoff(limit);
            prop_assert_eq!(
                edits(left, right, limit),
                osa::distance_with_args(left.iter().copied(), right.iter().copied(), &args)
            );
            let similarity = jaro_winkler::similarity(left.iter().copied(), right.iter().copied());
            for bar in [0.85, 0.92, 0.94] {
                prop_assert_eq!(jaro_winkler_reaches(left, right, bar), similarity >= bar);
            }
        }
    }
}
