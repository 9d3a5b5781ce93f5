//! Moving a tenant from one home of the product to another: from one machine to AWS, and back.
//!
//! The old home hands the tenant over: from then on it sends, reads and takes in nothing for it. So
//! nothing changes while it is exported, and an activity is logged by one home at most. The file
//! carries what people made: settings, corrections, lists, activities and changes with where they
//! stand. The rest is fetched anew from the org. Grants and keys never leave their home.
//!
//! An import fills in and never doubles: it may be run again at any time. What belongs to an org
//! waits in the file until the same org is connected, since only then is there a key to seal it
//! under.

mod export;
mod hand_over;
mod import;
mod model;

use std::sync::Arc;

use matching::MatchModel;

use crate::capabilities::activities::Activities;
use crate::capabilities::audit::{Actor, AuditLog, Deed};
use crate::capabilities::changing::Changes;
use crate::capabilities::custody::{Custody, SalesforceApp};
use crate::capabilities::importing::Import;
use crate::capabilities::linking::{Corrections, Models};
use crate::capabilities::lists::Lists;
use crate::capabilities::saving::SavedLists;
use crate::kernel::{Connection, ConnectionState, Environment, TenantEnvironment, TenantId};
use crate::ports::{PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::Store;
use crate::work::WorkError;

pub use export::ExportPage;
pub use hand_over::HandedOver;
pub use import::ImportedLines;
pub use model::*;

/// Why a tenant cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum MovingError {
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// It may still change while it is exported.
    #[error("the tenant is not handed over; only what has come to rest is exported")]
    NotHandedOver,
    /// This is the home that it leaves.
    #[error(
        "this home has handed the tenant over: take the hand-over back, or disconnect its orgs \
         here and connect them anew before it comes back"
    )]
    HandedOver,
    /// There is nothing to attach an org's content to.
    #[error("{environment} is not connected yet; connect it to the org {org}, and import again")]
    NotConnected {
        /// Where.
        environment: Environment,
        /// The org that the content is of.
        org: SalesforceId,
    },
    /// The content is another org's.
    #[error("{environment} is connected to the org {found}, and the file is of the org {org}")]
    OtherOrg {
        /// Where.
        environment: Environment,
        /// The org that the content is of.
        org: SalesforceId,
        /// The org that is connected.
        found: SalesforceId,
    },
    /// The cursor is made up.
    #[error("cursor is not one that this export gave")]
    Cursor,
    /// A line cannot be read. It is not quoted: it may hold people's texts.
    #[error("line {number} {source}")]
    Line {
        /// Its number within the batch, from 1.
        number: usize,
        /// Why.
        source: LineError,
    },
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for MovingError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// Hands tenants over, exports and imports them.
#[derive(Clone)]
pub struct Moving {
    ports: Ports,
    store: Store,
    custody: Custody,
    import: Import,
    corrections: Corrections,
    models: Models,
    saved_lists: SavedLists,
    lists: Lists,
    activities: Activities,
    changes: Changes,
    audit: AuditLog,
}

impl Moving {
    /// Moving tenants whose orgs are reached through `app`, with `shipped` as the shipped model.
    #[must_use]
    pub fn new(
        ports: Ports,
        custody: Custody,
        app: SalesforceApp,
        shipped: Arc<MatchModel>,
    ) -> Self {
        Self {
            store: Store::new(ports.clone()),
            import: Import::new(ports.clone(), custody.clone(), app),
            corrections: Corrections::new(ports.clone(), custody.clone()),
            models: Models::new(ports.clone(), custody.clone(), shipped),
            saved_lists: SavedLists::new(ports.clock.clone(), custody.clone()),
            lists: Lists::new(ports.clone(), custody.clone()),
            activities: Activities::new(ports.clone(), custody.clone()),
            changes: Changes::new(ports.clone(), custody.clone()),
            audit: AuditLog::new(ports.clone()),
            ports,
            custody,
        }
    }

    /// Tells of a move, which only the back end makes.
    async fn tell(&self, tenant: TenantId, deed: &Deed) -> Result<(), PortError> {
        self.audit.record(tenant, &Actor::Service, deed).await
    }

    /// The tenant's connections that were not disconnected.
    async fn live(&self, tenant: TenantId) -> Result<Vec<Connection>, WorkError> {
        let mut live = Vec::new();
        for environment in Environment::ALL {
            let found = self.custody.connection(TenantEnvironment { tenant, environment }).await?;
            live.extend(found.filter(|c| c.state != ConnectionState::Disconnected));
        }
        Ok(live)
    }
}

#[cfg(test)]
mod tests;
