//! How often pairs are at each level.

use crate::compare::{Levels, WIDTH, comparisons};
use crate::entity::EntityKind;
use crate::model::DEPTH;

/// The weighted number of pairs at each level of each comparison; shares leave the null level out.
pub(crate) struct Shares {
    sums: [[f64; DEPTH]; WIDTH],
    levels: [usize; WIDTH],
}

impl Shares {
    pub(crate) fn new(kind: EntityKind) -> Self {
        let mut levels = [0; WIDTH];
        for (count, comparison) in levels.iter_mut().zip(comparisons(kind)) {
            *count = comparison.levels.len();
        }
        Self { sums: [[0.0; DEPTH]; WIDTH], levels }
    }

    pub(crate) fn of<'a>(pairs: impl Iterator<Item = (&'a Levels, f64)>, kind: EntityKind) -> Self {
        let mut shares = Self::new(kind);
        for (levels, weight) in pairs {
            shares.add(levels, weight);
        }
        shares
    }

    pub(crate) fn add(&mut self, levels: &Levels, weight: f64) {
        for (row, level) in self.sums.iter_mut().zip(levels.level) {
            row[usize::from(level) % DEPTH] += weight;
        }
    }

    /// A level's share of the pairs that are not at the null level, smoothed by half a pair.
    pub(crate) fn share(&self, comparison: usize, level: usize) -> f64 {
        let known: f64 = self.sums[comparison][1..].iter().sum();
        (self.sums[comparison][level] + 0.5) / (known + 0.5 * self.levels[comparison] as f64)
    }

    /// The share of the pairs that are not at the null level.
    pub(crate) fn known(&self, comparison: usize) -> f64 {
        let all: f64 = self.sums[comparison].iter().sum();
        if all > 0.0 { 1.0 - self.sums[comparison][0] / all } else { 0.0 }
    }

    /// The weighted number of pairs at each level, the null level first.
    pub(crate) fn counts(&self, comparison: usize) -> &[f64] {
        &self.sums[comparison]
    }
}
