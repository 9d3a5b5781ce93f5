//! Result pages: fetched once, checked against Salesforce's own count, landed row by row.

use std::time::Duration;

use futures::TryStreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::outcome::job_id;
use super::query::row_count;
use super::rows::record;
use super::{Import, Step, reading};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing::{ObjectImport, ObjectPhase, OpportunityPart};
use crate::kernel::{ImportRunId, Record, SObject, Scope};
use crate::salesforce::{CsvError, CsvReader, Locator, SalesforceError, Session};
use crate::work::WorkError;

/// How many changed records one list for the hand-over names.
pub(super) const LIST: usize = 1_000;

/// A result page as it came.
pub(super) struct Page {
    pub(super) csv: Vec<u8>,
    pub(super) rows: u64,
    pub(super) next: Option<String>,
}

impl Import {
    /// Fetches a page into the object store.
    pub(super) async fn fetch(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        job: String,
        locator: Option<String>,
        page: u32,
    ) -> Result<Step, GrantError> {
        let most = self.page_rows;
        let Page { csv, rows, next } =
            self.download(opened, run, progress, &job, locator, most).await?;
        let key = page_object(opened.keys.scope(), run, progress.object, page);
        opened.put_object(&self.ports, &key, &csv).await?;
        progress.rows_fetched += rows;
        Ok(Step::Next(ObjectPhase::Landing { job, page, next }, Duration::ZERO))
    }

    /// Downloads a page, whole.
    pub(super) async fn download(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        job: &str,
        locator: Option<String>,
        most: u32,
    ) -> Result<Page, GrantError> {
        let id = job_id(job)?;
        let client = self.grants.app().client();
        let at = &locator.map(Locator);
        let (_, page) = self
            .call(opened, run, progress, |session: Session| async move {
                let results = client.query_results(&session, id, at.as_ref(), most).await?;
                let (expected, next) = (results.record_count, results.next.clone());
                let observed = results.observed;
                let csv: Vec<u8> = results
                    .into_stream()
                    .try_fold(Vec::new(), |mut all, part| async move {
                        all.extend_from_slice(&part);
                        Ok(all)
                    })
                    .await?;
                // A page that was cut, or is a page of HTML, is fetched again.
                let rows = count_rows(&csv, expected).map_err(|_| broken_page())?;
                Ok((observed, Page { csv, rows, next: next.map(|locator| locator.0) }))
            })
            .await?;
        Ok(page)
    }

    /// Lands a fetched page.
    pub(super) async fn land(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        job: String,
        page: u32,
        next: Option<String>,
    ) -> Result<Step, GrantError> {
        let key = page_object(opened.keys.scope(), run, progress.object, page);
        let Some(csv) = opened.get_object(&self.ports, &key).await? else {
            return Err(WorkError::reject("land a page", "the fetched page is gone").into());
        };
        self.land_csv(opened, run, progress, &csv, page).await?;
        progress.pages += 1;
        if let Some(locator) = next {
            let phase = ObjectPhase::Fetching { job, locator: Some(locator), page: page + 1 };
            return Ok(Step::Next(phase, Duration::ZERO));
        }
        if progress.rows_fetched != progress.rows_expected {
            return Ok(Step::Restart(row_count(progress)));
        }
        self.forget_job(opened, run, progress, &job).await?;
        if progress.go_on(self.asked_at(progress)) {
            return Ok(Step::Next(ObjectPhase::Waiting, Duration::ZERO));
        }
        if progress.part == Some(OpportunityPart::Open) {
            progress.part = Some(OpportunityPart::Closed);
            return Ok(Step::Meanwhile(ObjectPhase::Waiting));
        }
        Ok(Step::Next(ObjectPhase::Deletions, Duration::ZERO))
    }

