//! A write with its key, and what was answered.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::kernel::{TenantEnvironment, TenantId};

/// What a call is about: its answer goes with that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// No tenant.
    Nothing,
    /// A tenant, and no connection; or a connection as a whole, which may end by the call.
    Tenant(TenantId),
    /// What a connection holds.
    Connection(TenantEnvironment),
}

/// A write that its caller gave a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    caller: String,
    key: String,
    /// What the call is about.
    pub reached: Reached,
    /// The digest of what was asked for.
    pub digest: String,
}

impl KeyedRequest {
    /// A call of `caller`'s under `key`; `parts` are all that makes it another one: its method, its
    /// place, its body.
    #[must_use]
    pub fn new(caller: &str, key: &str, reached: Reached, parts: [&[u8]; 3]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let digest = hasher.finalize().to_hex().to_string();
        Self { caller: caller.to_owned(), key: key.to_owned(), reached, digest }
    }

    /// The name under which the call is known: it tells neither the caller nor the key.
    pub(super) fn name(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.caller.len() as u64).to_le_bytes());
        hasher.update(self.caller.as_bytes()).update(self.key.as_bytes());
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// A call under its key, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedCall {
    /// The digest of what was asked for.
    pub digest: String,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// What was answered; none while it is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl KeyedCall {
    /// True if it was claimed so long ago.
    #[must_use]
    pub fn is_over(&self, lasts: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.claimed_at) >= lasts
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers that belong to it.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}
