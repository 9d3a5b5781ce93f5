//! The purge of a disconnected generation, and the proof of it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::capabilities::audit::KEPT;
use crate::kernel::{Generation, Scope, VersionId};

/// Where a purge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgePhase {
    /// The grants are to be sealed anew, and the connection's secret destroyed.
    Shred,
    /// Items, objects and due items are to be deleted. Nobody can read them any more.
    Sweep,
    /// Functions in flight at the fence are to run out. Then everything is looked at once more.
    Verify,
    /// Nothing is left but grants that Salesforce is still to be told of.
    Revoke,
    /// Nothing is left.
    Complete,
}

/// The end of one grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Salesforce confirmed it.
    Revoked,
    /// Salesforce no longer knew it.
    AlreadyDead,
    /// Salesforce did not answer in all tries, or the grant could not be read; the token is
    /// destroyed on our side.
    Unconfirmed,
}

/// How many grants came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantCounts {
    /// Those that are still to be revoked.
    pub open: u64,
    /// Those whose end Salesforce confirmed.
    pub revoked: u64,
    /// Those that Salesforce no longer knew.
    pub already_dead: u64,
    /// Those that could not be read, or of which Salesforce did not answer in all tries.
    pub unconfirmed: u64,
}

impl GrantCounts {
    /// A grant that was open came to its end.
    pub fn end(&mut self, revocation: Revocation) {
        self.open = self.open.saturating_sub(1);
        match revocation {
            Revocation::Revoked => self.revoked += 1,
            Revocation::AlreadyDead => self.already_dead += 1,
            Revocation::Unconfirmed => self.unconfirmed += 1,
        }
    }
}

/// A grant that a purge keeps until it is revoked or given up. Its refresh token is sealed beside
/// it, under the key of the purge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptGrant {
    /// Counts the tries to revoke it.
    pub tries: u32,
    /// It is not tried again before this.
    pub next_at: Timestamp,
}

/// How far the deletion of one partition has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Everything up to this sort key was counted, and is deleted or about to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<String>,
    /// True if nothing came after it.
    #[serde(default)]
    pub is_last: bool,
}

/// How far a look at everything has come: what was counted is noted before it is deleted, so that
/// nothing is counted twice and nothing is forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How many of the generation's partitions were begun.
    pub begun: usize,
    /// The partitions under way, by their number.
    #[serde(default)]
    pub lanes: BTreeMap<usize, Lane>,
    /// True once what lies outside the partitions was counted.
    #[serde(default)]
    pub counted_rest: bool,
}

/// What a purge waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// Nothing: it is at work.
    Nothing,
    /// Functions that were at work at the fence, until this time.
    Functions(Timestamp),
    /// Salesforce, to be told that grants end; the purge goes on without it after this time.
    Salesforce(Timestamp),
}

/// What a purge keeps of the connection: where its items lie, and where to revoke. The texts are
/// as they were stored, so that one which this version of the code refuses holds up nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaver {
    /// The generation that leaves.
    pub generation: Generation,
    /// The number of buckets that its items were dealt to.
    pub buckets: u32,
    /// The org's id.
    #[serde(default)]
    pub org_id: String,
    /// The host at which the grants were given.
    #[serde(default)]
    pub login_host: String,
}

/// A purge: the state of the work, then its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The generation that is purged.
    pub scope: Scope,
    /// The connection as it was.
    pub connection: Leaver,
    /// Where it stands.
    pub phase: PurgePhase,
    /// Counts the steps; a message for an earlier step is stale.
    pub step: u64,
    /// The version of the purge's own secret, while it has grants to revoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants_key: Option<VersionId>,
    /// The last grant that was sealed anew, by its sort key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_up_to: Option<String>,
    /// How the grants ended.
    #[serde(default)]
    pub grants: GrantCounts,
    /// How far the present look at everything has come.
    #[serde(default)]
    pub progress: Progress,
    /// The number of things there were, by store and kind.
    #[serde(default)]
    pub found: BTreeMap<String, u64>,
    /// The number of things that the last look found, by store and kind. A certificate says 0 for
    /// all.
    #[serde(default)]
    pub remaining: BTreeMap<String, u64>,
    /// True once the data keys are destroyed. From then on every copy is unreadable, backups too.
    #[serde(default)]
    pub data_key_destroyed: bool,
    /// When the disconnect was asked for.
    pub requested_at: Timestamp,
    /// The last look comes not before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_at: Option<Timestamp>,
    /// When nothing was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
}

