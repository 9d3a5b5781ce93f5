//! A seeded generator of our own, so that the bytes of an org never depend on a library's version.

/// `SplitMix64` (Steele, Lea and Flood, 2014): small, fast, and more than even enough for a demo.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// A stream of its own for each `purpose`: a change to one part of the org leaves the others
    /// alone.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a.
        let state = purpose.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { state }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number of `0..bound`; 0 when the bound is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let drawn = self.next() % (bound.max(1) as u64);
        usize::try_from(drawn).unwrap_or_default()
    }

    /// As [`Random::below`], with small numbers three times as likely as large ones.
    pub(crate) fn low_below(&mut self, bound: usize) -> usize {
        let (first, second) = (self.below(bound), self.below(bound));
        first.min(second)
    }

    /// A whole number of `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = usize::try_from(high.saturating_sub(low)).unwrap_or_default();
        low + i64::try_from(self.below(span + 1)).unwrap_or_default()
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, which must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Puts `items` in a random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_by_seed_and_differ_by_purpose() {
        let draw = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            (0..8).map(|_| random.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "tasks"), draw(7, "tasks"));
        assert_ne!(draw(7, "tasks"), draw(7, "notes"));
        assert_ne!(draw(7, "tasks"), draw(8, "tasks"));
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut random = Random::new(1, "bounds");
        for _ in 0..2_000 {
            assert!(random.below(3) < 3);
            assert!((-4..=4).contains(&random.between(-4, 4)));
        }
        assert_eq!(random.below(0), 0);
    }
}
