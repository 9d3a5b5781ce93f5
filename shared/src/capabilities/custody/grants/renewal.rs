//! Renewing tokens: by one process at a time, before use.
//!
//! Under rotation a refresh token works once, and a second use kills the grant. So a renewal needs
//! the grant's lease. The new tokens are stored, then pointed to, then used. A holder of the lease
//! may die after it stored a token and before it pointed to it: the next holder adopts that token.

use jiff::SignedDuration;

use super::{CurrentGrant, GrantError, Grants, state_slot};
use crate::capabilities::custody::{OpenGeneration, StoredGrant, unread};
use crate::kernel::{
    Connection, ConnectionState, GrantState, Grantee, LeaseToken, Occurrence, ReconnectReason,
    Trouble,
};
use crate::ports::{PortError, Purpose, VersionId};
use crate::salesforce::{self, OAuthError};
use crate::store::field;
use crate::store::keys::connection as connection_slot;
use crate::store::{Commit, Edit, Next};
use crate::work;

/// No renewal begins with less of the invocation left. It is longer than the token endpoint's
/// timeout, so that the sandbox is not frozen between the answer and the storing of it.
const LEAST_TIME: SignedDuration = SignedDuration::from_secs(30);

/// A renewal may take this long: longer than the token endpoint's timeout.
const LEASE: SignedDuration = SignedDuration::from_secs(40);

/// A refusal in words that we do not know is taken for the connection's trouble after this long.
const REFUSED: SignedDuration = SignedDuration::from_hours(1);

impl Grants {
    /// Renews the token that carries the number `failed`, unless somebody else has.
    pub(crate) async fn renew(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        failed: u64,
    ) -> Result<CurrentGrant, GrantError> {
        let current = self.current(opened, grantee).await?;
        if current.state.number > failed {
            return Ok(current);
        }
        let left = work::time_left(self.ports.clock.now());
        if left.is_some_and(|left| left < LEAST_TIME) {
            return Err(GrantError::TooLate);
        }
        let lease = self.acquire(opened, grantee, failed).await?;
        let renewed = self.renew_leased(opened, grantee, lease, current).await;
        // An answer that never came may still take effect. So the lease is left to run out before
        // anybody tries the old token once more.
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
        current: CurrentGrant,
    ) -> Result<CurrentGrant, GrantError> {
        if let Some(adopted) = self.adopt(opened, grantee, lease, &current.state).await? {
            return Ok(adopted);
        }
        let host = &opened.connection.login_host;
        let refresh = current.grant.refresh_token.clone();
        let scopes = salesforce::Scope::NEEDED.iter().map(|scope| scope.as_str()).collect();
        let oauth = self.app.oauth().await?;
        match oauth.refresh(host, &refresh, &scopes).await {
            // The same login, another org: its ids must not meet the rows that were imported.
            Ok(token) if token.org_id != opened.connection.org_id => {
                self.fail(opened, grantee, lease, ReconnectReason::OtherOrg).await
            }
            Ok(token) => {
                let grant = StoredGrant::of(&token, Some(&current.grant))?;
                self.store(opened, grantee, lease, current.state, grant).await
            }
            Err(OAuthError::ConcurrentRefresh) => Err(GrantError::Busy),
            Err(error) => match reason(&error) {
                Some(reason) => self.fail(opened, grantee, lease, reason).await,
                // Two calls may take longer than one lease: the next caller brings the new secret.
                None if self.app.is_outdated(&oauth, &error).await? => Err(GrantError::Busy),
                None if error.is_unknown() => {
                    self.refused(opened, grantee, lease, &current.state, error).await
                }
                None => Err(GrantError::Renewal(error)),
            },
        }
    }

