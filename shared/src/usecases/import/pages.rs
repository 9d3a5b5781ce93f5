//! Result pages: fetched once, checked against Salesforce's own count, landed row by row.

use std::time::Duration;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};

use super::{Import, Step, job_id};
use crate::domain::{
    Fields, Grantee, ImportRunId, ObjectImport, ObjectPhase, Record, SObject, Scope,
};
use crate::salesforce::{
    CsvError, CsvReader, FieldValues, Locator, Row, SalesforceError, SalesforceId, parse_datetime,
};
use crate::usecases::custody::Opened;
use crate::usecases::grants::GrantError;
use crate::work::WorkError;

use super::Counts;

/// How many changed records one list for the hand-over names.
pub(super) const LIST: usize = 1_000;

/// The furthest back that Salesforce tells of deletions (salesforce.md 3.7).
const DELETIONS_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24 - 1);

/// Salesforce wants the ends of a window more than a minute apart.
const SHORTEST_WINDOW: SignedDuration = SignedDuration::from_mins(2);

impl Import {
    /// Fetches a page into the object store.
    pub(super) async fn fetch(
        &self,
        opened: &Opened,
        run: ImportRunId,
        progress: &mut ObjectImport,
        job: String,
        locator: Option<String>,
        page: u32,
    ) -> Result<Step, GrantError> {
        let id = job_id(&job)?;
        let client = self.grants.app().client();
        let at = &locator.map(Locator);
        let most = self.page_rows;
        let (csv, expected, next) = self
            .grants
            .call(opened, Grantee::Admin, |session| async move {
                let results = client.query_results(&session, id, at.as_ref(), most).await?;
                let (expected, next) = (results.record_count, results.next.clone());
                let csv: Vec<u8> = results
                    .into_stream()
                    .try_fold(Vec::new(), |mut all, part| async move {
                        all.extend_from_slice(&part);
                        Ok(all)
                    })
                    .await?;
                // A page that was cut, or is a page of HTML, is fetched again.
                let rows = count_rows(&csv, expected).map_err(|_| broken_page())?;
                Ok((csv, rows, next))
            })
            .await?;
        let key = page_object(opened.keys.scope(), run, progress.object, page);
        opened.put_object(&self.ports, &key, &csv).await?;
        progress.rows_fetched += expected;
        let next = next.map(|locator| locator.0);
        Ok(Step::Next(ObjectPhase::Landing { job, page, next }, Duration::ZERO))
    }

    /// Lands a fetched page.
    pub(super) async fn land(
        &self,
        opened: &Opened,
        run: ImportRunId,
        progress: &mut ObjectImport,
        job: String,
        page: u32,
        next: Option<String>,
    ) -> Result<Step, GrantError> {
        let object = progress.object;
        let key = page_object(opened.keys.scope(), run, object, page);
        let Some(csv) = opened.get_object(&self.ports, &key).await? else {
            return Err(WorkError::reject("land a page", "the fetched page is gone").into());
        };
        let (rows, skipped) =
            read_rows(object, &csv).map_err(|error| WorkError::reject("read a page", error))?;
        let landed = opened.records.land(run, rows).await?;
        self.note_changed(opened, run, object, &format!("{page:06}"), &landed.changed).await?;
        progress.counts.add(landed.counts);
        progress.counts.skipped += skipped;
        progress.pages += 1;
        if let Some(locator) = next {
            let phase = ObjectPhase::Fetching { job, locator: Some(locator), page: page + 1 };
            return Ok(Step::Next(phase, Duration::ZERO));
        }
        if progress.rows_fetched != progress.rows_expected {
            let (fetched, expected) = (progress.rows_fetched, progress.rows_expected);
            return Ok(Step::End(ObjectPhase::Failed {
                code: "ROW_COUNT".to_owned(),
                message: format!("Salesforce's job holds {expected} rows, and {fetched} came"),
            }));
        }
        self.forget_job(opened, &job).await?;
        Ok(Step::Next(ObjectPhase::Deletions, Duration::ZERO))
    }