/// A purge must be complete within this time of the disconnect.
const DEADLINE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Grants are given up when Salesforce did not answer for so long: a customer's data must not wait
/// for ever.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(3 * 24);

/// A key service that does not answer holds up the end of the data keys no longer than this. The
/// grants that it cannot open by then stay unconfirmed.
const KEY_SERVICE_PATIENCE: SignedDuration = SignedDuration::from_hours(1);

impl Purge {
    /// The purge of a connection's generation, from its begin.
    #[must_use]
    pub fn new(scope: Scope, connection: Leaver, requested_at: Timestamp) -> Self {
        Self {
            scope,
            connection,
            phase: PurgePhase::Shred,
            step: 0,
            grants_key: None,
            sealed_up_to: None,
            grants: GrantCounts::default(),
            progress: Progress::default(),
            found: BTreeMap::new(),
            remaining: BTreeMap::new(),
            data_key_destroyed: false,
            requested_at,
            look_at: None,
            completed_at: None,
        }
    }

    /// True if a message for `step` has work to do.
    #[must_use]
    pub fn awaits(&self, step: u64) -> bool {
        self.step == step && self.phase != PurgePhase::Complete
    }

    /// When it must be complete.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.requested_at + DEADLINE
    }

    /// When grants are given up of which Salesforce did not answer.
    #[must_use]
    pub fn gives_up_at(&self) -> Timestamp {
        self.requested_at + GIVE_UP
    }

    /// True if the key service may still be waited for at `now`.
    #[must_use]
    pub fn waits_for_keys(&self, now: Timestamp) -> bool {
        now < self.requested_at + KEY_SERVICE_PATIENCE
    }

    /// What it waits for.
    #[must_use]
    pub fn awaited(&self) -> Awaited {
        match (self.phase, self.look_at) {
            (PurgePhase::Verify, Some(at)) => Awaited::Functions(at),
            (PurgePhase::Revoke, _) => Awaited::Salesforce(self.gives_up_at()),
            _ => Awaited::Nothing,
        }
    }

    /// The data keys are destroyed: the sweeping follows.
    pub fn shredded(&mut self) {
        self.data_key_destroyed = true;
        self.phase = PurgePhase::Sweep;
    }

    /// The counts of the present look: the first one tells what there was, a later one what was
    /// left.
    pub fn counts(&mut self) -> &mut BTreeMap<String, u64> {
        match self.phase {
            PurgePhase::Shred | PurgePhase::Sweep => &mut self.found,
            PurgePhase::Verify | PurgePhase::Revoke | PurgePhase::Complete => &mut self.remaining,
        }
    }

    /// A look is over, and what it found is deleted. Another one follows at `look_at`, unless this
    /// was a last look that found nothing.
    pub fn looked(&mut self, look_at: Timestamp) {
        let is_last = self.phase == PurgePhase::Verify;
        if is_last && self.remaining.values().all(|n| *n == 0) {
            self.phase = PurgePhase::Revoke;
            self.look_at = None;
            self.progress = Progress::default();
        } else {
            self.phase = PurgePhase::Verify;
            self.begin_look(look_at);
        }
    }

    fn begin_look(&mut self, look_at: Timestamp) {
        self.look_at = Some(look_at);
        self.progress = Progress::default();
        self.remaining.clear();
    }

    /// What is kept elsewhere once it is complete, and until when at the longest.
    pub fn kept_elsewhere(&self) -> impl Iterator<Item = (KeptElsewhere, Timestamp)> {
        let ends = self.completed_at.into_iter();
        ends.flat_map(|end| {
            let until =
                move |kept: KeptElsewhere| end + SignedDuration::from_hours(24 * kept.days());
            KeptElsewhere::ALL.into_iter().map(move |kept| (kept, until(kept)))
        })
    }

    /// Ends the purge when nothing is left and every grant came to its end.
    pub fn end(&mut self, now: Timestamp) {
        if self.phase == PurgePhase::Revoke && self.grants.open == 0 {
            self.phase = PurgePhase::Complete;
            self.completed_at = Some(now);
            // Nobody is asked any more, so the host, a customer's name perhaps, is forgotten.
            self.connection.login_host.clear();
        }
    }
}

