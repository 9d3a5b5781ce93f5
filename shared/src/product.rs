//! The composition root: from ports to every capability, wired in one place.
//!
//! A function builds its product only as far as it needs: over the ports alone, then with the means
//! to open generations, then with our app at Salesforce. What needs more than a function has does
//! not compile there. Capabilities are made when they are asked for; a product is cheap to clone,
//! and all that is made of it shares its caches.

mod functions;

use std::sync::Arc;

use matching::{InvalidModel, MatchModel};

use crate::capabilities::activities::Activities;
use crate::capabilities::answers::StoredAnswers;
use crate::capabilities::asking::Asking;
use crate::capabilities::audit::AuditLog;
use crate::capabilities::backlog::Backlog;
use crate::capabilities::badges::{Badges, CrmFilter};
use crate::capabilities::break_glass::BreakGlass;
use crate::capabilities::changing::{Changes, Worklists, Writes};
use crate::capabilities::connecting::{
    Care, Connect, Inspections, SeatAuthorizations, Upkeep, Wizards,
};
use crate::capabilities::custody::{Custody, SalesforceApp};
use crate::capabilities::directory::{Directory, ShardFiles};
use crate::capabilities::exporting::{ExportSteps, Exports};
use crate::capabilities::importing::{Import, Previews, Runs, Selections};
use crate::capabilities::leaving::{Disconnect, Offboarding, PurgeSteps};
use crate::capabilities::limits::Limits;
use crate::capabilities::linking::{
    ChangeMatchRules, Corrections, MatchSteps, Matches, Models, Rematch, UnfinishedRuns,
};
use crate::capabilities::lists::Lists;
use crate::capabilities::moving::Moving;
use crate::capabilities::opportunities::{OpportunityPanels, WhoLeft};
use crate::capabilities::saving::{AutoSave, DryRuns, SavedLists, UndoSaving};
use crate::capabilities::seats::{CrmUsers, CrmVotes, Tenants};
use crate::capabilities::sessions::Sessions;
use crate::capabilities::settings::{ChangeSettings, SeatLogging, SeatSaving};
use crate::capabilities::telling::Telling;
use crate::ports::Ports;
use crate::store::Outbox;

pub use self::functions::Functions;

/// The product over some ports; `R` is what it reaches beyond them.
#[derive(Clone)]
pub struct Product<R = PortsOnly> {
    ports: Ports,
    reach: R,
}

/// Nothing but the ports.
#[derive(Clone)]
pub struct PortsOnly;

/// The data that tenants' connections brought in.
#[derive(Clone)]
pub struct Generations {
    custody: Custody,
}

/// The same, and the orgs themselves.
#[derive(Clone)]
pub struct Orgs {
    custody: Custody,
    app: SalesforceApp,
}

/// A reach that includes the generations.
pub trait ReachesGenerations {
    /// The custody that opens them.
    fn custody(&self) -> &Custody;
}

impl ReachesGenerations for Generations {
    fn custody(&self) -> &Custody {
        &self.custody
    }
}

impl ReachesGenerations for Orgs {
    fn custody(&self) -> &Custody {
        &self.custody
    }
}

impl Product {
    /// The product over `ports`.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { ports, reach: PortsOnly }
    }

    /// The product that also opens generations. `secret_prefix` is how the names of the
    /// connections' secrets begin.
    #[must_use]
    pub fn opening(self, secret_prefix: String) -> Product<Generations> {
        let custody = Custody::new(self.ports.clone(), secret_prefix);
        Product { ports: self.ports, reach: Generations { custody } }
    }
}

impl<R> Product<R> {
    /// The ports.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The outbox behind a queue's edge.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.ports.clone())
    }

    /// The directory of people and companies.
    #[must_use]
    pub fn directory(&self) -> Directory {
        Directory::new(self.ports.clone(), Arc::new(UnfinishedRuns::new(self.ports.clone())))
    }

    /// What is logged of seats.
    #[must_use]
    pub fn seat_logging(&self) -> SeatLogging {
        SeatLogging::new(self.ports.clone())
    }

    /// What auto-save does for seats.
    #[must_use]
    pub fn seat_saving(&self) -> SeatSaving {
        SeatSaving::new(self.ports.clone())
    }

    /// The settings of environments.
    #[must_use]
    pub fn settings(&self) -> ChangeSettings {
        ChangeSettings::new(self.ports.clone())
    }

    /// The audit logs of tenants.
    #[must_use]
    pub fn audit_log(&self) -> AuditLog {
        AuditLog::new(self.ports.clone())
    }

    /// The end of connections.
    #[must_use]
    pub fn disconnect(&self) -> Disconnect {
        Disconnect::new(self.ports.clone())
    }

    /// How the queues stand.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        Backlog::new(self.ports.clone())
    }

    /// The sessions of the console.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.ports.clone())
    }

    /// Votes for other CRMs.
    #[must_use]
    pub fn crm_votes(&self) -> CrmVotes {
        CrmVotes::new(self.ports.clone())
    }

    /// The limits of what callers trigger.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::new(self.ports.clone())
    }

    /// The telling of events.
    #[must_use]
    pub fn telling(&self) -> Telling {
        Telling::new(self.ports.clone())
    }
}

