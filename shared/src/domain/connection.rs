//! Our link to one Salesforce org.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{LeaseToken, SeatId};
use super::scope::{Generation, Scope, TenantEnvironment};

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Data moves.
    Connected,
    /// The grant died; nothing moves until the admin authorizes again. Work is kept.
    ReconnectRequired,
    /// Disconnected; what it brought in is being purged or is gone.
    Disconnected,
}

/// Our link to one org, per tenant and environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Whose it is.
    #[serde(flatten)]
    pub at: TenantEnvironment,
    /// Its generation, from 1.
    pub generation: Generation,
    /// Where it stands.
    pub state: ConnectionState,
    /// The org's 18-character id.
    pub org_id: String,
    /// The org's name.
    pub org_name: String,
    /// The org's edition, as Salesforce names it.
    pub edition: String,
    /// The address of the org's API; links to records begin with it.
    pub instance_url: String,
    /// The host at which the grant was given and is refreshed.
    pub login_host: String,
    /// How many buckets each kind of this generation's items is dealt to. Fixed for its life.
    pub buckets: u32,
    /// The CRM user whose grant imports.
    pub integration_user: String,
    /// When this generation began.
    pub connected_at: Timestamp,
    /// Seconds after the start of each 12-hour window at which scheduled imports run: spread by
    /// tenant, so that not everyone imports at once.
    pub slot_offset: u32,
}

impl Connection {
    /// The scope of this generation.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.at.generation(self.generation)
    }
}

/// The length of the window in which each connection imports once (specification 2.2: every 12 h).
pub const IMPORT_WINDOW_SECONDS: i64 = 12 * 3600;

/// The start of the connection's next import slot strictly after `now`.
#[must_use]
pub fn next_slot(slot_offset: u32, now: Timestamp) -> Timestamp {
    let offset = i64::from(slot_offset) % IMPORT_WINDOW_SECONDS;
    let windows = (now.as_second() - offset).div_euclid(IMPORT_WINDOW_SECONDS) + 1;
    Timestamp::from_second(windows * IMPORT_WINDOW_SECONDS + offset).unwrap_or(now)
}

/// Who is being authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    /// The connection itself: the grant that imports.
    Admin,
    /// A seat: the grant that writes what its seller does.
    Seat(SeatId),
}

/// An authorization that was begun and whose callback has not come.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAuthorization {
    /// For which environment.
    #[serde(flatten)]
    pub at: TenantEnvironment,
    /// For whom.
    pub grantee: Grantee,
    /// The host that the person logs in at.
    pub login_host: String,
    /// The PKCE verifier.
    pub verifier: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .field("at", &self.at)
            .field("grantee", &self.grantee)
            .finish_non_exhaustive()
    }
}

/// How long a person has to log in (security checklist 1).
pub const AUTHORIZATION_MINUTES: i64 = 10;

/// Names one stored value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub String);

/// What is known of a grant without opening it. The grant itself is in the connection's secret, or
/// sealed in the seat's item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantState {
    /// Counts the tokens of this grant, from 1; a renewal is the next number.
    pub number: u64,
    /// Where the current token is stored (the connection's own grant only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionId>,
    /// Whether the grant still works, as far as is known.
    pub alive: bool,
    /// The CRM user who gave it.
    pub user_id: String,
    /// When the current token was stored.
    pub renewed_at: Timestamp,
    /// Who is renewing the token now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseToken>,
    /// When that one must be given up for dead (Unix seconds; 0 when nobody renews).
    #[serde(default)]
    pub lease_until: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_slot_is_after_now_and_within_the_window() {
        for (offset, now) in [(0, 0), (0, 1), (100, 99), (100, 100), (43_199, 50_000)] {
            let at = Timestamp::from_second(now).unwrap();
            let slot = next_slot(offset, at).as_second();
            assert!(slot > now && slot <= now + IMPORT_WINDOW_SECONDS, "{offset} {now} {slot}");
            assert_eq!((slot - i64::from(offset)) % IMPORT_WINDOW_SECONDS, 0);
        }
    }
}
