//! The health of a connection's data key. Pure.

use jiff::Timestamp;

use crate::kernel::{Connection, Occurrence};
use crate::ports::Disposition;

/// The health of a data key: both marks of a connection, as an attempt to unwrap the key shows
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyHealth {
    /// The operator's key is gone.
    pub(super) is_paused: bool,
    /// The key service does not answer.
    pub(super) is_degraded: bool,
}

impl KeyHealth {
    /// The health after an attempt that ended in `failure`, or well. None when the failure tells
    /// nothing of the key.
    pub(super) fn after(connection: &Connection, failure: Option<Disposition>) -> Option<Self> {
        match failure {
            None => Some(Self { is_paused: false, is_degraded: false }),
            Some(Disposition::Pause) => Some(Self { is_paused: true, is_degraded: false }),
            // A timeout is no evidence that the key works again.
            Some(Disposition::Retry) => {
                let is_paused = connection.paused_since.is_some();
                Some(Self { is_paused, is_degraded: true })
            }
            Some(Disposition::Reject) => None,
        }
    }

    /// The event that tells of a pause which begins or ends; none when nothing changes.
    pub(super) fn occurrence(self, connection: &Connection, now: Timestamp) -> Option<Occurrence> {
        match (connection.paused_since, self.is_paused) {
            (None, true) => Some(Occurrence::Paused { since: now }),
            (Some(since), false) => Some(Occurrence::Resumed { since }),
            (None, false) | (Some(_), true) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSED: Timestamp = Timestamp::UNIX_EPOCH;

    fn connection(paused_since: Option<Timestamp>) -> Connection {
        Connection { paused_since, ..Connection::sample() }
    }

    #[test]
    fn a_timeout_neither_begins_nor_ends_a_pause() {
        for paused_since in [None, Some(PAUSED)] {
            let connection = connection(paused_since);
            let health = KeyHealth::after(&connection, Some(Disposition::Retry)).unwrap();
            let is_paused = paused_since.is_some();
            assert_eq!(health, KeyHealth { is_paused, is_degraded: true });
            assert_eq!(health.occurrence(&connection, PAUSED), None);
        }
    }

    #[test]
    fn a_pause_is_told_when_it_begins_and_when_it_ends() {
        let (working, paused) = (connection(None), connection(Some(PAUSED)));
        let now = "2026-11-28T09:00:00Z".parse().unwrap();
        let gone = KeyHealth::after(&working, Some(Disposition::Pause)).unwrap();
        assert_eq!(gone.occurrence(&working, now), Some(Occurrence::Paused { since: now }));
        assert_eq!(gone.occurrence(&paused, now), None);
        let back = KeyHealth::after(&paused, None).unwrap();
        assert_eq!(back.occurrence(&paused, now), Some(Occurrence::Resumed { since: PAUSED }));
        assert_eq!(back.occurrence(&working, now), None);
    }

    #[test]
    fn a_failure_of_another_kind_tells_nothing_of_the_key() {
        assert_eq!(KeyHealth::after(&connection(None), Some(Disposition::Reject)), None);
    }
}
