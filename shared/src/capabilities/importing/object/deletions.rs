//! Rows that no query of changes shows: deleted without a trace, or gone from the filter.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::outcome::{build, gone};
use super::query::REST_ROWS;
use super::selection_query::{IDS_AT_ONCE, selection_query};
use super::{ObjectStep, Taken};
use crate::capabilities::custody::GrantError;
use crate::capabilities::importing::ObjectEvent;
use crate::capabilities::importing::keys::deleted_object;
use crate::kernel::{Gone, Record, RecordChange};
use crate::salesforce::{
    Condition, DeletedRecords, FieldValues, QueryScope, Record as RestRecord, SalesforceId, Select,
    Session, parse_datetime,
};

/// The furthest back that Salesforce's log of deletions reaches, and that the recycle bin keeps
/// rows: 15 days, less an hour for clocks that differ.
const DELETIONS_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24 - 1);

/// Salesforce wants the ends of a window more than a minute apart.
const SHORTEST_WINDOW: SignedDuration = SignedDuration::from_mins(2);

/// A row that went without a trace in the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GoneRow {
    /// Its id.
    pub(crate) id: SalesforceId,
    /// When it went.
    pub(crate) at: Timestamp,
    /// Why.
    pub(crate) gone: Gone,
}

impl ObjectStep<'_> {
    /// Asks for rows that the query of changes does not show: deletions that bypass the recycle
    /// bin, and rows that left the filter.
    pub(super) async fn fetch_deletions(&mut self) -> Result<Taken, GrantError> {
        let object = self.progress.object;
        let end = self.asked_at();
        let Some(since) = self.progress.since else {
            return Ok(ObjectEvent::NoDeletions { complete: true }.into());
        };
        let mut gone = Vec::new();
        let mut complete = true;
        if object.has_is_deleted() {
            complete = since >= end - DELETIONS_KEPT;
            if !object.deletions_show() {
                let start = since.max(end - DELETIONS_KEPT).min(end - SHORTEST_WINDOW);
                let log = self.log_of_deletions(start, end).await?;
                complete &= log.earliest_available <= start;
                gone.extend(log.records.iter().map(|deleted| GoneRow {
                    id: deleted.id,
                    at: deleted.deleted_at,
                    gone: Gone::Deleted,
                }));
            }
        }
        if !self.progress.selection.conditions.is_empty() {
            match self.left_the_filter(since).await? {
                Some(left) => gone.extend(left),
                None => complete = false,
            }
        }
        if gone.is_empty() {
            return Ok(ObjectEvent::NoDeletions { complete }.into());
        }
        self.put_json(&self.deleted_object(), &gone).await?;
        Ok(ObjectEvent::DeletionsFetched { complete }.into())
    }

    async fn log_of_deletions(
        &mut self,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<DeletedRecords, GrantError> {
        let object = self.progress.object.name();
        let client = self.client();
        let reply =
            self.call(|session: Session| async move {
                client.deleted(&session, object, start, end).await
            })
            .await?;
        Ok(reply.value)
    }

    /// Lands the rows that went as deleted.
    pub(super) async fn land_deletions(&mut self) -> Result<Taken, GrantError> {
        let object = self.progress.object;
        let rows: Option<Vec<GoneRow>> = self.get_json(&self.deleted_object()).await?;
        let Some(rows) = rows else { return Ok(Taken::Broke(gone())) };
        let tombstones = rows
            .into_iter()
            .map(|GoneRow { id, at, gone }| Record::tombstone(object, id, at, gone));
        self.land_records(tombstones.collect()).await?;
        Ok(ObjectEvent::DeletionsLanded.into())
    }

    fn deleted_object(&self) -> String {
        deleted_object(self.generation.keys.scope(), self.run, self.progress.object)
    }

    /// The rows that left the filter since the last run: they changed, we hold them, and the query
    /// of changes does not show them. None if so many rows changed that all ids are better
    /// compared.
    async fn left_the_filter(
        &mut self,
        since: Timestamp,
    ) -> Result<Option<Vec<GoneRow>>, GrantError> {
        let object = self.progress.object;
        let changed = Select::from(object.name())
            .fields(["Id", "SystemModstamp"])
            .filter(Condition::ge("SystemModstamp", since));
        let Some(changed) = self.small_query(&changed).await? else { return Ok(None) };
        let row = |row: &RestRecord| {
            let stamp = parse_datetime(&row.text("SystemModstamp")?).ok()?;
            Some((row.id()?, stamp))
        };
        let changed: Vec<(SalesforceId, Timestamp)> = changed.iter().filter_map(row).collect();
        let ids: Vec<SalesforceId> = changed.iter().map(|(id, _)| *id).collect();
        let mut heads = self.generation.records.heads(object, &ids).await?;
        heads.retain(|head| head.change != RecordChange::Deleted && head.run != self.run);
        let ours: Vec<SalesforceId> = heads.into_iter().map(|head| head.id).collect();
        let mut outside: BTreeSet<SalesforceId> = ours.iter().copied().collect();
        for ids in ours.chunks(IDS_AT_ONCE) {
            let select = Select::from(object.name())
                .fields(["Id"])
                .filter(Condition::is_in("Id", ids.iter().copied()));
            let select = selection_query(select, &self.progress.selection);
            let inside = self.small_query(&select).await?.unwrap_or_default();
            for id in inside.iter().filter_map(FieldValues::id) {
                outside.remove(&id);
            }
        }
        let left = changed.into_iter().filter(|(id, _)| outside.contains(id));
        let gone = |(id, at)| GoneRow { id, at, gone: Gone::OutsideFilter };
        Ok(Some(left.map(gone).collect()))
    }

    /// The rows of a query over REST, deleted ones too; none if there are too many.
    async fn small_query(
        &mut self,
        select: &Select,
    ) -> Result<Option<Vec<RestRecord>>, GrantError> {
        let soql = &build(select)?;
        let client = self.client();
        let mut page =
            self.call(|session: Session| async move {
                client.query(&session, QueryScope::All, soql).await
            })
            .await?
            .value;
        if page.total_size > REST_ROWS {
            return Ok(None);
        }
        let mut rows = page.records;
        while let Some(locator) = &page.next {
            page = self
                .call(|session: Session| async move { client.query_next(&session, locator).await })
                .await?
                .value;
            rows.append(&mut page.records);
        }
        Ok(Some(rows))
    }
}
