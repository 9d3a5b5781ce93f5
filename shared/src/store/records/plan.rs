//! Whether a row that was read is stored, by what is stored already. Pure.

use crate::kernel::{Reading, Record, RecordChange, RecordHead, supersedes};

/// The decision about one row.
pub(super) enum Plan {
    /// It is stored so already.
    Keep,
    /// This very step stored it so before it was interrupted: its change counts again.
    KeptByThisStep(RecordChange),
    /// It is stored.
    Store(RecordChange),
    /// It was gone already and is reported gone again with a later stamp. Nobody sees a change, and
    /// the record stays the deed of the step that found it gone.
    Restamp(Reading),
}

/// What becomes of a row with this digest, while `head` is stored of its record.
pub(super) fn plan(
    reading: Reading,
    (record, digest): (&Record, &str),
    head: Option<&RecordHead>,
) -> Plan {
    let deleted = record.is_deleted();
    let Some(head) = head else {
        // A row that was deleted before we ever saw it leaves no record.
        return if deleted { Plan::Keep } else { Plan::Store(RecordChange::New) };
    };
    if supersedes(head, record.stamp, digest, reading.at) {
        return match (deleted, head.change) {
            (true, RecordChange::Deleted) => {
                Plan::Restamp(Reading { run: head.run, step: head.step, at: reading.at })
            }
            (true, _) => Plan::Store(RecordChange::Deleted),
            // Undeleted: it comes anew.
            (false, RecordChange::Deleted) => Plan::Store(RecordChange::New),
            (false, _) => Plan::Store(RecordChange::Updated),
        };
    }
    if (head.run, head.step) == (reading.run, reading.step) {
        Plan::KeptByThisStep(head.change)
    } else {
        Plan::Keep
    }
}
