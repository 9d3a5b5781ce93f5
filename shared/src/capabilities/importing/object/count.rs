//! The count of live rows, which tells of changes that no query shows.

use super::outcome::build;
use super::selection_query::selection_query;
use super::{ObjectStep, Taken};
use crate::capabilities::custody::GrantError;
use crate::capabilities::importing::ObjectEvent;
use crate::kernel::SObject;
use crate::salesforce::{BulkOperation, Condition, QueryScope, Select, Session};

impl ObjectStep<'_> {
    /// Compares our count with Salesforce's own. The ids are compared next, if that is called for.
    pub(super) async fn count(&mut self, complete: bool) -> Result<Taken, GrantError> {
        let object = self.progress.object;
        let (_, scope, live) = live_rows(object);
        let select = live(Select::count(object.name()));
        let soql = &build(&selection_query(select, &self.progress.selection))?;
        let client = self.client();
        let counted = self
            .call(|session: Session| async move { client.count(&session, scope, soql).await })
            .await;
        self.progress.salesforce_count = match counted {
            Ok(reply) => Some(reply.value),
            // More rows than Salesforce counts in its two minutes: the weekly comparison is left.
            Err(GrantError::Call(error)) if error.wants_smaller_query() => {
                self.progress.count_error("NOT_COUNTED", &error.to_string());
                None
            }
            Err(error) => return Err(error),
        };
        let slot = self.generation.keys.watermark(object);
        let watermark = self.import.store.read(&slot).await?.unwrap_or_default();
        let due = watermark.calls_for_ids(self.run, &self.progress, complete, self.asked_at());
        if due && !self.progress.swept {
            return Ok(ObjectEvent::IdsWanted.into());
        }
        // Every row was read and the counts agree: as good as a comparison of all ids.
        let live = self.progress.live_after(watermark.live);
        let agrees = self.progress.salesforce_count == Some(live);
        self.progress.swept |= self.progress.since.is_none() && agrees;
        Ok(ObjectEvent::Counted.into())
    }
}

/// How the live rows of an object are asked for: by a bulk job, by a query, and with which
/// condition. Salesforce archives activities after a year: they are hidden from `query` and still
/// in the org.
pub(super) fn live_rows(object: SObject) -> (BulkOperation, QueryScope, fn(Select) -> Select) {
    if object.is_archived() {
        let live = |select: Select| select.filter(Condition::eq("IsDeleted", false));
        (BulkOperation::QueryAll, QueryScope::All, live)
    } else {
        (BulkOperation::Query, QueryScope::Live, |select| select)
    }
}