    /// Notes a refusal in words that we do not know. The first may be Salesforce's own trouble; one
    /// that lasts is the connection's, and is never silent.
    async fn refused(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        state: &GrantState,
        error: OAuthError,
    ) -> Result<CurrentGrant, GrantError> {
        let now = self.ports.clock.now();
        tracing::error!(error = %error, "a token was refused for a reason that is not known");
        match state.refused_since {
            Some(since) if since + REFUSED <= now => {
                return self.fail(opened, grantee, lease, ReconnectReason::TokenRefused).await;
            }
            Some(_) => {}
            None => {
                let since = [field!(GrantState, refused_since).set(&Some(now))?];
                let mut commit = Commit::new();
                edit_leased(&mut commit, opened, grantee, lease, since)?;
                let winner = "the next holder of the lease, which notes its own refusal";
                self.store.commit(commit).await?.may_lose_to(winner);
            }
        }
        Err(GrantError::Renewal(error))
    }

    /// Takes over the token that a predecessor stored before it died.
    async fn adopt(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        state: &GrantState,
    ) -> Result<Option<CurrentGrant>, GrantError> {
        if grantee != Grantee::Admin {
            return Ok(None); // a seat's tokens are stored and pointed to by one write
        }
        // Without it nothing could be stored: the token is not renewed before it is readable.
        let newest = self.custody.secret(opened.keys.scope()).await?;
        let (version, secret) = newest.ok_or_else(|| unread("renew a grant"))?;
        if secret.number <= state.number {
            return Ok(None);
        }
        let Some(grant) = self.custody.open_grant(opened.keys.scope(), &secret).await? else {
            return Ok(None);
        };
        let state = GrantState { number: secret.number, version: Some(version), ..state.clone() };
        let current = CurrentGrant { state, grant };
        self.point(opened, grantee, lease, &current, None).await?;
        Ok(Some(current))
    }

    async fn store(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        state: GrantState,
        grant: StoredGrant,
    ) -> Result<CurrentGrant, GrantError> {
        let number = state.number + 1;
        let renewed_at = self.ports.clock.now();
        let (version, body) = match grantee {
            Grantee::Admin => (Some(self.store_secret(opened, lease, number, &grant).await?), None),
            Grantee::Seat(_) => {
                let slot = state_slot(opened, grantee);
                let sealer = self.sealer(opened, Purpose::SeatGrants).await?;
                (None, Some(grant.seal(&sealer, &slot.place(), &*self.ports.entropy)?))
            }
        };
        let current =
            CurrentGrant { state: GrantState { number, version, renewed_at, ..state }, grant };
        self.point(opened, grantee, lease, &current, body).await?;
        Ok(current)
    }

    async fn store_secret(
        &self,
        opened: &OpenGeneration,
        lease: LeaseToken,
        number: u64,
        grant: &StoredGrant,
    ) -> Result<VersionId, GrantError> {
        let scope = opened.keys.scope();
        let old = self.custody.secret(scope).await?;
        let (_, old) = old.ok_or_else(|| unread("store a grant"))?;
        let token = format!("{number}-{lease}");
        Ok(self.custody.put_grant((scope, &token), old, (number, grant)).await?)
    }

    /// Makes the stored token the one to use, and gives the lease back. The org may have moved:
    /// links to its records follow it.
    async fn point(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        current: &CurrentGrant,
        body: Option<Vec<u8>>,
    ) -> Result<(), GrantError> {
        let CurrentGrant { state, grant } = current;
        let mut edits = Vec::from(given_back()?);
        edits.push(field!(GrantState, number).set(&state.number)?);
        edits.push(field!(GrantState, renewed_at).set(&state.renewed_at)?);
        edits.push(field!(GrantState, refused_since).remove());
        if state.version.is_some() {
            edits.push(field!(GrantState, version).set(&state.version)?);
        }
        edits.extend(body.map(Edit::body));
        let mut commit = Commit::new();
        edit_leased(&mut commit, opened, grantee, lease, edits)?;
        let connection = &opened.connection;
        if grantee == Grantee::Admin && grant.instance_url != connection.instance_url {
            let is_current = field!(Connection, generation).is(&connection.generation)?;
            let moved = field!(Connection, instance_url).set(&grant.instance_url)?;
            commit.edit(&connection_slot(connection.at), is_current, [moved]);
        }
        let outcome = self.store.commit(commit).await?;
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
        let free = field!(GrantState, lease_until).is_below(&now.as_second())?;
        let when = field!(GrantState, number).is(&number)?.and(free);
        let edits = [
            field!(GrantState, lease).set(&Some(lease))?,
            field!(GrantState, lease_until).set(&(now + LEASE).as_second())?,
        ];
        let mut commit = Commit::new();
        commit.edit(&state_slot(opened, grantee), when, edits);
        let outcome = self.store.commit(commit).await?;
        if outcome.is_done() { Ok(lease) } else { Err(GrantError::Busy) }
    }

