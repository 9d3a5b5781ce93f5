//! Grants are given, refreshed, used and ended here.

use std::sync::Arc;

use super::grant::{Grant, GrantView, Grantee, Issued, Refusal, Session};
use super::policy::{App, AppPolicy, RefreshTokenPolicy};
use super::state::OAuth;
use crate::ids::RecordId;
use crate::org::Org;
use crate::random::Random;
use crate::storage::format_date_time;

const HOUR_MS: i64 = 3_600_000;

const EXPIRED: Refusal = ("invalid_grant", "expired access/refresh token");

impl OAuth {
    /// Makes a grant and its first tokens; the oldest of too many grants ends.
    pub(crate) fn grant(
        &mut self,
        to: &Grantee<'_>,
        policy: &AppPolicy,
        random: &Random,
        now: i64,
    ) -> Issued {
        let has_refresh =
            to.scope.split(' ').any(|s| s == "refresh_token" || s == "offline_access");
        let index = self.grants.len();
        let refresh_token = has_refresh.then(|| format!("5Aep861{}", random.token(80)));
        if let Some(token) = &refresh_token {
            self.refresh_tokens.insert(token.clone(), index);
        }
        self.grants.push(Grant {
            org: to.org.id,
            user: to.user,
            client_id: to.app.client_id.clone(),
            scope: to.scope.to_owned(),
            refresh_token: refresh_token.clone(),
            created: now,
            last_used: now,
            rotated: now,
            refreshes: 0,
            ended: None,
        });
        if has_refresh {
            self.evict(index, policy.max_approvals);
        }
        let access_token = self.session(index, policy, random, now);
        Issued {
            access_token,
            refresh_token,
            scope: to.scope.to_owned(),
            org: to.org.id,
            user: to.user,
        }
    }

    /// Ends the oldest approvals of the same user and app beyond the limit.
    fn evict(&mut self, newest: usize, limit: usize) {
        let (org, user, client) = {
            let grant = &self.grants[newest];
            (grant.org, grant.user, grant.client_id.clone())
        };
        let mut alive: Vec<usize> = (0..self.grants.len())
            .filter(|at| {
                let grant = &self.grants[*at];
                let same = (grant.org, grant.user) == (org, user) && grant.client_id == client;
                same && grant.ended.is_none() && grant.refresh_token.is_some()
            })
            .collect();
        alive.sort_by_key(|at| (self.grants[*at].created, *at));
        let excess = alive.len().saturating_sub(limit.max(1));
        for at in &alive[..excess] {
            self.end(*at, "evicted by a newer approval");
        }
    }

    /// Ends a grant and all its sessions.
    pub(crate) fn end(&mut self, index: usize, reason: &'static str) {
        if let Some(grant) = self.grants.get_mut(index)
            && grant.ended.is_none()
        {
            grant.ended = Some(reason);
        }
        self.sessions.retain(|_, session| session.grant != index);
    }

    fn session(&mut self, index: usize, policy: &AppPolicy, random: &Random, now: i64) -> String {
        let timeout_ms = policy.session_timeout_minutes * 60_000;
        if policy.reuse_session {
            let own = self.sessions.iter_mut().find(|(_, s)| s.grant == index && s.expires > now);
            if let Some((token, session)) = own {
                session.expires = now + timeout_ms;
                return token.clone();
            }
        }
        let org = self.grants[index].org;
        let token = format!("{}!AQ{}", org.short(), random.token(88));
        self.sessions
            .insert(token.clone(), Session { grant: index, expires: now + timeout_ms, timeout_ms });
        token
    }

    /// A refresh: checks the token against the policy, rotates it, and opens a session.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        app: &App,
        policy_of: impl Fn(&OAuth, RecordId) -> AppPolicy,
        ip: &str,
        random: &Random,
        now: i64,
    ) -> Result<Issued, Refusal> {
        let index = *self.refresh_tokens.get(token).ok_or(EXPIRED)?;
        let policy = policy_of(self, self.grants[index].org);
        let grant = &self.grants[index];
        if grant.client_id != app.client_id || grant.ended.is_some() {
            return Err(EXPIRED);
        }
        if grant.refresh_token.as_deref() != Some(token) {
            if now - grant.rotated < policy.concurrent_window_ms {
                return Err(("invalid_grant", "expired authorization code"));
            }
            if policy.revoke_on_reuse {
                self.end(index, "a rotated refresh token was used again");
            }
            return Err(EXPIRED);
        }
        if is_stale(grant, &policy, now) {
            self.end(index, "expired by the refresh token policy");
            return Err(EXPIRED);
        }
        if !AppPolicy::admits(policy.refresh_ip_allow_list.as_deref(), ip) {
            return Err(("invalid_grant", "ip restricted"));
        }
        let mut rotated = None;
        if policy.rotation {
            let new = format!("5Aep861{}", random.token(80));
            self.refresh_tokens.insert(new.clone(), index);
            self.grants[index].refresh_token = Some(new.clone());
            self.grants[index].rotated = now;
            rotated = Some(new);
        }
        let grant = &mut self.grants[index];
        grant.last_used = now;
        grant.refreshes += 1;
        let (org, user, scope) = (grant.org, grant.user, grant.scope.clone());
        let access_token = self.session(index, &policy, random, now);
        Ok(Issued { access_token, refresh_token: rotated, scope, org, user })
    }

    /// The session of an access token that is still good; using it makes it last longer.
    pub(crate) fn use_session(
        &mut self,
        token: &str,
        now: i64,
    ) -> Option<(RecordId, RecordId, String, String)> {
        let session = self.sessions.get_mut(token).filter(|session| session.expires > now)?;
        session.expires = now + session.timeout_ms;
        let grant = self.grants.get(session.grant).filter(|grant| grant.ended.is_none())?;
        Some((grant.org, grant.user, grant.client_id.clone(), grant.scope.clone()))
    }

    /// The grants of an org as the control API shows them.
    pub(crate) fn views(&self, org: &Arc<Org>, now: i64) -> Vec<GrantView> {
        let own = self.grants.iter().enumerate().filter(|(_, grant)| grant.org == org.id);
        own.map(|(index, grant)| GrantView {
            user_id: grant.user.to_string(),
            client_id: grant.client_id.clone(),
            scope: grant.scope.clone(),
            created: format_date_time(grant.created, "Z"),
            last_used: format_date_time(grant.last_used, "Z"),
            refreshes: grant.refreshes,
            state: if grant.ended.is_some() { "revoked" } else { "active" },
            reason: grant.ended,
            sessions: self
                .sessions
                .values()
                .filter(|session| session.grant == index && session.expires > now)
                .count(),
        })
        .collect()
    }
}

fn is_stale(grant: &Grant, policy: &AppPolicy, now: i64) -> bool {
    let idle = now - grant.last_used;
    let by_policy = match policy.refresh_token_policy {
        RefreshTokenPolicy::Infinite => false,
        RefreshTokenPolicy::Zero => true,
        RefreshTokenPolicy::LifetimeHours(hours) => now - grant.created > hours * HOUR_MS,
        RefreshTokenPolicy::IdleHours(hours) => idle > hours * HOUR_MS,
    };
    by_policy || policy.idle_limit_days.is_some_and(|days| idle > days * 24 * HOUR_MS)
}
