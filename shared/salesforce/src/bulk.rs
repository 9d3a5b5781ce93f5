//! Bulk API 2.0 queries: jobs, and their results as streams.

use std::fmt;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::client::{Client, Reply, Session};
use super::csv::RowReader;
use super::error::SalesforceError;
use super::job_id::JobId;
use super::limits::Observed;
use super::quotation::{MAX_MESSAGE_CHARS, quoted};
use super::soql::Soql;

/// Where a page of results is. It stays good as long as the job exists, so a download can be taken
/// up again days later.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Locator(pub String);

/// Which rows a job sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BulkOperation {
    /// Rows that are neither deleted nor archived.
    Query,
    /// All rows, those in the recycle bin and archived activities too.
    QueryAll,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// Accepted, waiting.
    UploadComplete,
    /// Running.
    InProgress,
    /// Done; the results can be read for seven days.
    JobComplete,
    /// Given up by Salesforce.
    Failed,
    /// Given up by a user.
    Aborted,
    /// A state this client does not know; not an end.
    #[serde(other)]
    Other,
}

/// A query job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryJob {
    /// The job.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// The object it reads.
    #[serde(default)]
    pub object: Option<String>,
    /// Rows so far; all rows once the job is complete.
    #[serde(default)]
    pub number_records_processed: Option<u64>,
    /// Times Salesforce started it again.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Milliseconds of work.
    #[serde(default)]
    pub total_processing_time: Option<u64>,
    /// False when `ORDER BY` or `LIMIT` keeps Salesforce from splitting the work.
    #[serde(default)]
    pub is_pk_chunking_supported: Option<bool>,
    /// Why it failed.
    #[serde(default)]
    pub error_message: Option<String>,
}

impl QueryJob {
    /// True when the results are ready, false while the job is on its way; a failed or aborted job
    /// is an error.
    pub fn is_complete(&self) -> Result<bool, SalesforceError> {
        match self.state {
            JobState::JobComplete => Ok(true),
            JobState::UploadComplete | JobState::InProgress | JobState::Other => Ok(false),
            JobState::Failed | JobState::Aborted => {
                let said = self.error_message.as_deref();
                let said = said.map(|message| quoted(message, MAX_MESSAGE_CHARS));
                let message = said.unwrap_or_else(|| format!("{:?}", self.state));
                Err(SalesforceError::JobFailed { job: self.id, message })
            }
        }
    }
}

/// The addresses of a job's result pages, which may be read side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultPages {
    /// Up to five pages; none stands for the first page, which needs no locator.
    pub pages: Vec<Option<Locator>>,
    /// Where the list goes on, if it does.
    pub next: Option<Locator>,
}

/// Rows of a page as it arrives.
pub type ResultRows = RowReader<BoxStream<'static, Result<Bytes, SalesforceError>>>;

/// One page of results, its body still on the way.
pub struct ResultPage {
    /// The facts in the headers.
    pub observed: Observed,
    /// The next page, if this is not the last.
    pub next: Option<Locator>,
    /// Rows of this page, as Salesforce counts them.
    pub record_count: Option<u64>,
    body: BoxStream<'static, Result<Bytes, SalesforceError>>,
}

impl ResultPage {
    /// The CSV as it arrives, decompressed. Whoever stores it should read it through
    /// [`CsvReader`](super::CsvReader) with `record_count` before trusting it.
    #[must_use]
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes, SalesforceError>> {
        self.body
    }

    /// The rows, counted against the header.
    #[must_use]
    pub fn into_rows(self) -> ResultRows {
        RowReader::new(self.body, self.record_count)
    }
}

