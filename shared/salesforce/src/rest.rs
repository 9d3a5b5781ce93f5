//! REST reads beside queries: describe, single records, suggestions, deletions and limits.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;

use super::client::{Client, Reply, Session};
use super::datetime::{format_datetime, parse_datetime};
use super::describe::{ObjectDescribe, ObjectSummary};
use super::error::SalesforceError;
use super::id::SalesforceId;
use super::limits::OrgLimits;
use super::record::{FieldValues, Record};
use super::soql::object_name;

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
    /// The log reaches back to here; an older start has lost deletions, and all ids must be
    /// compared.
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

    /// Reads the content of a field that REST serves as a file, such as `ContentNote`'s `Content`.
    pub async fn read_content(
        &self,
        session: &Session,
        object: &str,
        id: SalesforceId,
        field: &str,
    ) -> Result<Reply<Bytes>, SalesforceError> {
        let path = ["sobjects", object_name(object)?, id.as_str(), object_name(field)?];
        let answer = self.send(session, self.request(Method::GET, &path)).await?;
        let observed = answer.observed();
        Ok(Reply { value: answer.bytes().await?, observed })
    }

    /// The records of an object whose name has these words, the last of them as a word's beginning:
    /// at most `most`, in the org's own order of relevance. Salesforce looks into its index, which
    /// may be minutes behind, and answers fewer than three characters with nothing (two in Chinese,
    /// Japanese and Korean). More than 255 characters are an error.
    ///
    /// Source: REST API Developer Guide, Search for Records Suggested by Autocomplete.
    pub async fn suggestions(
        &self,
        session: &Session,
        object: &str,
        words: &str,
        most: u32,
    ) -> Result<Reply<Vec<SalesforceId>>, SalesforceError> {
        #[derive(Deserialize)]
        struct Suggestions {
            #[serde(rename = "autoSuggestResults")]
            found: Vec<Record>,
        }
        let request = self.request(Method::GET, &["search", "suggestions"]);
        let request = request
            .query("q", words)
            .query("sobject", object_name(object)?)
            .query("limit", most.to_string());
        let reply: Reply<Suggestions> = self.send_json(session, request).await?;
        Ok(reply.map(|told| told.found.iter().filter_map(FieldValues::id).collect()))
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

    /// The org's limits. Without the permission to view setup, older orgs refuse with 403: take
    /// that as unknown.
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
