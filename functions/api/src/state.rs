//! The capabilities behind the routes.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use shared::capabilities::activities::Activities;
use shared::capabilities::answers::StoredAnswers;
use shared::capabilities::asking::Asking;
use shared::capabilities::audit::AuditLog;
use shared::capabilities::backlog::Backlog;
use shared::capabilities::badges::{Badges, CrmFilter};
use shared::capabilities::break_glass::BreakGlass;
use shared::capabilities::changing::{Changes, Worklists};
use shared::capabilities::connecting::{
    Connect, Inspections, NetworkAccess, SeatAuthorizations, Wizards,
};
use shared::capabilities::custody::Custody;
use shared::capabilities::directory::Directory;
use shared::capabilities::exporting::Exports;
use shared::capabilities::importing::{Import, Runs, Selections};
use shared::capabilities::leaving::{Disconnect, Offboarding};
use shared::capabilities::limits::Limits;
use shared::capabilities::linking::{ChangeMatchRules, Corrections, Matches, Models, Rematch};
use shared::capabilities::lists::Lists;
use shared::capabilities::moving::Moving;
use shared::capabilities::opportunities::{OpportunityPanels, WhoLeft};
use shared::capabilities::saving::{DryRuns, SavedLists, UndoSaving};
use shared::capabilities::seats::{CrmUsers, CrmVotes, Tenants};
use shared::capabilities::sessions::Sessions;
use shared::capabilities::settings::{ChangeSettings, SeatLogging, SeatSaving};
use shared::matching::InvalidModel;
use shared::ports::Ports;
use shared::product::{Orgs, Product};
use url::Url;

use crate::callers::Issuer;

/// The capabilities that routes call. Every request has it, so it is one reference.
#[derive(Clone)]
pub struct Api(Arc<Capabilities>);

/// What the API asks.
#[derive(Clone)]
pub struct Capabilities {
    pub(crate) issuer: Issuer,
    pub(crate) network_access: Arc<NetworkAccess>,
    /// The address of the API as browsers see it.
    pub(crate) public_base: String,
    pub(crate) custody: Custody,
    pub(crate) connect: Connect,
    pub(crate) wizards: Wizards,
    pub(crate) inspections: Inspections,
    pub(crate) seat_authorizations: SeatAuthorizations,
    pub(crate) settings: ChangeSettings,
    pub(crate) seat_logging: SeatLogging,
    pub(crate) seat_saving: SeatSaving,
    pub(crate) audit_log: AuditLog,
    pub(crate) break_glass: BreakGlass,
    pub(crate) ports: Ports,
    /// Where somebody writes who found a weakness.
    pub(crate) security_contact: Option<Url>,
    pub(crate) disconnect: Disconnect,
    pub(crate) offboarding: Offboarding,
    pub(crate) import: Import,
    pub(crate) runs: Runs,
    pub(crate) selections: Selections,
    pub(crate) rematch: Rematch,
    pub(crate) matches: Matches,
    pub(crate) badges: Badges,
    pub(crate) crm_filter: CrmFilter,
    pub(crate) exports: Exports,
    pub(crate) corrections: Corrections,
    pub(crate) models: Models,
    pub(crate) match_rules: ChangeMatchRules,
    pub(crate) answers: StoredAnswers,
    pub(crate) saved_lists: SavedLists,
    pub(crate) lists: Lists,
    pub(crate) dry_runs: DryRuns,
    pub(crate) undo_saving: UndoSaving,
    pub(crate) opportunities: OpportunityPanels,
    pub(crate) who_left: WhoLeft,
    pub(crate) activities: Activities,
    pub(crate) changes: Changes,
    pub(crate) worklists: Worklists,
    pub(crate) asking: Asking,
    pub(crate) directory: Directory,
    pub(crate) tenants: Tenants,
    pub(crate) sessions: Sessions,
    pub(crate) backlog: Backlog,
    pub(crate) crm_users: CrmUsers,
    pub(crate) crm_votes: CrmVotes,
    pub(crate) moving: Moving,
    pub(crate) limits: Limits,
}

impl Api {
    /// What `product` can do, for callers with tokens of `issuer`.
    ///
    /// # Errors
    /// When the model that is shipped is broken.
    pub fn new(
        product: &Product<Orgs>,
        issuer: Issuer,
        network_access: NetworkAccess,
    ) -> Result<Self, &'static InvalidModel> {
        let models = product.models()?;
        Ok(Self(Arc::new(Capabilities {
            issuer,
            network_access: Arc::new(network_access),
            public_base: product.public_base(),
            custody: product.custody(),
            connect: product.connect(),
            wizards: product.wizards(),
            inspections: product.inspections(),
            seat_authorizations: product.seat_authorizations(),
            settings: product.settings(),
            seat_logging: product.seat_logging(),
            seat_saving: product.seat_saving(),
            audit_log: product.audit_log(),
            break_glass: product.break_glass(),
            ports: product.ports().clone(),
            security_contact: None,
            disconnect: product.disconnect(),
            offboarding: product.offboarding(),
            import: product.import(),
            runs: product.runs(),
            selections: product.selections(),
            rematch: product.rematch(),
            matches: product.matches(models.clone()),
            badges: product.badges(),
            crm_filter: product.crm_filter(),
            exports: product.exports(),
            corrections: product.corrections(),
            match_rules: product.match_rules(models.clone()),
            models,
            answers: product.stored_answers(),
            saved_lists: product.saved_lists(),
            lists: product.lists(),
            dry_runs: product.dry_runs(),
            undo_saving: product.undo_saving(),
            opportunities: product.opportunities(),
            who_left: product.who_left(),
            activities: product.activities(),
            changes: product.changes(),
            worklists: product.worklists(),
            asking: product.asking(),
            directory: product.directory(),
            tenants: product.tenants(),
            sessions: product.sessions(),
            backlog: product.backlog(),
            crm_users: product.crm_users(),
            crm_votes: product.crm_votes(),
            moving: product.moving()?,
            limits: product.limits(),
        })))
    }

    /// The same, saying where somebody writes who found a weakness.
    #[must_use]
    pub fn with_security_contact(mut self, security_contact: Option<Url>) -> Self {
        self.security_contact = security_contact;
        self
    }
}

impl Deref for Api {
    type Target = Capabilities;

    fn deref(&self) -> &Capabilities {
        &self.0
    }
}

impl DerefMut for Api {
    fn deref_mut(&mut self) -> &mut Capabilities {
        Arc::make_mut(&mut self.0)
    }
}
