//! Envelope encryption: keys that seal data, wrapped by a key that never leaves its service.

use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::PortError;

/// A data key as the key service wrapped it; useless without that service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

/// What a data key seals. Roles are bound to purposes: a function opens only what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Records, and whatever else tells of a person or a deal.
    Records,
    /// The connection's own grant, and grants that were replaced.
    AdminGrant,
    /// The sellers' grants.
    SeatGrants,
    /// The grants of a generation that is purged.
    Purge,
    /// Tokens that are not a grant's yet.
    Login,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 5] =
        [Self::Records, Self::AdminGrant, Self::SeatGrants, Self::Purge, Self::Login];

    /// The name that is bound to wrapped keys, and that roles name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::AdminGrant => "admin-grant",
            Self::SeatGrants => "seat-grants",
            Self::Purge => "purge",
            Self::Login => "login",
        }
    }
}

/// What is bound to a wrapped key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyContext {
    /// The generation, or the tenant's environment, that it belongs to.
    pub scope: String,
    /// What it seals.
    pub purpose: Purpose,
}

impl KeyContext {
    /// The context of a key of `scope` for a purpose.
    #[must_use]
    pub fn new(scope: impl fmt::Display, purpose: Purpose) -> Self {
        Self { scope: scope.to_string(), purpose }
    }
}

impl fmt::Display for KeyContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.scope, self.purpose.as_str())
    }
}

/// The key service. `context` is bound to the wrapped key: unwrapping under another context fails.
#[async_trait]
pub trait DataKeys: Send + Sync {
    /// Makes a new 256-bit data key: in the clear, and wrapped.
    async fn generate(
        &self,
        context: &KeyContext,
    ) -> Result<(Zeroizing<[u8; 32]>, WrappedKey), PortError>;

    /// The data key in the clear.
    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &KeyContext,
    ) -> Result<Zeroizing<[u8; 32]>, PortError>;
}