    /// Deletes a job whose results are landed: the org's storage for results is limited. Salesforce
    /// would delete it by itself after a week, so a failure is none of ours.
    async fn forget_job(&self, opened: &Opened, job: &str) -> Result<(), GrantError> {
        let id = job_id(job)?;
        let client = self.grants.app().client();
        let deleted = self
            .grants
            .call(opened, Grantee::Admin, |session| async move {
                client.delete_query_job(&session, id).await
            })
            .await;
        match deleted {
            Ok(_) | Err(GrantError::Call(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Lands the deletions that leave no trace in query results.
    pub(super) async fn land_deletions(
        &self,
        opened: &Opened,
        run: ImportRunId,
        progress: &mut ObjectImport,
        since: Timestamp,
    ) -> Result<(), GrantError> {
        let object = progress.object;
        let Some(end) = progress.asked_at else { return Ok(()) };
        if matches!(object, SObject::User | SObject::UserRole) {
            return Ok(()); // users are deactivated, never deleted
        }
        let start = since.max(end - DELETIONS_KEPT).min(end - SHORTEST_WINDOW);
        let client = self.grants.app().client();
        let reply = self
            .grants
            .call(opened, Grantee::Admin, |session| async move {
                client.deleted(&session, object.name(), start, end).await
            })
            .await?;
        let rows = reply.value.records.into_iter().map(|deleted| Record {
            object,
            id: deleted.id.to_string(),
            stamp: deleted.deleted_at,
            fields: [("IsDeleted".to_owned(), "true".to_owned())].into_iter().collect(),
        });
        let landed = opened.records.land(run, rows.collect()).await?;
        self.note_changed(opened, run, object, "deleted", &landed.changed).await?;
        progress.counts.add(Counts { unchanged: 0, ..landed.counts });
        Ok(())
    }

    /// Keeps the list of records that a page changed for the hand-over.
    pub(super) async fn note_changed(
        &self,
        opened: &Opened,
        run: ImportRunId,
        object: SObject,
        name: &str,
        changed: &[String],
    ) -> Result<(), WorkError> {
        for (part, ids) in changed.chunks(LIST).enumerate() {
            let folder = changed_folder(opened.keys.scope(), run, object);
            let key = format!("{folder}{name}-{part:04}");
            let plain = serde_json::to_vec(ids)
                .map_err(|error| WorkError::reject("write a list of changes", error))?;
            opened.put_object(&self.ports, &key, &plain).await?;
        }
        Ok(())
    }
}

/// The folder of a run's lists of changed records of one object.
pub(super) fn changed_folder(scope: Scope, run: ImportRunId, object: SObject) -> String {
    format!("{}changed/{run}/{object}/", scope.object_prefix())
}

fn page_object(scope: Scope, run: ImportRunId, object: SObject, page: u32) -> String {
    format!("{}pages/{run}/{object}/{page:06}", scope.object_prefix())
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

/// A page's rows, and how many were passed over because they do not say which record they are.
fn read_rows(object: SObject, csv: &[u8]) -> Result<(Vec<Record>, u64), CsvError> {
    let mut reader = CsvReader::new(csv, None);
    let mut rows = Vec::new();
    let mut skipped = 0;
    while let Some(row) = reader.next()? {
        match record(object, &row) {
            Some(record) => rows.push(record),
            None => skipped += 1,
        }
    }
    Ok((rows, skipped))
}

fn record(object: SObject, row: &Row<'_>) -> Option<Record> {
    let id: SalesforceId = row.get("Id")?.parse().ok()?;
    let stamp = parse_datetime(row.get("SystemModstamp")?).ok()?;
    let fields: Fields = object
        .fields()
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), row.text(name)?.into_owned())))
        .collect();
    Some(Record { object, id: id.to_string(), stamp, fields })
}
