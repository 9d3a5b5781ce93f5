//! Salesforce's own errors, in all the forms its APIs give them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::advice::Advice;
use super::duplicates::{DuplicateResultWire, DuplicateRuleHit};
use super::quotation::{MAX_MESSAGE_CHARS, quoted, quoted_code};

/// Which of the org's limits is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// API requests in 24 hours, of the whole org.
    DailyRequests,
    /// Long-running requests at the same time: over in seconds.
    ConcurrentRequests,
    /// HTTP 429 of Salesforce's edge: over in seconds.
    RequestRate,
    /// Bulk query jobs in 24 hours.
    BulkJobs,
    /// Bulk query results in 24 hours.
    BulkResults,
    /// Data storage: no write succeeds before an admin makes room.
    Storage,
}

/// One error of Salesforce's, in its own words.
#[derive(Clone, PartialEq)]
pub struct ApiError {
    /// Salesforce's code, such as `REQUIRED_FIELD_MISSING`.
    pub code: String,
    /// Salesforce's text, or the org admin's for validation rules and triggers; without e-mail
    /// addresses and tokens. It may quote any value of a record, and is for sealed places only.
    pub message: String,
    /// The fields it is about, where it says so.
    pub fields: Vec<String>,
    /// The duplicate rule's finding, for `DUPLICATES_DETECTED`.
    pub duplicates: Option<DuplicateRuleHit>,
}

impl ApiError {
    /// The column that `INVALID_FIELD` complains of: deleted, or hidden from this user.
    #[must_use]
    pub fn missing_column(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once("No such column '")?;
        rest.split_once('\'').map(|(column, _)| column)
    }

    /// The advice to the caller about this one error.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self.code.as_str() {
            // The last two are rows of a collection whose neighbour failed: innocent, and to be
            // sent again without it.
            "UNABLE_TO_LOCK_ROW"
            | "SERVER_UNAVAILABLE"
            | "QUERY_TIMEOUT"
            | "UNKNOWN_EXCEPTION"
            | "ALL_OR_NONE_OPERATION_ROLLED_BACK"
            | "PROCESSING_HALTED" => Advice::Retry { after: None },
            _ if self.is_session_error() => Advice::Reauthorize,
            _ => match self.limit() {
                Some(kind) => kind.advice(None),
                None => Advice::Reject,
            },
        }
    }

    pub(super) fn is_session_error(&self) -> bool {
        matches!(
            self.code.as_str(),
            "INVALID_SESSION_ID"
                | "InvalidSessionId"
                | "INVALID_AUTH_HEADER"
                | "INVALID_JWT_FORMAT"
        ) && !self.denies_the_app()
    }

    /// Sessions that are alive but barred from the API: refreshing would loop.
    pub(super) fn denies_the_app(&self) -> bool {
        self.message.contains("not valid for use with the REST API")
            || self.message.contains("Connected app is not attached to Agent")
    }

    pub(super) fn limit(&self) -> Option<LimitKind> {
        match self.code.as_str() {
            "REQUEST_LIMIT_EXCEEDED" if self.message.contains("Concurrent") => {
                Some(LimitKind::ConcurrentRequests)
            }
            "REQUEST_LIMIT_EXCEEDED" => Some(LimitKind::DailyRequests),
            "LIMIT_EXCEEDED" if self.message.contains("bulk") => {
                let results = self.message.contains("result size");
                Some(if results { LimitKind::BulkResults } else { LimitKind::BulkJobs })
            }
            "STORAGE_LIMIT_EXCEEDED" => Some(LimitKind::Storage),
            _ => None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        for (at, field) in self.fields.iter().filter(|field| is_api_name(field)).enumerate() {
            write!(f, "{}{field}", if at == 0 { " of " } else { ", " })?;
        }
        match self.missing_column().filter(|column| is_api_name(column)) {
            Some(column) => write!(f, ": there is no column {column}"),
            None => Ok(()),
        }
    }
}

/// Shows no text of Salesforce's: it may quote a record.
impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ApiError").field(&self.to_string()).finish()
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DailyRequests => "API requests in 24 hours",
            Self::ConcurrentRequests => "long-running requests at the same time",
            Self::RequestRate => "requests in a short time",
            Self::BulkJobs => "bulk jobs in 24 hours",
            Self::BulkResults => "results of bulk jobs in 24 hours",
            Self::Storage => "data storage",
        })
    }
}

/// True for the name of a field or object, by its path; no value of a field looks like one for
/// long.
fn is_api_name(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_of_name)
}

impl LimitKind {
    pub(super) fn advice(self, after: Option<Duration>) -> Advice {
        match self {
            Self::ConcurrentRequests | Self::RequestRate => Advice::Retry { after },
            Self::DailyRequests | Self::BulkJobs | Self::BulkResults | Self::Storage => {
                Advice::StandBack { after }
            }
        }
    }
}

/// One error in any of the spellings: REST (`errorCode`), collections (`statusCode`), Bulk
/// (`exceptionCode`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiErrorWire {
    #[serde(alias = "statusCode", alias = "exceptionCode", alias = "error")]
    error_code: String,
    #[serde(default, alias = "exceptionMessage", alias = "error_description")]
    message: Option<String>,
    #[serde(default)]
    fields: Option<Vec<String>>,
    // The first is the spelling that Salesforce really sends.
    #[serde(default, alias = "duplicateResult")]
    duplicate_resut: Option<DuplicateResultWire>,
}

impl From<ApiErrorWire> for ApiError {
    fn from(wire: ApiErrorWire) -> Self {
        Self {
            code: quoted_code(&wire.error_code),
            message: quoted(&wire.message.unwrap_or_default(), MAX_MESSAGE_CHARS),
            fields: wire.fields.unwrap_or_default(),
            duplicates: wire.duplicate_resut.map(Into::into),
        }
    }
}

/// Reads an array of errors or a bare one.
pub(super) fn parse_errors(body: &[u8]) -> Option<Vec<ApiError>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Many(Vec<ApiErrorWire>),
        One(ApiErrorWire),
    }
    Some(match serde_json::from_slice(body).ok()? {
        Body::Many(errors) => errors.into_iter().map(Into::into).collect(),
        Body::One(error) => vec![error.into()],
    })
}
