//! A due item: a step that waits for its turn, or for the word that it is done.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::kernel::Message;

/// The tick sends a due item again when this time has passed since its turn. A message that waits
/// in a backlog is not lost, and a second one helps nobody, so the pause doubles each time.
pub(super) const GRACE: SignedDuration = SignedDuration::from_secs(300);

/// The doubling stops here: about 21 hours.
const MOST_DOUBLINGS: u32 = 8;

/// A due item as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) message: Message,
    /// The turn for which it was last sent (Unix seconds); 0 for a step that no queue was given
    /// yet, and that only the tick sends.
    pub(crate) sent_at: i64,
    /// Counts how often the tick sent it.
    #[serde(default)]
    pub(crate) sends: u32,
}

impl Due {
    /// The time at `now` until its turn, if a queue was given it: a queue that forgot everything
    /// must be given it again.
    pub(super) fn waits_in_a_queue(&self, now: Timestamp) -> Option<Duration> {
        let until = self.sent_at.saturating_sub(now.as_second());
        (self.sent_at > 0).then(|| Duration::from_secs(until.try_into().unwrap_or(0)))
    }

    /// True if the tick leaves it alone at `now`.
    pub(super) fn rests(&self, now: Timestamp) -> bool {
        let pause = GRACE.as_secs() << self.sends.min(MOST_DOUBLINGS);
        self.sent_at + pause > now.as_second()
    }
}