impl Product<Generations> {
    /// The product that also calls orgs, through `app`.
    #[must_use]
    pub fn reaching(self, app: SalesforceApp) -> Product<Orgs> {
        Product { ports: self.ports, reach: Orgs { custody: self.reach.custody, app } }
    }
}

impl<R: ReachesGenerations> Product<R> {
    /// The custody that opens generations.
    #[must_use]
    pub fn custody(&self) -> Custody {
        self.reach.custody().clone()
    }

    /// The taking in of what sellers do.
    #[must_use]
    pub fn activities(&self) -> Activities {
        Activities::new(self.ports.clone(), self.custody())
    }

    /// The taking in of what sellers create and update.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(self.ports.clone(), self.custody())
    }

    /// Sellers' worklists.
    #[must_use]
    pub fn worklists(&self) -> Worklists {
        Worklists::new(&self.ports, self.custody(), self.badges())
    }

    /// Who left sellers' opportunities.
    #[must_use]
    pub fn who_left(&self) -> WhoLeft {
        WhoLeft::new(&self.ports, self.custody(), self.badges())
    }

    /// Operators' looks at records.
    #[must_use]
    pub fn break_glass(&self) -> BreakGlass {
        BreakGlass::new(self.ports.clone(), self.custody())
    }

    /// Tenants and their seats.
    #[must_use]
    pub fn tenants(&self) -> Tenants {
        Tenants::new(self.ports.clone(), self.custody())
    }

    /// The end of grants, seats and tenants.
    #[must_use]
    pub fn offboarding(&self) -> Offboarding {
        Offboarding::new(self.ports.clone(), self.custody())
    }

    /// The CRM users that seats are.
    #[must_use]
    pub fn crm_users(&self) -> CrmUsers {
        CrmUsers::new(self.ports.clone(), self.custody())
    }

    /// The set-up wizards.
    #[must_use]
    pub fn wizards(&self) -> Wizards {
        Wizards::new(self.ports.clone(), self.custody())
    }

    /// The inspections of orgs.
    #[must_use]
    pub fn inspections(&self) -> Inspections {
        Inspections::new(self.ports.clone(), self.custody())
    }

    /// Sellers' own authorizations.
    #[must_use]
    pub fn seat_authorizations(&self) -> SeatAuthorizations {
        SeatAuthorizations::new(self.ports.clone(), self.custody())
    }

    /// Import runs as people see them.
    #[must_use]
    pub fn runs(&self) -> Runs {
        Runs::new(self.ports.clone(), self.custody())
    }

    /// Match runs as people see them.
    #[must_use]
    pub fn rematch(&self) -> Rematch {
        Rematch::new(self.ports.clone(), self.custody())
    }

    /// Matches as people see them, explained by `models`.
    #[must_use]
    pub fn matches(&self, models: Models) -> Matches {
        Matches::new(self.ports.clone(), self.custody(), models)
    }

    /// Who is in the CRM, and who is not.
    #[must_use]
    pub fn crm_filter(&self) -> CrmFilter {
        CrmFilter::new(&self.ports, self.custody())
    }

    /// Large answers as files.
    #[must_use]
    pub fn exports(&self) -> Exports {
        Exports::new(self.ports.clone(), self.custody())
    }

    /// The steps of exports.
    #[must_use]
    pub fn export_steps(&self) -> ExportSteps {
        ExportSteps::new(self.ports.clone(), self.custody())
    }

    /// The badges of people and companies.
    #[must_use]
    pub fn badges(&self) -> Badges {
        Badges::new(&self.ports, self.custody())
    }

    /// The panels of accounts' opportunities.
    #[must_use]
    pub fn opportunities(&self) -> OpportunityPanels {
        OpportunityPanels::new(&self.ports, self.custody())
    }

    /// The rules of matching, over the thresholds of `models`.
    #[must_use]
    pub fn match_rules(&self, models: Models) -> ChangeMatchRules {
        ChangeMatchRules::new(self.ports.clone(), self.custody(), models)
    }

    /// The answers of writes that may come again.
    #[must_use]
    pub fn stored_answers(&self) -> StoredAnswers {
        StoredAnswers::new(self.ports.clone(), self.custody())
    }

    /// Sellers' system lists.
    #[must_use]
    pub fn saved_lists(&self) -> SavedLists {
        SavedLists::new(self.ports.clock.clone(), self.custody())
    }

    /// The lists that sellers keep.
    #[must_use]
    pub fn lists(&self) -> Lists {
        Lists::new(self.ports.clone(), self.custody())
    }

    /// Dry runs of the auto-save rules.
    #[must_use]
    pub fn dry_runs(&self) -> DryRuns {
        DryRuns::new(self.ports.clone(), self.custody())
    }

    /// Undoings of what the auto-save rules saved.
    #[must_use]
    pub fn undo_saving(&self) -> UndoSaving {
        UndoSaving::new(self.ports.clone(), self.custody())
    }

    /// The auto-save rules.
    #[must_use]
    pub fn auto_save(&self) -> AutoSave {
        AutoSave::new(self.ports.clone(), self.custody())
    }

    /// Persons' corrections of matches.
    #[must_use]
    pub fn corrections(&self) -> Corrections {
        Corrections::new(self.ports.clone(), self.custody())
    }

    /// The models of tenants, beside the one that is shipped; a broken one refuses to start.
    pub fn models(&self) -> Result<Models, &'static InvalidModel> {
        let shipped = Arc::new(MatchModel::shipped()?.clone());
        Ok(Models::new(self.ports.clone(), self.custody(), shipped))
    }

    /// The steps of match runs, with the directory's shards from `files`.
    pub fn match_steps(
        &self,
        files: Arc<dyn ShardFiles>,
    ) -> Result<MatchSteps, &'static InvalidModel> {
        Ok(MatchSteps::new(&self.ports, &self.custody(), files, self.models()?))
    }
}

