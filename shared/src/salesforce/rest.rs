//! REST: describe, queries, single records, collections, deletions and limits.

use std::collections::BTreeMap;

use futures::{Stream, stream};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::client::{Client, Reply, Session};
use super::datetime::{format_datetime, parse_datetime};
use super::describe::{ObjectDescribe, ObjectSummary};
use super::error::{ApiError, ApiErrorWire, SalesforceError};
use super::http::Request;
use super::id::SalesforceId;
use super::limits::OrgLimits;
use super::record::Record;
use super::soql::{Soql, object_name};

const JSON: &str = "application/json";

/// Most records of one collection call.
const MAX_COLLECTION: usize = 200;

/// Which rows a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryScope {
    /// `query`: rows that are neither deleted nor archived.
    Live,
    /// `queryAll`: all rows, those in the recycle bin and archived activities too.
    All,
}

/// Where the next page of a query is. It lives two days at Salesforce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueryLocator(String);

/// The locator is not a path that Salesforce gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a query's next page")]
pub struct QueryLocatorError;

impl TryFrom<String> for QueryLocator {
    type Error = QueryLocatorError;

    /// Takes `/services/data/v62.0/query/…` and nothing that could lead elsewhere on the host.
    fn try_from(path: String) -> Result<Self, QueryLocatorError> {
        let parts: Vec<&str> = path.split('/').collect();
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=".contains(&b))
        };
        match parts.as_slice() {
            ["", "services", "data", version, "query" | "queryAll", locator]
                if plain(version) && plain(locator) =>
            {
                Ok(Self(path))
            }
            _ => Err(QueryLocatorError),
        }
    }
}

impl From<QueryLocator> for String {
    fn from(locator: QueryLocator) -> Self {
        locator.0
    }
}

/// One page of a query's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPage {
    /// Rows of the whole query.
    pub total_size: u64,
    /// The rows; Salesforce may give fewer than 2,000 on any page.
    pub records: Vec<Record>,
    /// The next page, if this is not the last.
    pub next: Option<QueryLocator>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryPageWire {
    total_size: u64,
    done: bool,
    #[serde(default)]
    next_records_url: Option<String>,
    #[serde(default)]
    records: Vec<Record>,
}

impl QueryPageWire {
    fn into_page(self) -> Result<QueryPage, SalesforceError> {
        let problem = "a page that is not the last and names no next one";
        let broken = || SalesforceError::Protocol { status: 200, problem };
        let next = match (self.done, self.next_records_url) {
            (true, _) => None,
            (false, Some(path)) => Some(QueryLocator::try_from(path).map_err(|_| broken())?),
            (false, None) => return Err(broken()),
        };
        Ok(QueryPage { total_size: self.total_size, records: self.records, next })
    }
}

/// What to do when a duplicate rule of the org objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuplicateRuleHandling {
    /// Stop, and tell which records are alike.
    #[default]
    Stop,
    /// Write all the same, where the rule lets one.
    AllowSave,
}

/// How a write is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// Duplicate rules.
    pub duplicates: DuplicateRuleHandling,
    /// Let the org's assignment rules choose the owner of a new lead. Off unless asked for: the owner that was given stays.
    pub auto_assign: bool,
    /// Refuse with 412 when the row was changed since then; to the second.
    pub if_unmodified_since: Option<Timestamp>,
}

/// What became of one record of a collection.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteRow {
    /// Written.
    Saved(SalesforceId),
    /// Not written, for these reasons.
    Failed(Vec<ApiError>),
}

/// A record for a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord {
    /// The object.
    pub object: String,
    /// Its fields.
    pub fields: Map<String, Value>,
}

/// A row that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedRecord {
    /// The row.
    pub id: SalesforceId,
    /// When.
    pub deleted_at: Timestamp,
}

/// The answer of `/deleted`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedRecords {
    /// The rows.
    pub records: Vec<DeletedRecord>,
    /// The log reaches back to here; an older start has lost deletions, and all ids must be compared.
    pub earliest_available: Timestamp,
    /// The log is complete up to here: start from it next time.
    pub latest_covered: Timestamp,
}

impl Client {
    /// Lists the objects this user may see.
    pub async fn describe_global(
        &self,
        session: &Session,
    ) -> Result<Reply<Vec<ObjectSummary>>, SalesforceError> {
        #[derive(Deserialize)]
        struct Global {
            sobjects: Vec<ObjectSummary>,
        }
        let request = self.request(Method::GET, &["sobjects"]);
        let reply: Reply<Global> = self.send_json(session, request).await?;
        Ok(reply.map(|global| global.sobjects))
    }

    /// Describes an object. An object that is hidden from this user is `Refused` with 404.
    pub async fn describe(
        &self,
        session: &Session,
        object: &str,
    ) -> Result<Reply<ObjectDescribe>, SalesforceError> {
        let path = ["sobjects", object_name(object)?, "describe"];
        self.send_json(session, self.request(Method::GET, &path)).await
    }

