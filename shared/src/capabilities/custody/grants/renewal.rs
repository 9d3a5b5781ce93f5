//! Renewing tokens: by one at a time before use.
//!
//! Under rotation a refresh token works once, and a second use kills the grant. So a renewal needs
//! the grant's lease; the new tokens are stored, then pointed to, then used; and whoever gets the
//! lease next adopts what a dead predecessor stored but did not point to (salesforce.md 1.7).

use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::json;

use super::{GrantError, Grants, Held, state_key};
use crate::capabilities::custody::generation::{ConnectionSecret, OpenGeneration, StoredGrant};
use crate::kernel::{
    ConnectionState, GrantState, Grantee, LeaseToken, Occurrence, ReconnectReason, Trouble,
};
use crate::ports::{Change, Condition, Write};
use crate::salesforce::{HostPolicy, LoginHost, OAuthError, Scope};
use crate::store::{Next, Outbox, keys};
use crate::work::{self, WorkError};

/// No renewal begins with less of the invocation left (design.md 10): longer than the token endpoint's
/// timeout, so that the sandbox is not frozen between the answer and the storing of it.
const LEAST_TIME: SignedDuration = SignedDuration::from_secs(30);

/// How long a renewal may take: longer than the token endpoint's timeout.
const LEASE: SignedDuration = SignedDuration::from_secs(40);

impl Grants {
    /// Renews the token that carries the number `failed`, unless somebody else has.
    pub(crate) async fn renew(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        failed: u64,
    ) -> Result<Held, GrantError> {
        let held = self.held(opened, grantee).await?;
        if held.state.number > failed {
            return Ok(held);
        }
        let left = work::time_left(self.ports.clock.now());
        if left.is_some_and(|left| left < LEAST_TIME) {
            return Err(GrantError::TooLate);
        }
        let lease = self.acquire(opened, grantee, failed).await?;
        let renewed = self.renew_leased(opened, grantee, lease, held).await;
        // An answer that never came may still take effect: the lease runs out before the old token
        // is tried once more (salesforce.md 1.7).
        let open = matches!(&renewed, Err(GrantError::Renewal(e)) if e.is_outcome_unknown());
        if renewed.is_err() && !open {
            self.release(opened, grantee, lease).await?;
        }
        renewed
    }

    async fn renew_leased(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        held: Held,
    ) -> Result<Held, GrantError> {
        if let Some(adopted) = self.adopt(opened, grantee, lease, &held.state).await? {
            return Ok(adopted);
        }
        let host = LoginHost::parse(&opened.connection.login_host, HostPolicy::Commercial)
            .map_err(|error| WorkError::reject("renew a token", error))?;
        let refresh = SecretString::from(held.grant.refresh_token.as_str());
        let scopes = Scope::NEEDED.iter().map(|scope| scope.as_str()).collect();
        let oauth = self.app.oauth().await?;
        match oauth.refresh(&host, &refresh, &scopes).await {
            // The same login, another org: what was imported must not meet its ids.
            Ok(token) if token.org_id.to_string() != opened.connection.org_id => {
                self.fail(opened, grantee, lease, ReconnectReason::OtherOrg).await
            }
            Ok(token) => {
                let grant = StoredGrant::of(&token, Some(&held.grant))?;
                self.store(opened, grantee, lease, held.state, grant).await
            }
            Err(OAuthError::ConcurrentRefresh) => Err(GrantError::Busy),
            Err(error) => match reason(&error) {
                Some(reason) => self.fail(opened, grantee, lease, reason).await,
                // Two calls may take longer than one lease: whoever comes next shows the new ones.
                None if self.app.is_outdated(&oauth, &error).await? => Err(GrantError::Busy),
                None => Err(GrantError::Renewal(error)),
            },
        }
    }

    /// What a predecessor stored before it died is the grant now.
    async fn adopt(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        state: &GrantState,
    ) -> Result<Option<Held>, GrantError> {
        if grantee != Grantee::Admin {
            return Ok(None); // a seat's tokens are stored and pointed to by one write
        }
        let Some((version, secret)) = self.custody.secret(opened.keys.scope()).await? else {
            return Ok(None);
        };
        if secret.number <= state.number {
            return Ok(None);
        }
        let state = GrantState { number: secret.number, version: Some(version), ..state.clone() };
        let held = Held { state, grant: secret.grant };
        self.point(opened, grantee, lease, &held, None).await?;
        Ok(Some(held))
    }

    async fn store(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        state: GrantState,
        grant: StoredGrant,
    ) -> Result<Held, GrantError> {
        let number = state.number + 1;
        let renewed_at = self.ports.clock.now();
        let (version, body) = match grantee {
            Grantee::Admin => (Some(self.store_secret(opened, lease, number, &grant).await?), None),
            Grantee::Seat(_) => {
                let key = state_key(opened, grantee);
                (None, Some(self.sealed(opened, &key, &grant)?))
            }
        };
        let held = Held { state: GrantState { number, version, renewed_at, ..state }, grant };
        self.point(opened, grantee, lease, &held, body).await?;
        Ok(held)
    }