/// What is kept elsewhere when nothing is left here. What was sealed in it is unreadable; the rest
/// is ids and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptElsewhere {
    /// Copies of the table, by which it can be restored to any moment.
    PointInTimeCopies,
    /// Messages that failed too often.
    DeadLetters,
    /// The functions' logs.
    Logs,
    /// The tenant's audit log.
    AuditLog,
}

impl KeptElsewhere {
    /// All of it.
    pub const ALL: [Self; 4] =
        [Self::PointInTimeCopies, Self::DeadLetters, Self::Logs, Self::AuditLog];

    /// How many days it is kept at the longest. A test holds the template to these.
    #[must_use]
    pub fn days(self) -> i64 {
        match self {
            Self::PointInTimeCopies => 7,
            Self::DeadLetters => 14,
            Self::Logs => 365,
            Self::AuditLog => KEPT.as_hours() / 24,
        }
    }
}

/// Revoking a grant is tried this often, over about three days. Then the purge goes on without
/// Salesforce's word.
pub const REVOKE_TRIES: u32 = 20;

/// The wait after so many tries to revoke: a minute, doubled each time, up to six hours.
#[must_use]
pub fn revoke_again(tries: u32) -> Duration {
    let minutes = 1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_mins(minutes.min(6 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Connection;

    fn purge() -> Purge {
        let scope = Connection::sample().scope();
        let connection = Leaver {
            generation: scope.generation,
            buckets: 1,
            org_id: String::new(),
            login_host: String::new(),
        };
        Purge::new(scope, connection, Timestamp::UNIX_EPOCH)
    }

    fn counts(items: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("items REC".to_owned(), items), ("objects".to_owned(), 0)])
    }

    #[test]
    fn only_a_count_of_zero_makes_a_certificate() {
        let (mut purge, now) = (purge(), Timestamp::UNIX_EPOCH);
        purge.shredded();
        assert_eq!(purge.phase, PurgePhase::Sweep);
        *purge.counts() = counts(7);
        purge.looked(now);
        *purge.counts() = counts(1);
        purge.looked(now);
        purge.end(now);
        assert_eq!((purge.phase, purge.completed_at), (PurgePhase::Verify, None));
        *purge.counts() = counts(0);
        purge.looked(now);
        purge.end(now);
        assert_eq!(purge.phase, PurgePhase::Complete);
        let kept: Vec<_> = purge.kept_elsewhere().collect();
        let week = now + SignedDuration::from_hours(7 * 24);
        assert_eq!((kept.len(), kept[0]), (4, (KeptElsewhere::PointInTimeCopies, week)));
        assert_eq!((purge.found, purge.remaining), (counts(7), counts(0)));
    }

    #[test]
    fn a_purge_ends_after_the_last_grant() {
        let (mut purge, now) = (purge(), Timestamp::UNIX_EPOCH);
        purge.grants.open = 1;
        purge.shredded();
        purge.looked(now);
        assert_eq!(purge.awaited(), Awaited::Functions(now));
        purge.looked(now);
        purge.end(now);
        assert_eq!(purge.awaited(), Awaited::Salesforce(now + GIVE_UP));
        assert_eq!((purge.completed_at, purge.kept_elsewhere().count()), (None, 0));
        purge.grants.end(Revocation::Unconfirmed);
        purge.end(now);
        assert_eq!((purge.phase, purge.grants.unconfirmed), (PurgePhase::Complete, 1));
    }

    #[test]
    fn a_message_of_another_step_or_after_the_end_has_no_work() {
        let mut purge = purge();
        assert!(purge.awaits(0) && !purge.awaits(1));
        purge.phase = PurgePhase::Complete;
        assert!(!purge.awaits(0));
    }

    #[test]
    fn revoking_is_tried_over_three_days() {
        let waits = (1..REVOKE_TRIES).map(revoke_again);
        assert_eq!(revoke_again(1), Duration::from_mins(1));
        assert_eq!(revoke_again(4), Duration::from_mins(8));
        assert_eq!(revoke_again(u32::MAX), Duration::from_hours(6));
        let hours = waits.sum::<Duration>().as_secs() / 3_600;
        assert!((65..80).contains(&hours), "{hours} hours");
    }
}
