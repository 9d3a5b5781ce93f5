//! REST writes: single records and collections.
//!
//! None is ever repeated here. After an error ask [`SalesforceError::is_outcome_unknown`]; only an
//! upsert may simply be sent again.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api_error::{ApiError, ApiErrorWire};
use super::client::{Client, Reply, Session};
use super::error::SalesforceError;
use super::http::Request;
use super::id::SalesforceId;
use super::soql::object_name;

const JSON: &str = "application/json";

/// Most records of one collection call.
const MAX_COLLECTION: usize = 200;

/// The choice for the case that a duplicate rule of the org objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuplicateRuleHandling {
    /// Stop, and tell which records are alike.
    #[default]
    Stop,
    /// Write all the same, where the rule lets one.
    AllowSave,
}

/// The options of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// Duplicate rules.
    pub duplicates: DuplicateRuleHandling,
    /// Let the org's assignment rules choose the owner of a new lead. Off unless asked for: the
    /// owner that was given stays.
    pub auto_assign: bool,
    /// Refuse with 412 when the row was changed since then; to the second.
    pub if_unmodified_since: Option<Timestamp>,
}

/// The outcome of one record of a collection.
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

impl Client {
    /// Creates a record and gives its id. On an error, ask [`SalesforceError::is_outcome_unknown`]
    /// before doing it again.
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

    /// Creates or changes the one record whose external-id field has this value: the write that may
    /// be repeated.
    ///
    /// Gives the id and whether it is new. More than one such record is `Refused` with 300, and
    /// nothing is written.
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

    /// Moves a record to the org's recycle bin. One that is there already is `Refused` with 404.
    pub async fn delete(
        &self,
        session: &Session,
        object: &str,
        id: SalesforceId,
    ) -> Result<Reply<()>, SalesforceError> {
        let path = ["sobjects", object_name(object)?, id.as_str()];
        self.send_bare(session, self.request(Method::DELETE, &path)).await
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
