//! String similarity, wrapped in one place so that it can be swapped.

use rapidfuzz::distance::{jaro_winkler, osa};

/// Edits (insert, delete, replace, swap of neighbours) between two words, or `None` over `limit`.
#[must_use]
pub(crate) fn edits(left: &[u8], right: &[u8], limit: usize) -> Option<usize> {
    if left.len().abs_diff(right.len()) > limit {
        return None;
    }
    osa::distance_with_args(
        left.iter().copied(),
        right.iter().copied(),
        &osa::Args::default().score_cutoff(limit),
    )
}

/// Jaro–Winkler similarity of two words, 0 to 1.
#[must_use]
pub(crate) fn jaro_winkler(left: &[u8], right: &[u8]) -> f64 {
    jaro_winkler::similarity(left.iter().copied(), right.iter().copied())
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

/// Whether two words differ by no more than [`slips`] of the shorter.
#[must_use]
pub(crate) fn is_slip(left: &[u8], right: &[u8]) -> bool {
    let limit = slips(left.len().min(right.len()));
    limit > 0 && edits(left, right, limit).is_some()
}
