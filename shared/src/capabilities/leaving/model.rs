//! Forgetting a disconnected generation, and the proof of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{Connection, Scope};

/// Where a purge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgePhase {
    /// The grants are to be revoked at Salesforce.
    Revoke,
    /// What there is is to be counted.
    Count,
    /// Items, objects and due items are to be deleted, and the data key destroyed.
    Sweep,
    /// What was in flight when the fence went up is to run out; then everything is swept and
    /// counted once more.
    Verify,
    /// Nothing is left.
    Complete,
}

/// What became of one grant.
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
    /// What is forgotten.
    pub scope: Scope,
    /// The connection as it was: where to revoke, and how the items were dealt to buckets.
    pub connection: Connection,
    /// Where it stands.
    pub phase: PurgePhase,
    /// Counts the steps; a message for an earlier step is stale.
    pub step: u64,
    /// How often revoking was tried.
    #[serde(default)]
    pub revoke_tries: u32,
    /// What became of the grants: `admin`, and seats by id.
    #[serde(default)]
    pub grants: BTreeMap<String, Revocation>,
    /// How many things there were, by store and kind.
    #[serde(default)]
    pub found: BTreeMap<String, u64>,
    /// How many things were left in the last count, by store and kind; a certificate says 0 for all.
    #[serde(default)]
    pub remaining: BTreeMap<String, u64>,
    /// Whether the data key is destroyed: from then on every copy, backups too, is unreadable.
    #[serde(default)]
    pub data_key_destroyed: bool,
    /// When the disconnect was asked for.
    pub requested_at: Timestamp,
    /// When nothing was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
}

/// How often revoking is tried, over about three days, before the purge goes on without Salesforce's
/// word: without the tokens nothing can be revoked, and the customer's data must not wait for ever.
pub const REVOKE_TRIES: u32 = 20;
