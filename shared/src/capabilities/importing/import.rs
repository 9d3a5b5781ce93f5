//! Imports of orgs, message by message.

use crate::capabilities::audit::AuditLog;
use crate::capabilities::custody::{Custody, Grants, SalesforceApp};
use crate::capabilities::linking::MatchRuns;
use crate::kernel::ImportMessage;
use crate::ports::Ports;
use crate::store::Store;
use crate::work::{Done, WorkError, boxed};

/// Rows per result page: small enough to be landed well within a timeout, large enough that a
/// million rows cost 200 calls.
const PAGE_ROWS: u32 = 5_000;

/// Imports orgs.
#[derive(Clone)]
pub struct Import {
    pub(super) ports: Ports,
    pub(super) store: Store,
    pub(super) custody: Custody,
    pub(super) grants: Grants,
    pub(super) match_runs: MatchRuns,
    pub(super) audit: AuditLog,
    pub(super) page_rows: u32,
}

impl Import {
    /// Imports through `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let match_runs = MatchRuns::new(ports.clone(), custody.clone());
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, grants, match_runs, audit, page_rows: PAGE_ROWS }
    }

    /// The same, with this many rows on a result page.
    #[must_use]
    pub fn with_page_rows(self, page_rows: u32) -> Self {
        Self { page_rows, ..self }
    }

    /// Does one message's work.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, message: ImportMessage) -> Result<Done, WorkError> {
        match message {
            ImportMessage::Start { scope, run, trigger } => self.start(scope, run, trigger).await,
            ImportMessage::Object { scope, run, object, step } => {
                self.object(scope, run, object, step).await
            }
            ImportMessage::HandOver { scope, run, step } => self.hand_over(scope, run, step).await,
            ImportMessage::Clear { scope, run } => self.clear(scope, run).await,
        }
    }
}
