//! Random numbers that stay the same in every version.
//!
//! A generated set is named by its seed in reports, so the numbers must outlive any library's
//! choices: this is `SplitMix64` (Steele, Lea and Flood, 2014), fixed here in a few lines.

/// A stream of random numbers for one thing: the n-th person, the n-th lead.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The stream of thing `index` of a kind: any thing can be made again without the others.
    pub(super) fn of(seed: u64, kind: u64, index: u64) -> Self {
        Self(mix(seed ^ mix(kind.wrapping_mul(STEP) ^ mix(index.wrapping_add(STEP)))))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below `n`, which is above 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(n.max(1));
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// An index below `n`.
    pub(super) fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap_or(0)
    }

    /// A number from 0 up to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Any item, all alike.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.index(items.len())]
    }

    /// An index below `n` where low ones come far more often, as with surnames and employers.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the index is below n, and n is far below 2^52"
    )]
    pub(super) fn skewed(&mut self, n: u64, power: f64) -> u64 {
        let at = (self.unit().powf(power) * n as f64) as u64;
        at.min(n.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_never_change() {
        let mut random = Random::of(42, 1, 7);
        let first = [random.next(), random.next()];
        assert_eq!(first, [1_467_056_958_988_773_290, 14_557_002_170_798_982_941]);
    }

    #[test]
    fn low_indexes_come_more_often() {
        let mut random = Random::of(1, 1, 1);
        let low = (0..1000).filter(|_| random.skewed(100, 3.0) < 10).count();
        assert!((400..560).contains(&low), "{low}");
    }
}