impl fmt::Debug for ResultPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultPage")
            .field("next", &self.next)
            .field("record_count", &self.record_count)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Starts a query job. Its query is checked now: an unknown field or object is refused here.
    pub async fn create_query_job(
        &self,
        session: &Session,
        operation: BulkOperation,
        soql: &Soql,
    ) -> Result<Reply<QueryJob>, SalesforceError> {
        let body = json!({
            "operation": operation,
            "query": soql.as_str(),
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        });
        let request = self.request(Method::POST, &["jobs", "query"]);
        let request = request.body("application/json", body.to_string().into_bytes());
        self.send_json(session, request).await
    }

    /// Asks how far a job is.
    pub async fn query_job(
        &self,
        session: &Session,
        job: JobId,
    ) -> Result<Reply<QueryJob>, SalesforceError> {
        let id = job.to_string();
        self.send_json(session, self.request(Method::GET, &["jobs", "query", &id])).await
    }

    /// Opens a page of a complete job's results: the first, or the one at a locator.
    ///
    /// Pages should be asked for with some ten thousands of rows: Salesforce cuts a longer download
    /// after 20 minutes.
    pub async fn query_results(
        &self,
        session: &Session,
        job: JobId,
        locator: Option<&Locator>,
        max_records: u32,
    ) -> Result<ResultPage, SalesforceError> {
        let id = job.to_string();
        let mut request = self
            .request(Method::GET, &["jobs", "query", &id, "results"])
            .query("maxRecords", max_records.to_string())
            .header("accept", HeaderValue::from_static("text/csv"))
            .timeout(self.http.options().download_timeout);
        if let Some(Locator(locator)) = locator {
            request = request.query("locator", locator);
        }
        let answer = self.send(session, request).await?;
        let content_type = answer.header("content-type").unwrap_or_default();
        if content_type.starts_with("text/html") {
            let status = answer.status();
            return Err(SalesforceError::Protocol { status, problem: "a page of HTML" });
        }
        // The last page says `null` in so many letters.
        let next = answer.header("sforce-locator").filter(|locator| *locator != "null");
        let count = answer.header("sforce-numberofrecords");
        Ok(ResultPage {
            observed: answer.observed(),
            next: next.filter(|locator| !locator.is_empty()).map(|text| Locator(text.to_owned())),
            record_count: count.and_then(|text| text.trim().parse().ok()),
            body: answer.stream(self.http.options().most_page_bytes).boxed(),
        })
    }

    /// Lists pages of a complete job's results, to read them side by side; from the start, or from
    /// where the last list ended.
    pub async fn result_pages(
        &self,
        session: &Session,
        job: JobId,
        from: Option<&Locator>,
    ) -> Result<Reply<ResultPages>, SalesforceError> {
        let id = job.to_string();
        let mut request = self.request(Method::GET, &["jobs", "query", &id, "resultPages"]);
        if let Some(Locator(locator)) = from {
            request = request.query("locator", locator);
        }
        let reply: Reply<ResultPagesWire> = self.send_json(session, request).await?;
        Ok(reply.map(Into::into))
    }

    /// Stops a job that is on its way.
    pub async fn abort_query_job(
        &self,
        session: &Session,
        job: JobId,
    ) -> Result<Reply<QueryJob>, SalesforceError> {
        let id = job.to_string();
        let request = self.request(Method::PATCH, &["jobs", "query", &id]);
        let request = request.body("application/json", br#"{"state":"Aborted"}"#.to_vec());
        self.send_json(session, request).await
    }

    /// Deletes a job that has ended, and its results.
    pub async fn delete_query_job(
        &self,
        session: &Session,
        job: JobId,
    ) -> Result<Reply<()>, SalesforceError> {
        let id = job.to_string();
        self.send_bare(session, self.request(Method::DELETE, &["jobs", "query", &id])).await
    }
}

/// Salesforce's reference spells these keys in two ways.
#[derive(Deserialize)]
struct ResultPagesWire {
    #[serde(rename = "resultPages", alias = "resultpages", default)]
    pages: Vec<ResultUrl>,
    #[serde(rename = "nextRecordsUrl", alias = "nextRecordUrl", default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct ResultUrl {
    #[serde(rename = "resultUrl", alias = "resultURL")]
    url: String,
}

impl From<ResultPagesWire> for ResultPages {
    fn from(wire: ResultPagesWire) -> Self {
        Self {
            pages: wire.pages.iter().map(|page| locator_of(&page.url)).collect(),
            next: wire.next.as_deref().and_then(locator_of),
        }
    }
}

/// The locator of a relative URL. The rest of the URL is not followed: the client builds its own.
fn locator_of(url: &str) -> Option<Locator> {
    let base = Url::parse("https://relative.invalid/").ok()?;
    let url = base.join(url).ok()?;
    let (_, locator) = url.query_pairs().find(|(name, _)| name == "locator")?;
    Some(Locator(locator.into_owned()))
}
