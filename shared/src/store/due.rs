//! A due item: a step that waits for its turn, or for the word that it is done.

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
    /// When the tick last sent it (Unix seconds); 0 when only the fast path did.
    pub(crate) sent_at: i64,
    /// Counts how often the tick sent it.
    #[serde(default)]
    pub(crate) sends: u32,
}

impl Due {
    /// True if the tick leaves it alone at `now`.
    pub(super) fn rests(&self, now: Timestamp) -> bool {
        let pause = GRACE.as_secs() << self.sends.min(MOST_DOUBLINGS);
        self.sent_at + pause > now.as_second()
    }
}