    async fn release(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
    ) -> Result<(), GrantError> {
        let mut commit = Commit::new();
        edit_leased(&mut commit, opened, grantee, lease, given_back()?)?;
        let winner = "the next holder: this lease had run out";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }

    /// Stores that a grant cannot be used. When it is the connection's own, the connection enters
    /// its buffer. Upkeep tries it again from there, where the org's admin may mend it without a
    /// login.
    async fn fail(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        lease: LeaseToken,
        reason: ReconnectReason,
    ) -> Result<CurrentGrant, GrantError> {
        let dead = matches!(reason, ReconnectReason::GrantDead | ReconnectReason::OtherOrg);
        let mut edits = Vec::from(given_back()?);
        if dead || grantee != Grantee::Admin {
            edits.push(field!(GrantState, alive).set(&false)?);
        }
        let mut commit = Commit::new();
        edit_leased(&mut commit, opened, grantee, lease, edits)?;
        let connection = &opened.connection;
        if grantee == Grantee::Admin && connection.state == ConnectionState::Connected {
            tracing::error!(reason = ?reason, "a connection does not work until an admin acts");
            let now = self.ports.clock.now();
            let trouble = Trouble::at(now, reason);
            edit_connected(&mut commit, connection, trouble)?;
            let Trouble { since, lapses_at, .. } = trouble;
            let occurrence = Occurrence::ReconnectRequired { reason, since, lapses_at };
            commit.then(Next::publish(connection.scope(), now, occurrence));
        }
        // Refused: the person authorized again meanwhile, or the org was disconnected.
        let done = self.store.commit(commit).await?.is_done();
        Err(if done { GrantError::Dead } else { GrantError::Busy })
    }
}

/// Gives a lease back.
fn given_back() -> Result<[Edit<GrantState>; 2], PortError> {
    Ok([field!(GrantState, lease).remove(), field!(GrantState, lease_until).set(&0)?])
}

/// Edits a grant in the name of its lease's holder.
fn edit_leased(
    commit: &mut Commit,
    opened: &OpenGeneration,
    grantee: Grantee,
    lease: LeaseToken,
    edits: impl IntoIterator<Item = Edit<GrantState>>,
) -> Result<(), PortError> {
    let when = field!(GrantState, lease).is(&Some(lease))?;
    commit.edit(&state_slot(opened, grantee), when, edits);
    Ok(())
}

/// Puts a connection that works into its buffer.
fn edit_connected(
    commit: &mut Commit,
    connection: &Connection,
    trouble: Trouble,
) -> Result<(), PortError> {
    let works = field!(Connection, state).is(&ConnectionState::Connected)?;
    let when = field!(Connection, generation).is(&connection.generation)?.and(works);
    let edits = [
        field!(Connection, state).set(&ConnectionState::ReconnectRequired)?,
        field!(Connection, trouble).set(&Some(trouble))?,
    ];
    commit.edit(&connection_slot(connection.at), when, edits);
    Ok(())
}

/// The reason for which a person must act. None for a fault that passes by itself, and for one of
/// ours, which must not cost every customer the connection.
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
