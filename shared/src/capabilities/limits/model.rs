//! What is limited, and to how much. The numbers of every limit are here, and nowhere else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::SeatId;

/// Work that a call triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Everything is matched again.
    Rematch,
    /// An import run, or a choice that has rows read again.
    ImportRun,
    /// A model is made of the corrections.
    Tuning,
    /// A large answer is written as files.
    Export,
    /// The org is asked.
    Inspection,
    /// The org is asked as a seller, who waits for the answer.
    Question,
    /// A login is begun.
    Authorization,
    /// A vote for another CRM.
    Vote,
    /// An activity is taken in.
    Activity,
    /// Up to a hundred activities of the past are taken in.
    Retroactive,
    /// Up to a hundred changes of the CRM are taken in or undone.
    Bulk,
    /// A match is corrected.
    Correction,
    /// Any other change.
    Change,
}

/// How often something may be triggered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How often within a window.
    pub most: u32,
    /// The window's length, in seconds.
    pub seconds: i64,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

impl Trigger {
    /// Every one of them.
    pub const ALL: [Self; 13] = [
        Self::Rematch,
        Self::ImportRun,
        Self::Tuning,
        Self::Export,
        Self::Inspection,
        Self::Question,
        Self::Authorization,
        Self::Vote,
        Self::Activity,
        Self::Retroactive,
        Self::Bulk,
        Self::Correction,
        Self::Change,
    ];

    /// How often each payer may trigger it.
    #[must_use]
    pub const fn limit(self) -> Limit {
        let (most, seconds) = match self {
            Self::Rematch | Self::Tuning | Self::Export => (12, HOUR),
            Self::ImportRun => (60, HOUR),
            Self::Inspection => (30, 10 * MINUTE),
            Self::Question => (60, MINUTE),
            Self::Authorization => (20, 10 * MINUTE),
            Self::Vote => (20, HOUR),
            Self::Activity => (300, MINUTE),
            Self::Retroactive => (20, MINUTE),
            Self::Bulk => (10, MINUTE),
            Self::Correction | Self::Change => (120, MINUTE),
        };
        Limit { most, seconds }
    }

    /// The name in keys and in what a caller is told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rematch => "match runs",
            Self::ImportRun => "import runs",
            Self::Tuning => "models",
            Self::Export => "exports",
            Self::Inspection => "inspections",
            Self::Question => "questions",
            Self::Authorization => "authorizations",
            Self::Vote => "votes",
            Self::Activity => "activities",
            Self::Retroactive => "retroactive logs",
            Self::Bulk => "bulks",
            Self::Correction => "corrections",
            Self::Change => "changes",
        }
    }
}

impl Limit {
    /// The window that `now` lies in: its number, and when it ends (Unix seconds).
    #[must_use]
    pub fn window_at(self, now: Timestamp) -> (i64, i64) {
        let window = now.as_second().div_euclid(self.seconds);
        (window, (window + 1) * self.seconds)
    }
}

/// Whose limit a call counts at. A seller's calls count at the seat, so that no colleague is
/// refused for them; whatever else is done for a tenant counts at the tenant. Either way it is one
/// write. The sellers of a tenant together are held to the sum of their limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// The tenant.
    Tenant,
    /// One of its seats.
    Seat(SeatId),
}

/// How often a payer triggered something within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The calls that were let in.
    pub calls: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_each_other_without_a_gap() {
        let limit = Limit { most: 1, seconds: 60 };
        let at = |second| limit.window_at(Timestamp::from_second(second).unwrap());
        assert_eq!((at(0), at(59), at(60)), ((0, 60), (0, 60), (1, 120)));
    }

    #[test]
    fn names_are_apart() {
        let names: std::collections::BTreeSet<_> = Trigger::ALL.map(Trigger::as_str).into();
        assert_eq!(names.len(), Trigger::ALL.len());
    }
}
