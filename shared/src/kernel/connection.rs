//! Our link to one Salesforce org.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{Author, Generation, LeaseToken, Scope, SeatId, TenantEnvironment};
use crate::salesforce::{InstanceUrl, LoginHost, SalesforceId};

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Data moves.
    Connected,
    /// No data moves until an admin acts: the buffer. Work is kept, and done after the reconnect.
    ReconnectRequired,
    /// The buffer ran out. Nothing is taken in any more. The work that was kept waits for a
    /// reconnect, and is purged when none comes.
    Lapsed,
    /// Disconnected; what it brought in is being purged or is gone.
    Disconnected,
}

/// The reason for which a connection does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ReconnectReason {
    /// The grant is gone: revoked, expired, idle for too long, evicted, or used twice.
    GrantDead,
    /// The integration user is deactivated or frozen.
    UserInactive,
    /// The app is not installed in the org, or was removed.
    AppNotInstalled,
    /// The org's admin did not approve this user for the app.
    UserNotApproved,
    /// The org does not let our address in, or not at this hour.
    AccessRestricted,
    /// Salesforce has refused the connection's token for an hour, for a reason that we do not know.
    TokenRefused,
    /// Another org answers at the same login: a refreshed sandbox, or a migrated org. It is not
    /// read, so that none of its ids is taken for one of the connected org.
    OtherOrg,
}

/// The buffer of a connection that does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Why.
    pub reason: ReconnectReason,
    /// Since when.
    pub since: Timestamp,
    /// When the buffer ends.
    pub lapses_at: Timestamp,
}

/// The product promises three days in which a connection can be mended and loses nothing.
pub const BUFFER: SignedDuration = SignedDuration::from_hours(72);

/// A lapsed connection waits for a reconnect this long, then it is purged. Together with the buffer
/// that is 30 days, within which the product promises to delete what was imported.
pub const LAPSED: SignedDuration = SignedDuration::from_hours(27 * 24);

impl Trouble {
    /// A buffer that begins at `now`.
    #[must_use]
    pub fn at(now: Timestamp, reason: ReconnectReason) -> Self {
        Self { reason, since: now, lapses_at: now + BUFFER }
    }
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
    /// The trouble that keeps it from working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// Since when the operator's key is gone and its data cannot be opened. Meanwhile nothing is
    /// read, written or deleted, and work is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_since: Option<Timestamp>,
    /// Since when the key service or the secret store does not answer. Keys that were read before
    /// are used for some minutes more; other work is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded_since: Option<Timestamp>,
    /// When the tenant was handed over to another home of the product. From then on this one does
    /// nothing for it; its work is kept, in case the hand-over is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over_at: Option<Timestamp>,
    /// The org's 18-character id.
    pub org_id: SalesforceId,
    /// The org's name.
    pub org_name: String,
    /// The org's edition, as Salesforce names it.
    pub edition: String,
    /// The address of the org's API; links to records begin with it.
    pub instance_url: InstanceUrl,
    /// The host at which the grant was given and is refreshed.
    pub login_host: LoginHost,
    /// The number of buckets that each kind of this generation's items is dealt to. It never
    /// changes.
    pub buckets: u32,
    /// The CRM user whose grant imports.
    pub integration_user: SalesforceId,
    /// When this generation began.
    pub connected_at: Timestamp,
    /// The second of each window of the schedule at which its imports run. It differs by tenant, so
    /// that not all import at once.
    pub slot_offset: u32,
}

impl Connection {
    /// The scope of this generation.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.at.generation(self.generation)
    }

    /// Where a browser opens a record of the org. Classic and Lightning both know the address, and
    /// the org's own name in it is that of its environment.
    #[must_use]
    pub fn record_url(&self, record: SalesforceId) -> String {
        format!("{}/{record}", self.instance_url)
    }
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

impl Grantee {
    /// The seat; none for the connection itself.
    #[must_use]
    pub fn seat(self) -> Option<SeatId> {
        match self {
            Self::Admin => None,
            Self::Seat(seat) => Some(seat),
        }
    }
}

/// An authorization that was begun and whose callback has not come.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAuthorization {
    /// For which environment.
    #[serde(flatten)]
    pub at: TenantEnvironment,
    /// For whom.
    pub grantee: Grantee,
    /// Who began it. Who ends it has the same browser.
    pub by: Author,
    /// The host that the person logs in at.
    pub login_host: LoginHost,
    /// The PKCE verifier.
    pub verifier: String,
    /// The hash of the secret that the browser was given. Only the browser in which the
    /// authorization was begun may end it.
    pub browser: String,
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