    async fn land_csv(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        csv: &[u8],
        page: u32,
    ) -> Result<(), WorkError> {
        let mut reader = CsvReader::new(csv, None);
        let mut records = Vec::new();
        let broken = |error: CsvError| WorkError::reject("read a page", error);
        while let Some(row) = reader.next().map_err(broken)? {
            match record(progress.object, &progress.selection, &row) {
                Some(record) => records.push(record),
                None => progress.counts.skipped += 1,
            }
        }
        if progress.read_anew.is_some() {
            let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
            let key = read_object(opened.keys.scope(), run, progress.object, page);
            self.keep(opened, &key, &ids).await?;
        }
        self.land_records(opened, run, progress, records).await
    }

    /// Lands records, and keeps the list of what they changed for the hand-over, by the step: the
    /// same step lists the same records when it is taken again.
    pub(super) async fn land_records(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        records: Vec<Record>,
    ) -> Result<(), WorkError> {
        let at = self.asked_at(progress);
        let landed = opened.records.land(reading(run, progress, at), records).await?;
        progress.counts.add(landed.counts);
        let name = format!("{:06}", progress.step);
        self.note_changed(opened, run, progress.object, &name, &landed.changed).await
    }

    /// Deletes a job whose results are landed: the org's storage for results is limited. Salesforce
    /// would delete it by itself after a week, so a failure is none of ours.
    pub(super) async fn forget_job(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        job: &str,
    ) -> Result<(), GrantError> {
        let id = job_id(job)?;
        let client = self.grants.app().client();
        let deleted = self
            .call(opened, run, progress, |session: Session| async move {
                client.delete_query_job(&session, id).await
            })
            .await;
        match deleted {
            Ok(_) | Err(GrantError::Call(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Keeps what was read, to be landed by the next step.
    pub(super) async fn keep<T: Serialize>(
        &self,
        opened: &OpenGeneration,
        key: &str,
        read: &T,
    ) -> Result<(), WorkError> {
        let plain =
            serde_json::to_vec(read).map_err(|error| WorkError::reject("keep a page", error))?;
        Ok(opened.put_object(&self.ports, key, &plain).await?)
    }

    /// What was kept.
    pub(super) async fn kept<T: DeserializeOwned>(
        &self,
        opened: &OpenGeneration,
        key: &str,
    ) -> Result<T, WorkError> {
        let Some(plain) = opened.get_object(&self.ports, key).await? else {
            return Err(WorkError::reject("land a page", "the fetched page is gone"));
        };
        serde_json::from_slice(&plain).map_err(|error| WorkError::reject("read a page", error))
    }

    /// Keeps the list of records that a step changed for the hand-over.
    pub(super) async fn note_changed(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        object: SObject,
        name: &str,
        changed: &[String],
    ) -> Result<(), WorkError> {
        for (part, ids) in changed.chunks(LIST).enumerate() {
            let key = changed_object(opened.keys.scope(), run, object, name, part);
            self.keep(opened, &key, &ids).await?;
        }
        Ok(())
    }
}

/// The folder of a run's lists of changed records of one object.
pub(crate) fn changed_folder(scope: Scope, run: ImportRunId, object: SObject) -> String {
    format!("{}changed/{run}/{object}/", scope.object_prefix())
}

pub(crate) fn page_object(scope: Scope, run: ImportRunId, object: SObject, page: u32) -> String {
    format!("{}pages/{run}/{object}/{page:06}", scope.object_prefix())
}

/// One list of changed records; the list of a step comes in parts.
pub(crate) fn changed_object(
    scope: Scope,
    run: ImportRunId,
    object: SObject,
    name: &str,
    part: usize,
) -> String {
    format!("{}{name}-{part:04}", changed_folder(scope, run, object))
}

/// Which rows a page had.
pub(crate) fn read_object(scope: Scope, run: ImportRunId, object: SObject, page: u32) -> String {
    format!("{}ids/{run}/{object}/read/{page:06}", scope.object_prefix())
}

fn broken_page() -> SalesforceError {
    SalesforceError::Protocol { status: 200, problem: "a result page that is cut or is no CSV" }
}

/// Reads a page through, which checks it against the count in its header.
fn count_rows(csv: &[u8], expected: Option<u64>) -> Result<u64, CsvError> {
    let mut reader = CsvReader::new(csv, expected);
    while reader.next()?.is_some() {}
    Ok(reader.rows())
}
