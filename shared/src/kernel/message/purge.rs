//! Work of `data-purge`.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{Scope, TenantEnvironment, TenantId};

/// A step of a purge, or a grant to revoke.
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
    /// Give back the tokens of a login that did not become a grant.
    GiveBack {
        /// Where the login was for.
        at: TenantEnvironment,
        /// The login.
        login: String,
        /// The number of tries so far. A message for an earlier try is stale.
        step: u32,
    },
}

impl PurgeMessage {
    /// Whose generation the work belongs to, and goes with. A login that did not become a grant
    /// belongs to none.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Self::Purge { scope, .. } | Self::Revoke { scope, .. } => Some(*scope),
            Self::GiveBack { .. } => None,
        }
    }

    /// Whose work it is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Purge { scope, .. } | Self::Revoke { scope, .. } => scope.tenant,
            Self::GiveBack { at, .. } => at.tenant,
        }
    }
}
