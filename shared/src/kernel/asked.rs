//! What somebody asked for last: who asks for the same again is told of it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The work that was asked for last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked<T> {
    /// The work.
    pub work: T,
    /// When it was asked for.
    pub asked_at: Timestamp,
}

impl<T> Asked<T> {
    /// Work that has not come to anything after this time may never come to anything: it may be
    /// asked for again.
    const OVERDUE: SignedDuration = SignedDuration::from_hours(6);

    /// True if the work may still be waited for at `now`.
    #[must_use]
    pub fn is_awaited(&self, now: Timestamp) -> bool {
        now.duration_since(self.asked_at) < Self::OVERDUE
    }
}