impl Product<Orgs> {
    fn app(&self) -> SalesforceApp {
        self.reach.app.clone()
    }

    /// The address of the API as browsers see it.
    #[must_use]
    pub fn public_base(&self) -> String {
        self.reach.app.public_base().as_str().trim_end_matches('/').to_owned()
    }

    /// The connecting of orgs.
    #[must_use]
    pub fn connect(&self) -> Connect {
        Connect::new(self.ports.clone(), self.custody(), self.app())
    }

    /// The care of connections.
    #[must_use]
    pub fn care(&self) -> Care {
        let (ports, custody, app) = (self.ports.clone(), self.custody(), self.app());
        let previews = Previews::new(ports.clone(), custody.clone(), app.clone());
        Care::new(Upkeep::new(ports, custody, app, self.disconnect()), previews)
    }

    /// The steps of purges, and the giving back of tokens.
    #[must_use]
    pub fn purge_steps(&self) -> PurgeSteps {
        PurgeSteps::new(self.ports.clone(), self.custody(), self.app())
    }

    /// Imports.
    #[must_use]
    pub fn import(&self) -> Import {
        Import::new(self.ports.clone(), self.custody(), self.app())
    }

    /// The choice of what is imported.
    #[must_use]
    pub fn selections(&self) -> Selections {
        Selections::new(self.ports.clone(), self.custody(), self.import())
    }

    /// The moving of tenants from one home to another; a broken shipped model refuses to start.
    pub fn moving(&self) -> Result<Moving, &'static InvalidModel> {
        let shipped = Arc::new(MatchModel::shipped()?.clone());
        Ok(Moving::new(self.ports.clone(), self.custody(), self.app(), shipped))
    }

    /// What is asked of orgs as sellers.
    #[must_use]
    pub fn asking(&self) -> Asking {
        Asking::new(self.ports.clone(), self.custody(), self.app())
    }

    /// The writing of what sellers do into the CRM; `name` is the product's in subjects.
    #[must_use]
    pub fn writes(&self, name: String) -> Writes {
        Writes::new(self.ports.clone(), self.custody(), self.app(), name)
    }

    /// Every queue's work, for one process that does all of it. A broken model refuses to start.
    pub fn functions(
        &self,
        files: Arc<dyn ShardFiles>,
        name: String,
    ) -> Result<Functions, &'static InvalidModel> {
        Functions::new(self, files, name)
    }
}
