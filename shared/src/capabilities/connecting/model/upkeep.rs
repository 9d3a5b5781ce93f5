//! The chain of a generation's upkeep, and the next task for a connection. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::kernel::{
    Connection, ConnectionState, ImportMessage, ImportRunId, ImportTrigger, LAPSED, Occurrence,
    Scope, Trouble, WritebackMessage,
};
use crate::store::Next;

/// A run that gives a sign of life each few minutes has stalled when it gave none for this long.
pub(crate) const STALLED: SignedDuration = SignedDuration::from_mins(45);

/// The last generation that a callback claimed.
#[derive(Serialize, Deserialize)]
pub(crate) struct LastGeneration {
    pub(crate) last: u64,
}

/// The chain of a generation's upkeep.
#[derive(Serialize, Deserialize)]
pub(crate) struct UpkeepChain {
    /// The step that comes next; a message for an earlier one is stale.
    pub(crate) step: u64,
    /// The last stalled run that an event told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stalled: Option<StalledRun>,
}

/// A run that gives no sign of life any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StalledRun {
    pub(crate) run: ImportRunId,
    /// When it gave the last one.
    pub(crate) last_beat: Timestamp,
}

/// The task that the upkeep of a connection has at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpkeepTask {
    /// Renew the tokens that have idled.
    KeepAlive,
    /// Try whether the connection works again.
    Mend(Trouble),
    /// End its buffer.
    Lapse(Trouble),
    /// Leave it to whoever may reconnect.
    Wait,
    /// Disconnect and purge it: nobody reconnected.
    Purge,
}

impl UpkeepTask {
    /// The task for a connection at `now`.
    pub(crate) fn of(connection: &Connection, now: Timestamp) -> Self {
        match (connection.state, connection.trouble) {
            (ConnectionState::ReconnectRequired, Some(trouble)) if now < trouble.lapses_at => {
                Self::Mend(trouble)
            }
            (ConnectionState::ReconnectRequired, Some(trouble)) => Self::Lapse(trouble),
            (ConnectionState::Lapsed, Some(trouble)) if now < trouble.lapses_at + LAPSED => {
                Self::Wait
            }
            (ConnectionState::Lapsed, Some(_)) => Self::Purge,
            _ => Self::KeepAlive,
        }
    }
}

/// The steps that follow when a connection works again with the grant's token `number`. Activities
/// on hold are logged, an import brings what was missed, and an event tells of it.
pub(crate) fn catch_up(scope: Scope, number: u64, trouble: Trouble, now: Timestamp) -> [Next; 3] {
    let run = ImportRunId::derived(&format!("{scope}|reconnected|{number}"));
    [
        Next::now(ImportMessage::Start { scope, run, trigger: ImportTrigger::Requested }),
        Next::now(WritebackMessage::Release { scope, seat: None }),
        Next::publish(scope, now, Occurrence::Restored { since: trouble.since }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{BUFFER, ReconnectReason};

    fn connection(state: ConnectionState, trouble: Option<Trouble>) -> Connection {
        Connection { state, trouble, ..Connection::sample() }
    }

    #[test]
    fn a_connection_is_mended_for_three_days_then_waits_and_is_purged_after_thirty() {
        let since = Timestamp::UNIX_EPOCH;
        let trouble = Trouble::at(since, ReconnectReason::UserInactive);
        let second = SignedDuration::from_secs(1);
        let broken = connection(ConnectionState::ReconnectRequired, Some(trouble));
        let lapses = since + BUFFER;
        assert_eq!(UpkeepTask::of(&broken, lapses - second), UpkeepTask::Mend(trouble));
        assert_eq!(UpkeepTask::of(&broken, lapses), UpkeepTask::Lapse(trouble));
        let past_buffer = connection(ConnectionState::Lapsed, Some(trouble));
        let ends = since + SignedDuration::from_hours(30 * 24);
        assert_eq!(UpkeepTask::of(&past_buffer, ends - second), UpkeepTask::Wait);
        assert_eq!(UpkeepTask::of(&past_buffer, ends), UpkeepTask::Purge);
    }

    #[test]
    fn a_connection_that_works_is_kept_alive() {
        let works = connection(ConnectionState::Connected, None);
        assert_eq!(UpkeepTask::of(&works, Timestamp::UNIX_EPOCH), UpkeepTask::KeepAlive);
    }
}