    /// Runs a query and gives its first page.
    pub async fn query(
        &self,
        session: &Session,
        scope: QueryScope,
        soql: &Soql,
    ) -> Result<Reply<QueryPage>, SalesforceError> {
        let path = match scope {
            QueryScope::Live => "query",
            QueryScope::All => "queryAll",
        };
        let request = self.request(Method::GET, &[path]).query("q", soql.as_str());
        self.send_query(session, request).await
    }

    /// Gives the next page of a query.
    pub async fn query_next(
        &self,
        session: &Session,
        locator: &QueryLocator,
    ) -> Result<Reply<QueryPage>, SalesforceError> {
        let request = Request::new(Method::GET, locator.0.split('/').skip(1));
        self.send_query(session, request).await
    }

    async fn send_query(
        &self,
        session: &Session,
        request: Request,
    ) -> Result<Reply<QueryPage>, SalesforceError> {
        // A wish that Salesforce bounds by the width of the rows.
        let request =
            request.header("sforce-query-options", HeaderValue::from_static("batchSize=2000"));
        let reply: Reply<QueryPageWire> = self.send_json(session, request).await?;
        Ok(Reply { value: reply.value.into_page()?, observed: reply.observed })
    }

    /// Runs a query and gives its pages one after the other, each fetched when it is asked for. Ends after the first error.
    pub fn query_pages<'a>(
        &'a self,
        session: &'a Session,
        scope: QueryScope,
        soql: &'a Soql,
    ) -> impl Stream<Item = Result<Reply<QueryPage>, SalesforceError>> + Send + 'a {
        enum Next {
            First,
            At(QueryLocator),
            End,
        }
        stream::unfold(Next::First, move |next| async move {
            let page = match next {
                Next::First => self.query(session, scope, soql).await,
                Next::At(locator) => self.query_next(session, &locator).await,
                Next::End => return None,
            };
            let locator = page.as_ref().ok().and_then(|page| page.value.next.clone());
            Some((page, locator.map_or(Next::End, Next::At)))
        })
    }

    /// The number of rows of a query, best made by [`Select::count`](super::Select::count).
    pub async fn count(
        &self,
        session: &Session,
        scope: QueryScope,
        soql: &Soql,
    ) -> Result<Reply<u64>, SalesforceError> {
        let page = self.query(session, scope, soql).await?;
        Ok(page.map(|page| page.total_size))
    }

    /// Reads one record.
    pub async fn read(
        &self,
        session: &Session,
        object: &str,
        id: SalesforceId,
        fields: &[&str],
    ) -> Result<Reply<Record>, SalesforceError> {
        let path = ["sobjects", object_name(object)?, id.as_str()];
        let mut request = self.request(Method::GET, &path);
        if !fields.is_empty() {
            request = request.query("fields", fields.join(","));
        }
        self.send_json(session, request).await
    }

    /// Creates a record and gives its id. On an error, ask [`SalesforceError::is_outcome_unknown`] before doing it again.
    pub async fn create(
        &self,
        session: &Session,
        object: &str,
        fields: &Map<String, Value>,
        options: WriteOptions,
    ) -> Result<Reply<SalesforceId>, SalesforceError> {
        #[derive(Deserialize)]
        struct Created {
            id: SalesforceId,
        }
        let path = ["sobjects", object_name(object)?];
        let request = options.apply(self.request(Method::POST, &path)).body(JSON, body_of(fields));
        let reply: Reply<Created> = self.send_json(session, request).await?;
        Ok(reply.map(|created| created.id))
    }

    /// Changes fields of a record.
    pub async fn update(
        &self,
        session: &Session,
        object: &str,
        id: SalesforceId,
        fields: &Map<String, Value>,
        options: WriteOptions,
    ) -> Result<Reply<()>, SalesforceError> {
        let path = ["sobjects", object_name(object)?, id.as_str()];
        let request = options.apply(self.request(Method::PATCH, &path)).body(JSON, body_of(fields));
        self.send_bare(session, request).await
    }

    /// Creates or changes the one record whose external-id field has this value: the write that may be repeated.
    ///
    /// Gives the id and whether it is new. More than one such record is `Refused` with 300, and nothing is written.
    pub async fn upsert(
        &self,
        session: &Session,
        object: &str,
        (key_field, key): (&str, &str),
        fields: &Map<String, Value>,
        options: WriteOptions,
    ) -> Result<Reply<(SalesforceId, bool)>, SalesforceError> {
        #[derive(Deserialize)]
        struct Upserted {
            id: SalesforceId,
            created: bool,
        }
        let path = ["sobjects", object_name(object)?, object_name(key_field)?, key];
        let request = options.apply(self.request(Method::PATCH, &path)).body(JSON, body_of(fields));
        let reply: Reply<Upserted> = self.send_json(session, request).await?;
        Ok(reply.map(|upserted| (upserted.id, upserted.created)))
    }

    /// Creates up to 200 records in one call and tells what became of each, in their order.
    pub async fn create_all(
        &self,
        session: &Session,
        records: &[NewRecord],
        all_or_none: bool,
        options: WriteOptions,
    ) -> Result<Reply<Vec<WriteRow>>, SalesforceError> {
        let given = records.len();
        if !(1..=MAX_COLLECTION).contains(&given) {
            return Err(SalesforceError::BatchSize { given, max: MAX_COLLECTION });
        }
        let mut rows = Vec::with_capacity(given);
        for record in records {
            let mut row = Map::new();
            row.insert("attributes".to_owned(), json!({"type": object_name(&record.object)?}));
            row.extend(record.fields.clone());
            rows.push(row);
        }
        let body = json!({"allOrNone": all_or_none, "records": rows});
        let request = options.apply(self.request(Method::POST, &["composite", "sobjects"]));
        let request = request.body(JSON, body.to_string().into_bytes());
        let reply: Reply<Vec<WriteRowWire>> = self.send_json(session, request).await?;
        if reply.value.len() != given {
            let problem = "results that are not as many as the records";
            return Err(SalesforceError::Protocol { status: 200, problem });
        }
        Ok(reply.map(|rows| rows.into_iter().map(Into::into).collect()))
    }

    /// Lists rows deleted between two moments, at most 15 days back and more than a minute apart.
    pub async fn deleted(
        &self,
        session: &Session,
        object: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Reply<DeletedRecords>, SalesforceError> {
        let path = ["sobjects", object_name(object)?, "deleted"];
        let request = self.request(Method::GET, &path);
        let request =
            request.query("start", format_datetime(start)).query("end", format_datetime(end));
        let reply: Reply<DeletedWire> = self.send_json(session, request).await?;
        let observed = reply.observed;
        let value = reply.value.read().ok_or(SalesforceError::Protocol {
            status: 200,
            problem: "a deletion without a moment",
        })?;
        Ok(Reply { value, observed })
    }

    /// The org's limits. Without the permission to view setup, older orgs refuse with 403: take that as unknown.
    pub async fn limits(&self, session: &Session) -> Result<Reply<OrgLimits>, SalesforceError> {
        self.send_json(session, self.request(Method::GET, &["limits"])).await
    }

    /// Approximate row counts of objects, at the cost of one request.
    pub async fn record_counts(
        &self,
        session: &Session,
        objects: &[&str],
    ) -> Result<Reply<BTreeMap<String, u64>>, SalesforceError> {
        #[derive(Deserialize)]
        struct Counts {
            #[serde(rename = "sObjects")]
            objects: Vec<Count>,
        }
        #[derive(Deserialize)]
        struct Count {
            name: String,
            count: u64,
        }
        for object in objects {
            object_name(object)?;
        }
        let request = self.request(Method::GET, &["limits", "recordCount"]);
        let request = request.query("sObjects", objects.join(","));
        let reply: Reply<Counts> = self.send_json(session, request).await?;
        Ok(reply.map(|counts| {
            counts.objects.into_iter().map(|count| (count.name, count.count)).collect()
        }))
    }
}

