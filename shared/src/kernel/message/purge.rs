//! Work of `data-purge`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{Generation, Scope, SeatId, TenantEnvironment, TenantId};

/// A step of a purge, a grant to revoke, a tenant that is to be removed, or what a callback left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PurgeMessage {
    /// Take the next step of a purge.
    Purge {
        /// The generation that is purged.
        scope: Scope,
        /// The step that this message is for.
        step: u64,
    },
    /// Revoke the connection's own grant that another user's replaced.
    Revoke {
        /// Of which connection.
        scope: Scope,
        /// The number of the grant that replaced it.
        grant: u64,
        /// The number of tries so far. A message for an earlier try is stale.
        step: u32,
    },
    /// Give back a seat's grant that was ended.
    EndGrant {
        /// Of which connection.
        scope: Scope,
        /// Whose.
        seat: SeatId,
        /// When the seller gave it: one that was given since stays.
        authorized_at: Timestamp,
    },
    /// Delete what is left of a tenant whose contract ended.
    RemoveTenant {
        /// Which.
        tenant: TenantId,
    },
    /// Give back the tokens of a login that did not become a grant.
    GiveBack {
        /// Where the login was for.
        at: TenantEnvironment,
        /// The login.
        login: String,
        /// The number of tries so far. A message for an earlier try is stale.
        step: u32,
    },
    /// Destroy the secrets of generations that callbacks claimed and that never went live.
    Unborn {
        /// Where they were claimed.
        at: TenantEnvironment,
        /// The first of them.
        first: Generation,
        /// The one behind the last of them.
        end: Generation,
    },
}

impl PurgeMessage {
    /// Whose generation the work belongs to, and goes with. A login that did not become a grant
    /// belongs to none, nor does what is left of a tenant, nor what never was a generation.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Self::Purge { scope, .. }
            | Self::Revoke { scope, .. }
            | Self::EndGrant { scope, .. } => Some(*scope),
            Self::RemoveTenant { .. } | Self::GiveBack { .. } | Self::Unborn { .. } => None,
        }
    }

    /// Whose work it is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Purge { scope, .. }
            | Self::Revoke { scope, .. }
            | Self::EndGrant { scope, .. } => scope.tenant,
            Self::RemoveTenant { tenant } => *tenant,
            Self::GiveBack { at, .. } | Self::Unborn { at, .. } => at.tenant,
        }
    }
}
