//! One module per resource.

pub(crate) mod activities;
pub(crate) mod connections;
pub(crate) mod corrections;
pub(crate) mod directory;
pub(crate) mod matches;
pub(crate) mod models;
pub(crate) mod runs;
pub(crate) mod selections;
pub(crate) mod setup;
pub(crate) mod tenants;
pub(crate) mod votes;

use serde::Deserialize;
use shared::kernel::{Environment, TenantEnvironment, TenantId};

/// The path of everything about a connection.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct At {
    pub(crate) tenant: TenantId,
    pub(crate) environment: Environment,
}

impl At {
    pub(crate) fn environment(self) -> TenantEnvironment {
        TenantEnvironment { tenant: self.tenant, environment: self.environment }
    }
}
