//! Pages of rows: fetched into the object store, then landed row by row.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bulk_job::Page;
use super::outcome::row_count;
use super::rows::record;
use super::{ObjectStep, Taken};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing::keys::{changed_object, page_object, read_object};
use crate::capabilities::importing::{Import, ObjectEvent, OpportunityPart};
use crate::kernel::{ImportRunId, Record, SObject};
use crate::salesforce::{
    CsvError, CsvReader, JobId, QueryLocator, QueryPage, Record as RestRecord, SalesforceId,
    Session,
};
use crate::work::WorkError;

/// How many changed records one list for the hand-over names.
pub(in crate::capabilities::importing) const LIST: usize = 1_000;

impl ObjectStep<'_> {
    /// Fetches a page of a bulk job.
    pub(super) async fn fetch(
        &mut self,
        job: JobId,
        locator: Option<String>,
        page: u32,
    ) -> Result<Taken, GrantError> {
        let Page { csv, rows, next } = self.download(job, locator, self.import.page_rows).await?;
        self.generation.put_object(&self.import.ports, &self.page_object(page), &csv).await?;
        self.progress.rows_fetched += rows;
        Ok(ObjectEvent::PageFetched { next }.into())
    }

    /// Lands a page of a bulk job.
    pub(super) async fn land(
        &mut self,
        job: JobId,
        page: u32,
        next: Option<String>,
    ) -> Result<Taken, GrantError> {
        let key = self.page_object(page);
        let Some(csv) = self.generation.get_object(&self.import.ports, &key).await? else {
            return Err(WorkError::reject("land a page", "the fetched page is gone").into());
        };
        self.land_csv(&csv, page).await?;
        self.progress.pages += 1;
        if next.is_some() {
            return Ok(ObjectEvent::PageLanded.into());
        }
        if self.progress.rows_fetched != self.progress.rows_expected {
            return Ok(Taken::Broke(row_count(&self.progress)));
        }
        self.delete_job(job).await?;
        let now = self.asked_at();
        Ok(if self.progress.go_on(now) {
            ObjectEvent::SpanLanded
        } else if self.progress.part == Some(OpportunityPart::Open) {
            self.progress.part = Some(OpportunityPart::Closed);
            ObjectEvent::PartLanded
        } else {
            ObjectEvent::RowsLanded
        }
        .into())
    }

    async fn land_csv(&mut self, csv: &[u8], page: u32) -> Result<(), WorkError> {
        let mut reader = CsvReader::new(csv, None);
        let mut records = Vec::new();
        let broken = |error: CsvError| WorkError::reject("read a page", error);
        while let Some(row) = reader.next().map_err(broken)? {
            match record(self.progress.object, &self.progress.selection, &row) {
                Some(record) => records.push(record),
                None => self.progress.counts.skipped += 1,
            }
        }
        if self.progress.read_anew.is_some() {
            let ids: Vec<SalesforceId> = records.iter().map(|record| record.id).collect();
            let (scope, object) = (self.generation.keys.scope(), self.progress.object);
            self.put_json(&read_object(scope, self.run, object, page), &ids).await?;
        }
        self.land_records(records).await
    }

    /// Reads the next page of a small change.
    pub(super) async fn read_on(
        &mut self,
        locator: String,
        page: u32,
    ) -> Result<Taken, GrantError> {
        let locator = &QueryLocator::try_from(locator)
            .map_err(|error| WorkError::reject("read a query's next page", error))?;
        let client = self.client();
        let reply = self
            .call(|session: Session| async move { client.query_next(&session, locator).await })
            .await?;
        self.store_read(reply.value, page).await
    }

    /// Stores a page that was read over REST.
    pub(super) async fn store_read(
        &mut self,
        read: QueryPage,
        page: u32,
    ) -> Result<Taken, GrantError> {
        self.progress.rows_fetched += u64::try_from(read.records.len()).unwrap_or(u64::MAX);
        self.put_json(&self.page_object(page), &read.records).await?;
        Ok(ObjectEvent::PageFetched { next: read.next.map(String::from) }.into())
    }

    /// Lands a page that was read over REST.
    pub(super) async fn land_read(
        &mut self,
        page: u32,
        next: Option<String>,
    ) -> Result<Taken, GrantError> {
        let rows: Vec<RestRecord> = self.get_json(&self.page_object(page)).await?;
        let to_record = |row| record(self.progress.object, &self.progress.selection, row);
        let records: Vec<_> = rows.iter().filter_map(to_record).collect();
        let skipped = rows.len() - records.len();
        self.progress.counts.skipped += u64::try_from(skipped).unwrap_or(u64::MAX);
        self.land_records(records).await?;
        self.progress.pages += 1;
        Ok(if next.is_some() {
            ObjectEvent::PageLanded.into()
        } else if self.progress.rows_fetched == self.progress.rows_expected {
            ObjectEvent::RowsLanded.into()
        } else {
            Taken::Broke(row_count(&self.progress))
        })
    }

    /// Lands records, and lists those that they changed for the hand-over. The lists are named by
    /// the step: a step that is taken again writes the same lists.
    pub(super) async fn land_records(&mut self, records: Vec<Record>) -> Result<(), WorkError> {
        let landed = self.generation.records.land(self.reading(), records).await?;
        self.progress.counts.add(landed.counts);
        self.list_changed(&landed.changed).await
    }

    /// Lists the records that this step changed for the hand-over.
    pub(super) async fn list_changed(&self, changed: &[SalesforceId]) -> Result<(), WorkError> {
        let name = format!("{:06}", self.progress.step);
        let object = self.progress.object;
        self.import.list_changed(self.generation, self.run, object, &name, changed).await
    }

    fn page_object(&self, page: u32) -> String {
        page_object(self.generation.keys.scope(), self.run, self.progress.object, page)
    }

    /// Stores a value for a later step.
    pub(super) async fn put_json<T: Serialize>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<(), WorkError> {
        put_json(self.import, self.generation, key, value).await
    }

    /// A value that an earlier step stored.
    pub(super) async fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<T, WorkError> {
        let Some(plain) = self.generation.get_object(&self.import.ports, key).await? else {
            return Err(WorkError::reject("land a page", "the fetched page is gone"));
        };
        serde_json::from_slice(&plain).map_err(|error| WorkError::reject("read a page", error))
    }
}

impl Import {
    /// Stores lists of changed records for the hand-over.
    pub(in crate::capabilities::importing) async fn list_changed(
        &self,
        generation: &OpenGeneration,
        run: ImportRunId,
        object: SObject,
        name: &str,
        changed: &[SalesforceId],
    ) -> Result<(), WorkError> {
        for (part, ids) in changed.chunks(LIST).enumerate() {
            let key = changed_object(generation.keys.scope(), run, object, name, part);
            put_json(self, generation, &key, &ids).await?;
        }
        Ok(())
    }
}

async fn put_json<T: Serialize>(
    import: &Import,
    generation: &OpenGeneration,
    key: &str,
    value: &T,
) -> Result<(), WorkError> {
    let plain =
        serde_json::to_vec(value).map_err(|error| WorkError::reject("store a page", error))?;
    Ok(generation.put_object(&import.ports, key, &plain).await?)
}
