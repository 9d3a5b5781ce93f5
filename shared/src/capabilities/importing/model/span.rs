//! Reading an object in spans of time, where all of it at once is too much for Salesforce.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// When Salesforce began: no row is older.
const BEGINNING: Timestamp = Timestamp::constant(915_148_800, 0); // 1999-01-01

/// Rows of one second are not told apart by their stamps.
const SHORTEST: SignedDuration = SignedDuration::from_secs(2);

/// A span of `SystemModstamp` that one query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Rows stamped from here on; none for the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Rows stamped before this; none for the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Span {
    /// The older half of it; none when it is too short for two.
    #[must_use]
    pub fn halved(self, now: Timestamp) -> Option<Self> {
        let length = self.length(now);
        let until = self.from.unwrap_or(BEGINNING) + length / 2;
        (length >= SHORTEST).then_some(Self { until: Some(until), ..self })
    }

    /// The span after it, twice as long: one year may be crowded and the next one sparse. None
    /// after the newest.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Option<Self> {
        let from = self.until?;
        let until = from.checked_add(self.length(now) * 2).ok().filter(|until| *until < now);
        Some(Self { from: Some(from), until })
    }

    fn length(self, now: Timestamp) -> SignedDuration {
        self.until.unwrap_or(now).duration_since(self.from.unwrap_or(BEGINNING))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_span_of_a_second_is_not_halved() {
        let span = |from, until| Span { from: Some(at(from)), until: Some(at(until)) };
        assert_eq!(span(10, 11).halved(at(100)), None);
        assert_eq!(span(10, 12).halved(at(100)), Some(span(10, 11)));
        assert_eq!(Span { from: Some(at(200)), until: None }.halved(at(100)), None);
    }

    proptest! {
        /// Whichever spans are too much, those that are read cover all time, each moment once.
        #[test]
        fn spans_leave_no_gap_and_do_not_overlap(
            since in proptest::option::of(915_148_800..1_795_000_000_i64),
            too_much in proptest::collection::vec(any::<bool>(), 0..60),
        ) {
            let now = at(1_795_294_800);
            let mut span = Span { from: since.map(at), until: None };
            let (mut read_until, mut read, mut too_much) = (span.from, 0, too_much.into_iter());
            loop {
                if too_much.next().unwrap_or(false)
                    && let Some(half) = span.halved(now)
                {
                    span = half;
                    continue;
                }
                prop_assert_eq!(span.from, read_until, "begins where the one before ended");
                prop_assert!(span.until.is_none_or(|until| Some(until) > span.from));
                (read_until, read) = (span.until, read + 1);
                prop_assert!(read < 200, "it comes to an end");
                match span.next(now) {
                    Some(next) => span = next,
                    None => break,
                }
            }
            prop_assert_eq!(read_until, None, "up to the newest");
        }
    }
}