fn body_of(fields: &Map<String, Value>) -> Vec<u8> {
    json!(fields).to_string().into_bytes()
}

impl WriteOptions {
    fn apply(self, request: Request) -> Request {
        let allow = self.duplicates == DuplicateRuleHandling::AllowSave;
        let duplicates = if allow {
            "allowSave=true; includeRecordDetails=false; runAsCurrentUser=true"
        } else {
            "allowSave=false; includeRecordDetails=false; runAsCurrentUser=true"
        };
        let assign = if self.auto_assign { "TRUE" } else { "FALSE" };
        let mut request = request
            .header("sforce-duplicate-rule-header", HeaderValue::from_static(duplicates))
            .header("sforce-auto-assign", HeaderValue::from_static(assign));
        let since = self.if_unmodified_since.and_then(|moment| {
            let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).ok()?;
            HeaderValue::from_str(&date).ok()
        });
        if let Some(date) = since {
            request = request.header("if-unmodified-since", date);
        }
        request
    }
}

#[derive(Deserialize)]
struct WriteRowWire {
    #[serde(default)]
    id: Option<SalesforceId>,
    success: bool,
    #[serde(default)]
    errors: Vec<ApiErrorWire>,
}

impl From<WriteRowWire> for WriteRow {
    fn from(wire: WriteRowWire) -> Self {
        match wire.id {
            Some(id) if wire.success => Self::Saved(id),
            _ => Self::Failed(wire.errors.into_iter().map(Into::into).collect()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletedWire {
    deleted_records: Vec<DeletedRecordWire>,
    earliest_date_available: String,
    latest_date_covered: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletedRecordWire {
    id: SalesforceId,
    deleted_date: String,
}

impl DeletedWire {
    fn read(self) -> Option<DeletedRecords> {
        let read = |record: DeletedRecordWire| {
            let deleted_at = parse_datetime(&record.deleted_date).ok()?;
            Some(DeletedRecord { id: record.id, deleted_at })
        };
        Some(DeletedRecords {
            records: self.deleted_records.into_iter().map(read).collect::<Option<_>>()?,
            earliest_available: parse_datetime(&self.earliest_date_available).ok()?,
            latest_covered: parse_datetime(&self.latest_date_covered).ok()?,
        })
    }
}
