//! Bulk jobs, of rows and of ids: created, polled, downloaded and deleted.

use std::time::Duration;

use futures::TryStreamExt;

use super::outcome::build;
use super::page_parts::{PageWriter, store_rows};
use super::{Ended, ObjectStep};
use crate::capabilities::custody::GrantError;
use crate::salesforce::{
    BulkOperation, CsvError, CsvReader, JobId, Locator, QueryJob, Reply, SalesforceError, Select,
    Session,
};

/// A job that is not done after this many polls (about six hours) is given up.
const MOST_POLLS: u32 = 190;

/// Where a bulk job stands.
pub(super) enum Job {
    /// Done, with this many rows.
    Complete(u64),
    /// To be polled again after this long.
    Running(Duration),
    /// Given up.
    Stuck,
}

/// A page of ids is no larger, decompressed: ten times what [`super::compare_ids`] asks for.
const MOST_ID_BYTES: usize = 32 << 20;

/// A page of ids as it came.
pub(super) struct IdPage {
    pub(super) csv: Vec<u8>,
    pub(super) next: Option<String>,
}

/// A page of rows that was stored as it came.
pub(super) struct StoredPage {
    pub(super) rows: u64,
    pub(super) next: Option<String>,
}

/// How long to wait before the next poll of a bulk job: Salesforce takes seconds for small jobs and
/// minutes for large ones, and every poll costs the org a request.
pub(super) fn poll_delay(polls: u32) -> Duration {
    Duration::from_secs(match polls {
        0..3 => 1,
        3..8 => 5,
        8..20 => 30,
        _ => 120,
    })
}

/// The error of a job that was given up.
pub(super) fn stuck() -> Ended {
    Ended::anew("JOB_STUCK", "Salesforce did not finish the bulk job within six hours")
}

impl ObjectStep<'_> {
    /// Creates a bulk job.
    pub(super) async fn create_job(
        &mut self,
        operation: BulkOperation,
        select: &Select,
    ) -> Result<Reply<QueryJob>, GrantError> {
        let soql = &build(select)?;
        let client = self.client();
        self.call(|session: Session| async move {
            client.create_query_job(&session, operation, soql).await
        })
        .await
    }

    /// Asks how far a bulk job is; stops one that takes too long.
    pub(super) async fn ask_job(&mut self, job: JobId, polls: u32) -> Result<Job, GrantError> {
        let client = self.client();
        let reply = self
            .call(|session: Session| async move { client.query_job(&session, job).await })
            .await?;
        if reply.value.is_complete().map_err(GrantError::Call)? {
            return Ok(Job::Complete(reply.value.number_records_processed.unwrap_or(0)));
        }
        if polls < MOST_POLLS {
            return Ok(Job::Running(poll_delay(polls + 1)));
        }
        let stopped = self
            .call(|session: Session| async move { client.abort_query_job(&session, job).await })
            .await;
        match stopped {
            Ok(_) | Err(GrantError::Call(_)) => Ok(Job::Stuck),
            Err(error) => Err(error),
        }
    }

    /// Downloads a page of rows into the object store, as our page of this number.
    pub(super) async fn download_rows(
        &mut self,
        job: JobId,
        locator: Option<String>,
        page: u32,
    ) -> Result<StoredPage, GrantError> {
        // Where a page cannot be used, a smaller one may.
        let most = (self.import.page_rows >> self.progress.unusable.min(16)).max(1);
        let client = self.client();
        let at = &locator.map(Locator);
        let (place, selection) = (self.place(page), &self.progress.selection.clone());
        let (_, stored) = self
            .call(|session: Session| {
                let writer = PageWriter::new(place.clone(), selection);
                // Boxed, for it is large, and every future that waits for it would be.
                Box::pin(async move {
                    let results = client.query_results(&session, job, at.as_ref(), most).await?;
                    let (observed, next) = (results.observed, results.next.clone());
                    let rows = store_rows(results.into_rows(), writer).await?;
                    let next = next.map(|locator| locator.0);
                    Ok((observed, rows.map(|rows| StoredPage { rows, next })))
                })
            })
            .await?;
        Ok(stored?)
    }

    /// Downloads a page of at most `most` ids.
    pub(super) async fn download_ids(
        &mut self,
        job: JobId,
        locator: Option<String>,
        most: u32,
    ) -> Result<IdPage, GrantError> {
        let client = self.client();
        let at = &locator.map(Locator);
        let (_, page) = self
            .call(|session: Session| async move {
                let results = client.query_results(&session, job, at.as_ref(), most).await?;
                let (expected, next) = (results.record_count, results.next.clone());
                let observed = results.observed;
                let csv: Vec<u8> = results
                    .into_stream()
                    .try_fold(Vec::new(), |mut all, part| async move {
                        if all.len() + part.len() > MOST_ID_BYTES {
                            return Err(too_large());
                        }
                        all.extend_from_slice(&part);
                        Ok(all)
                    })
                    .await?;
                check_rows(&csv, expected)?;
                Ok((observed, IdPage { csv, next: next.map(|locator| locator.0) }))
            })
            .await?;
        Ok(page)
    }

    /// Deletes a job whose results are in the object store: the org's storage for results is
    /// limited. A refusal does no harm, since Salesforce deletes the job by itself after a week.
    pub(super) async fn delete_job(&mut self, job: JobId) -> Result<(), GrantError> {
        let client = self.client();
        let deleted = self
            .call(|session: Session| async move { client.delete_query_job(&session, job).await })
            .await;
        match deleted {
            Ok(_) | Err(GrantError::Call(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn too_large() -> SalesforceError {
    SalesforceError::Protocol { status: 200, problem: "a page of ids that is too large" }
}

/// Reads a page through, which checks it against the count in its header.
fn check_rows(csv: &[u8], expected: Option<u64>) -> Result<(), CsvError> {
    let mut reader = CsvReader::new(csv, expected);
    while reader.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_polled_less_often_the_longer_it_takes_and_given_up_after_some_six_hours() {
        let delays: Vec<Duration> = (0..=MOST_POLLS).map(poll_delay).collect();
        assert!(delays.is_sorted());
        let hours = delays.iter().sum::<Duration>().as_secs_f64() / 3600.0;
        assert!((5.5..6.5).contains(&hours), "{hours}");
    }

    #[test]
    fn a_page_that_was_cut_is_seen_by_its_count() {
        let csv = b"\"Id\"\n\"003D000000QTYgNIAX\"\n";
        assert!(check_rows(csv, Some(1)).is_ok());
        assert!(check_rows(csv, Some(2)).is_err());
    }
}
