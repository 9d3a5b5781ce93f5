//! Pages of rows: fetched into the object store, then landed row by row.

use futures::future::join;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bulk_job::StoredPage;
use super::outcome::{gone, row_count};
use super::page_parts::{LandedPage, PageIndex, PagePlace, PageWriter, land_parts};
use super::{ObjectStep, Taken};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing::keys::{changed_object, read_object};
use crate::capabilities::importing::{Import, ObjectEvent, OpportunityPart};
use crate::capabilities::linking::PROBES_PER_STEP;
use crate::kernel::{ImportRunId, Record, SObject};
use crate::salesforce::{JobId, QueryLocator, QueryPage, SalesforceId, Session};
use crate::store::beside;
use crate::work::WorkError;

impl ObjectStep<'_> {
    /// Fetches a page of a bulk job.
    pub(super) async fn fetch(
        &mut self,
        job: JobId,
        locator: Option<String>,
        page: u32,
    ) -> Result<Taken, GrantError> {
        let StoredPage { rows, next } = self.download_rows(job, locator, page).await?;
        self.progress.rows_fetched += rows;
        Ok(ObjectEvent::PageFetched { next }.into())
    }

    /// Lands a page of a bulk job, and fetches the one that follows it beside that.
    pub(super) async fn land(
        &mut self,
        job: JobId,
        page: u32,
        next: Option<String>,
    ) -> Result<Taken, GrantError> {
        let land = beside("land a page", land_parts(self.place(page), self.reading()));
        let Some(next) = next else {
            let landed = land.await?;
            return if self.landed(page, landed).await? {
                self.landed_all(job).await
            } else {
                Ok(Taken::Broke(gone()))
            };
        };
        let (landed, followed) = join(land, self.download_rows(job, Some(next), page + 1)).await;
        if !self.landed(page, landed?).await? {
            return Ok(Taken::Broke(gone()));
        }
        let event = match followed {
            Ok(StoredPage { rows, next }) => {
                self.progress.rows_fetched += rows;
                ObjectEvent::PageFollowed { next }
            }
            // The step that fetches it meets the same error, and deals with it.
            Err(_) => ObjectEvent::PageLanded,
        };
        Ok(event.into())
    }

    /// Goes on after the last page of a bulk job.
    async fn landed_all(&mut self, job: JobId) -> Result<Taken, GrantError> {
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
        let mut writer = PageWriter::new(self.place(page), &self.progress.selection);
        for row in read.records {
            if writer.add(&row)? {
                writer.store_part().await?;
            }
        }
        writer.finish().await?;
        Ok(ObjectEvent::PageFetched { next: read.next.map(String::from) }.into())
    }

    /// Lands a page that was read over REST.
    pub(super) async fn land_read(
        &mut self,
        page: u32,
        next: Option<String>,
    ) -> Result<Taken, GrantError> {
        let landed = land_parts(self.place(page), self.reading()).await?;
        Ok(if !self.landed(page, landed).await? {
            Taken::Broke(gone())
        } else if next.is_some() {
            ObjectEvent::PageLanded.into()
        } else if self.progress.rows_fetched == self.progress.rows_expected {
            ObjectEvent::RowsLanded.into()
        } else {
            Taken::Broke(row_count(&self.progress))
        })
    }

    /// Counts and lists what came of landing a page. False if it is gone, or a part of it: what
    /// landed is listed all the same.
    async fn landed(&mut self, page: u32, landed: LandedPage) -> Result<bool, WorkError> {
        let LandedPage { index, landed, ids } = landed;
        self.progress.counts.add(landed.counts);
        self.list_changed(&landed.changed).await?;
        let Some(index) = index else { return Ok(false) };
        if self.progress.read_anew.is_some() {
            let (scope, object) = (self.generation.keys.scope(), self.progress.object);
            self.put_json(&read_object(scope, self.run, object, page), &ids).await?;
        }
        self.count_faults(&index);
        self.progress.pages += 1;
        Ok(true)
    }

    /// Counts the rows of a page that are not as Salesforce holds them.
    fn count_faults(&mut self, index: &PageIndex) {
        let progress = &mut self.progress;
        progress.counts.skipped += index.skipped;
        progress.counts.failed += index.too_large;
        let told = [
            (
                "ROW_TOO_LARGE",
                "rows longer than Salesforce can write were passed over",
                index.too_large,
            ),
            (
                "UNDECODABLE_TEXT",
                "texts that cannot be decoded; U+FFFD marks the places",
                index.undecodable,
            ),
            (
                "INVALID_EMAIL",
                "e-mail addresses that nobody can have were left out of their records",
                index.refused,
            ),
        ];
        for (code, message, count) in told.into_iter().filter(|(.., count)| *count > 0) {
            progress.count_errors(code, message, count);
        }
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

    /// Where our page of this number lies.
    pub(super) fn place(&self, page: u32) -> PagePlace {
        let (import, generation) = (self.import.clone(), self.generation.clone());
        PagePlace { import, generation, run: self.run, object: self.progress.object, page }
    }

    /// Stores a value for a later step.
    pub(super) async fn put_json<T: Serialize>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<(), WorkError> {
        put_json(self.import, self.generation, key, value).await
    }

    /// A value that an earlier step stored; none when it is gone.
    pub(super) async fn get_json<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, WorkError> {
        let Some(plain) = self.generation.get_object(&self.import.ports, key).await? else {
            return Ok(None);
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
        for (part, ids) in changed.chunks(PROBES_PER_STEP).enumerate() {
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