/// A person has this many minutes to log in: a link that was left open is of no use to another.
pub const AUTHORIZATION_MINUTES: i64 = 10;

/// Names one stored value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub String);

/// The state of a grant, readable without its tokens. Those are in the connection's secret, or
/// sealed in the seat's item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantState {
    /// Counts the tokens of this grant, from 1; a renewal is the next number.
    pub number: u64,
    /// Where the current token is stored (the connection's own grant only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionId>,
    /// True if the grant still works, as far as is known.
    pub alive: bool,
    /// The CRM user who gave it.
    pub user_id: SalesforceId,
    /// When the person authorized.
    pub authorized_at: Timestamp,
    /// When the current token was stored.
    pub renewed_at: Timestamp,
    /// Who is renewing the token now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseToken>,
    /// When the lease runs out (Unix seconds; 0 when nobody renews).
    #[serde(default)]
    pub lease_until: i64,
    /// Since when each renewal was refused for a reason that we do not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_since: Option<Timestamp>,
}

/// A seat's authorization holds for this long: sellers are asked to log in again every 90 days.
pub const SEAT_AUTHORIZATION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A token that was not renewed for this long is renewed though no call needs it. Salesforce ends
/// grants that were idle for 30 days, and a week leaves time for trouble.
pub const KEEP_ALIVE: SignedDuration = SignedDuration::from_hours(7 * 24);

impl GrantState {
    /// A new grant, given by `user_id`, whose token is stored as `version`.
    #[must_use]
    pub fn new(
        number: u64,
        version: Option<VersionId>,
        user_id: SalesforceId,
        now: Timestamp,
    ) -> Self {
        Self {
            number,
            version,
            alive: true,
            user_id,
            authorized_at: now,
            renewed_at: now,
            lease: None,
            lease_until: 0,
            refused_since: None,
        }
    }

    /// When the person must authorize again: a seat's after 90 days, the connection's own never.
    #[must_use]
    pub fn ends_at(&self, grantee: Grantee) -> Option<Timestamp> {
        matches!(grantee, Grantee::Seat(_)).then(|| self.authorized_at + SEAT_AUTHORIZATION)
    }

    /// True if it can be used at `now`, as far as is known.
    #[must_use]
    pub fn is_usable(&self, grantee: Grantee, now: Timestamp) -> bool {
        self.alive && self.ends_at(grantee).is_none_or(|end| now < end)
    }

    /// True if its token must be renewed at `now` for the grant to stay alive.
    #[must_use]
    pub fn idles(&self, now: Timestamp) -> bool {
        now >= self.renewed_at + KEEP_ALIVE
    }
}

#[cfg(test)]
impl Connection {
    /// A connection that works, for tests.
    pub(crate) fn sample() -> Self {
        Self {
            at: TenantEnvironment {
                tenant: crate::kernel::TenantId::derived("acme"),
                environment: crate::kernel::Environment::Production,
            },
            generation: Generation(1),
            state: ConnectionState::Connected,
            trouble: None,
            paused_since: None,
            degraded_since: None,
            handed_over_at: None,
            org_id: "00D000000000001EAA".parse().unwrap(),
            org_name: "Acme".to_owned(),
            edition: "Enterprise Edition".to_owned(),
            instance_url: "https://acme.my.salesforce.com".parse().unwrap(),
            login_host: LoginHost::production(),
            buckets: 1,
            integration_user: "005000000000001AAA".parse().unwrap(),
            connected_at: Timestamp::UNIX_EPOCH,
            slot_offset: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_authorizes_again_after_90_days_and_the_connection_never() {
        let now = Timestamp::UNIX_EPOCH;
        let grant = GrantState::new(1, None, "005000000000001AAA".parse().unwrap(), now);
        let seat = Grantee::Seat(SeatId::derived("jane"));
        let day = SignedDuration::from_hours(24);
        assert!(grant.is_usable(seat, now + day * 89));
        assert!(!grant.is_usable(seat, now + day * 90));
        assert!(grant.is_usable(Grantee::Admin, now + day * 900));
        assert!(!grant.idles(now + day * 6) && grant.idles(now + day * 7));
    }
}
