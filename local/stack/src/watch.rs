//! Tells a slow wait from one that stands still.

use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How long a wait goes on while nothing moves. A busy machine is slow, but something always moves.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// Follows one wait. Only a sight that is new to this wait counts as movement: a message that
/// fails and returns to its queue changes the queue's count again and again, and moves nothing.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: HashSet<String>,
    moved: Instant,
}

impl Watch {
    pub(crate) fn new(now: Instant) -> Self {
        Self { seen: HashSet::new(), moved: now }
    }

    /// Records what one look saw. True if nothing has moved for [`PATIENCE`].
    pub(crate) fn stands_still(&mut self, sight: &str, now: Instant) -> bool {
        if self.seen.insert(sight.to_owned()) {
            self.moved = now;
        }
        now.duration_since(self.moved) >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_wait_lasts_as_long_as_something_moves() {
        let mut now = Instant::now();
        let mut watch = Watch::new(now);
        for rows in 0..100 {
            now += 4 * MINUTE;
            assert!(!watch.stands_still(&format!("{rows} rows"), now), "{rows}");
        }
    }

    #[test]
    fn a_wait_ends_once_nothing_has_moved_for_five_minutes() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert!(!watch.stands_still("10 rows", start + MINUTE));
        assert!(!watch.stands_still("10 rows", start + 5 * MINUTE));
        assert!(watch.stands_still("10 rows", start + 6 * MINUTE));
    }

    #[test]
    fn a_message_that_comes_and_goes_is_no_movement() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        let mut still = false;
        for second in 0..400_u32 {
            let sight = if second % 2 == 0 { "import 0" } else { "import 1" };
            still = watch.stands_still(sight, start + second * Duration::from_secs(1));
        }
        assert!(still);
    }
}