    async fn store_secret(
        &self,
        opened: &OpenGeneration,
        lease: LeaseToken,
        number: u64,
        grant: &StoredGrant,
    ) -> Result<crate::ports::VersionId, GrantError> {
        let scope = opened.keys.scope();
        let Some((_, old)) = self.custody.secret(scope).await? else {
            return Err(GrantError::Missing);
        };
        let grant = StoredGrant {
            access_token: grant.access_token.clone(),
            refresh_token: grant.refresh_token.clone(),
            instance_url: grant.instance_url.clone(),
        };
        let text = ConnectionSecret { data_key: old.data_key, number, grant }.to_text()?;
        let name = self.custody.secret_name(scope);
        Ok(self.ports.secrets.put(&name, &text, &format!("{number}-{lease}")).await?)
    }

    /// Makes the stored token the one to use, and gives the lease back. The org may have moved:
    /// links to its records follow it.
    async fn point(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        held: &Held,
        body: Option<Vec<u8>>,
    ) -> Result<(), GrantError> {
        let Held { state, grant } = held;
        let mut changes = vec![
            Change::Set("number", json!(state.number)),
            Change::Set("renewed_at", json!(state.renewed_at)),
            Change::Remove("lease"),
            Change::Set("lease_until", json!(0)),
        ];
        changes.extend(state.version.iter().map(|v| Change::Set("version", json!(v))));
        changes.extend(body.map(Change::Body));
        let mut writes = vec![leased(opened, grantee, lease, changes)];
        if grantee == Grantee::Admin && grant.instance_url != opened.connection.instance_url {
            writes.push(Write::Update {
                key: keys::connection(opened.connection.at).into(),
                changes: vec![Change::Set("instance_url", json!(grant.instance_url))],
                when: Condition::Eq("generation", json!(opened.connection.generation)),
            });
        }
        let outcome = self.ports.table.transact(writes).await?;
        if outcome.is_done() { Ok(()) } else { Err(GrantError::Busy) }
    }

    async fn acquire(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        number: u64,
    ) -> Result<LeaseToken, GrantError> {
        let now = self.ports.clock.now();
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let lease = LeaseToken::new(millis, self.ports.entropy.bits());
        let write = Write::Update {
            key: state_key(opened, grantee).into(),
            changes: vec![
                Change::Set("lease", json!(lease)),
                Change::Set("lease_until", json!((now + LEASE).as_second())),
            ],
            when: Condition::All(vec![
                Condition::Eq("number", json!(number)),
                Condition::Lt("lease_until", json!(now.as_second())),
            ]),
        };
        let outcome = self.ports.table.write(write).await?;
        if outcome.is_done() { Ok(lease) } else { Err(GrantError::Busy) }
    }

    async fn release(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
    ) -> Result<(), GrantError> {
        let changes = vec![Change::Remove("lease"), Change::Set("lease_until", json!(0))];
        let write = leased(opened, grantee, lease, changes);
        let _ = self.ports.table.write(write).await?;
        Ok(())
    }

    /// Notes that a grant cannot be used. The connection's own takes the connection with it, into
    /// the buffer; what the org's admin may mend without a new login is tried again from there.
    async fn fail(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        reason: ReconnectReason,
    ) -> Result<Held, GrantError> {
        let dead = matches!(reason, ReconnectReason::GrantDead | ReconnectReason::OtherOrg);
        let mut changes = vec![Change::Remove("lease"), Change::Set("lease_until", json!(0))];
        if dead || grantee != Grantee::Admin {
            changes.push(Change::Set("alive", json!(false)));
        }
        let mut writes = vec![leased(opened, grantee, lease, changes)];
        let mut next = Vec::new();
        let connection = &opened.connection;
        if grantee == Grantee::Admin && connection.state == ConnectionState::Connected {
            let now = self.ports.clock.now();
            let trouble = Trouble::at(now, reason);
            tracing::error!(reason = ?reason, "a connection does not work until an admin acts");
            let Trouble { since, lapses_at, .. } = trouble;
            let told = Occurrence::ReconnectRequired { reason, since, lapses_at };
            next.push(Next::publish(connection.scope(), now, told));
            writes.push(Write::Update {
                key: keys::connection(connection.at).into(),
                changes: vec![
                    Change::Set("state", json!(ConnectionState::ReconnectRequired)),
                    Change::Set("trouble", json!(trouble)),
                ],
                when: Condition::All(vec![
                    Condition::Eq("generation", json!(connection.generation)),
                    Condition::Eq("state", json!(ConnectionState::Connected)),
                ]),
            });
        }
        // Refused: the person authorized again meanwhile, or the org was disconnected.
        let outbox = Outbox::new(self.ports.clone());
        let done = outbox.commit(writes, next).await?.is_done();
        Err(if done { GrantError::Dead } else { GrantError::Busy })
    }
}

/// A change of a grant by the holder of its lease.
fn leased(
    opened: &OpenGeneration,
    grantee: Grantee,
    lease: LeaseToken,
    changes: Vec<Change>,
) -> Write {
    let when = Condition::Eq("lease", json!(lease.to_string()));
    Write::Update { key: state_key(opened, grantee).into(), changes, when }
}

/// What a person must act on; none for what passes by itself or is a fault of ours, which must not
/// cost every customer the connection.
fn reason(error: &OAuthError) -> Option<ReconnectReason> {
    match error {
        OAuthError::GrantDead { .. } => Some(ReconnectReason::GrantDead),
        OAuthError::InactiveUser { .. } => Some(ReconnectReason::UserInactive),
        OAuthError::AppNotInstalled { .. } => Some(ReconnectReason::AppNotInstalled),
        OAuthError::NotApproved { .. } => Some(ReconnectReason::UserNotApproved),
        OAuthError::IpRestricted { .. } => Some(ReconnectReason::AccessRestricted),
        _ => None,
    }
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
