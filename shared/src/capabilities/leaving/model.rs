//! The purge of a disconnected generation, and the proof of it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{Connection, Scope};

/// Where a purge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgePhase {
    /// The grants are to be revoked at Salesforce.
    Revoke,
    /// Everything is to be counted.
    Count,
    /// Items, objects and due items are to be deleted, and the data key destroyed.
    Sweep,
    /// Functions in flight at the fence are to run out. Then everything is swept and counted once
    /// more.
    Verify,
    /// Nothing is left.
    Complete,
}

/// The end of one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// Salesforce confirmed it.
    Revoked,
    /// Salesforce no longer knew it.
    AlreadyDead,
    /// Salesforce did not answer in all tries; the token is destroyed on our side.
    Unconfirmed,
}

/// A purge: the state of the work, then its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The generation that is purged.
    pub scope: Scope,
    /// The connection as it was: where to revoke, and how the items were dealt to buckets.
    pub connection: Connection,
    /// Where it stands.
    pub phase: PurgePhase,
    /// Counts the steps; a message for an earlier step is stale.
    pub step: u64,
    /// Counts the tries to revoke.
    #[serde(default)]
    pub revoke_tries: u32,
    /// The ends of the grants: `admin`, and seats by id.
    #[serde(default)]
    pub grants: BTreeMap<String, Revocation>,
    /// The number of things there were, by store and kind.
    #[serde(default)]
    pub found: BTreeMap<String, u64>,
    /// The number of things left in the last count, by store and kind. A certificate says 0 for
    /// all.
    #[serde(default)]
    pub remaining: BTreeMap<String, u64>,
    /// True once the data key is destroyed. From then on every copy is unreadable, backups too.
    #[serde(default)]
    pub data_key_destroyed: bool,
    /// When the disconnect was asked for.
    pub requested_at: Timestamp,
    /// When nothing was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
}

impl Purge {
    /// The purge of a connection's generation, from its begin.
    #[must_use]
    pub fn new(connection: Connection, requested_at: Timestamp) -> Self {
        Self {
            scope: connection.scope(),
            connection,
            phase: PurgePhase::Revoke,
            step: 0,
            revoke_tries: 0,
            grants: BTreeMap::new(),
            found: BTreeMap::new(),
            remaining: BTreeMap::new(),
            data_key_destroyed: false,
            requested_at,
            completed_at: None,
        }
    }

    /// True if a message for `step` has work to do.
    #[must_use]
    pub fn awaits(&self, step: u64) -> bool {
        self.step == step && self.phase != PurgePhase::Complete
    }

    /// Every grant came to its end: the counting follows.
    pub fn revoked(&mut self) {
        self.phase = PurgePhase::Count;
    }

    /// Everything was counted: the sweeping follows.
    pub fn counted(&mut self, found: BTreeMap<String, u64>) {
        self.found = found;
        self.phase = PurgePhase::Sweep;
    }

    /// Everything was deleted, the data key last: the last look follows.
    pub fn swept(&mut self) {
        self.data_key_destroyed = true;
        self.phase = PurgePhase::Verify;
    }

    /// The last look counted what remains. The purge is complete when that is nothing.
    pub fn verified(&mut self, remaining: BTreeMap<String, u64>, now: Timestamp) {
        self.remaining = remaining;
        if self.remaining.values().all(|n| *n == 0) {
            self.phase = PurgePhase::Complete;
            self.completed_at = Some(now);
        }
    }
}

/// Revoking is tried this often, over about three days. Then the purge goes on without Salesforce's
/// word: a customer's data must not wait for ever.
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

    fn purge() -> Purge {
        Purge::new(Connection::sample(), Timestamp::UNIX_EPOCH)
    }

    fn counts(items: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("items REC".to_owned(), items), ("objects".to_owned(), 0)])
    }

    #[test]
    fn only_a_count_of_zero_makes_a_certificate() {
        let mut purge = purge();
        purge.revoked();
        purge.counted(counts(7));
        assert_eq!(purge.phase, PurgePhase::Sweep);
        purge.swept();
        purge.verified(counts(1), Timestamp::UNIX_EPOCH);
        assert_eq!((purge.phase, purge.completed_at), (PurgePhase::Verify, None));
        purge.verified(counts(0), Timestamp::UNIX_EPOCH);
        assert_eq!(purge.phase, PurgePhase::Complete);
        assert_eq!((purge.found, purge.remaining), (counts(7), counts(0)));
    }

    #[test]
    fn a_message_of_another_step_or_after_the_end_has_no_work() {
        let mut purge = purge();
        assert!(purge.awaits(0) && !purge.awaits(1));
        purge.verified(counts(0), Timestamp::UNIX_EPOCH);
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
