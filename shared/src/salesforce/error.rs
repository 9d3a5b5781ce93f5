//! What can go wrong with a call, and what to do about it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bulk::JobId;
use super::csv::CsvError;
use super::duplicates::{DuplicateResultWire, DuplicateRuleHit};
use super::soql::SoqlError;

/// Longer messages of Salesforce's are cut here: some repeat a whole query.
const MAX_MESSAGE_CHARS: usize = 2_000;

/// What the caller should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The same call may succeed later. A write must first ask [`SalesforceError::is_outcome_unknown`].
    Retry {
        /// The server's own wish, when it stated one.
        after: Option<Duration>,
    },
    /// A new access token is needed, or if the token was just refreshed, a new grant.
    Reauthorize,
    /// The org's allowance is used up: leave the org alone for a while.
    StandBack {
        /// The server's own wish, when it stated one.
        after: Option<Duration>,
    },
    /// The same call will fail again.
    Reject,
}

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
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// Salesforce's code, such as `REQUIRED_FIELD_MISSING`.
    pub code: String,
    /// Salesforce's text, or the org admin's for validation rules and triggers.
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

    /// What the caller should do about this one error.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self.code.as_str() {
            // The last two are rows of a collection whose neighbour failed: innocent, and to be sent again without it.
            "UNABLE_TO_LOCK_ROW"
            | "SERVER_UNAVAILABLE"
            | "QUERY_TIMEOUT"
            | "UNKNOWN_EXCEPTION"
            | "ALL_OR_NONE_OPERATION_ROLLED_BACK"
            | "PROCESSING_HALTED" => Disposition::Retry { after: None },
            _ if self.is_session_error() => Disposition::Reauthorize,
            _ => match self.limit() {
                Some(kind) => kind.disposition(None),
                None => Disposition::Reject,
            },
        }
    }

    fn is_session_error(&self) -> bool {
        matches!(
            self.code.as_str(),
            "INVALID_SESSION_ID"
                | "InvalidSessionId"
                | "INVALID_AUTH_HEADER"
                | "INVALID_JWT_FORMAT"
        ) && !self.denies_the_app()
    }

    /// Sessions that are alive but barred from the API: refreshing would loop.
    fn denies_the_app(&self) -> bool {
        self.message.contains("not valid for use with the REST API")
            || self.message.contains("Connected app is not attached to Agent")
    }

    fn limit(&self) -> Option<LimitKind> {
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
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl LimitKind {
    fn disposition(self, after: Option<Duration>) -> Disposition {
        match self {
            Self::ConcurrentRequests | Self::RequestRate => Disposition::Retry { after },
            Self::DailyRequests | Self::BulkJobs | Self::BulkResults | Self::Storage => {
                Disposition::StandBack { after }
            }
        }
    }
}

/// The network failed us: no whole answer came.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct TransportError {
    kind: TransportKind,
    sent: bool,
    source: reqwest::Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TransportKind {
    Connect,
    Timeout,
    Aborted,
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection to Salesforce could be made",
            Self::Timeout => "Salesforce did not answer in time",
            Self::Aborted => "the connection to Salesforce broke off",
        })
    }
}

impl TransportError {
    /// True when the request may have reached Salesforce.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.sent
    }

    /// True when a timeout ended the wait.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind == TransportKind::Timeout
    }
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> Self {
        let kind = if error.is_connect() || error.is_dns() || error.is_builder() {
            TransportKind::Connect
        } else if error.is_timeout() {
            TransportKind::Timeout
        } else {
            TransportKind::Aborted
        };
        // The URL of a query holds its literals, which may be personal data.
        Self { kind, sent: kind != TransportKind::Connect, source: error.without_url() }
    }
}

/// Why a call to Salesforce failed.
#[derive(Debug, thiserror::Error)]
pub enum SalesforceError {
    /// The access token is expired or revoked.
    #[error("Salesforce did not accept the access token ({code})")]
    Unauthorized {
        /// Salesforce's code.
        code: String,
    },
    /// A limit of the org is reached.
    #[error("a limit of the org is reached: {message}")]
    Limited {
        /// Which limit.
        kind: LimitKind,
        /// Salesforce's text.
        message: String,
        /// The server's own wish, when it stated one.
        retry_after: Option<Duration>,
    },
    /// Salesforce understood the request and refused it.
    #[error("Salesforce refused the request with status {status}{}", Listed(.errors))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Salesforce's errors; empty when the body held none.
        errors: Vec<ApiError>,
    },
    /// Salesforce cannot answer now: 406, 420, 5xx, or a page of HTML in place of an error.
    #[error("Salesforce cannot answer now, status {status}{}", Listed(.errors))]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// Salesforce's errors; empty when the body held none.
        errors: Vec<ApiError>,
        /// The server's own wish, when it stated one.
        retry_after: Option<Duration>,
    },
    /// A success that is not the answer that was asked for, such as a page of HTML.
    #[error("Salesforce answered status {status} with {problem}")]
    Protocol {
        /// The HTTP status.
        status: u16,
        /// What was wrong with it.
        problem: &'static str,
    },
    /// A bulk job ended as `Failed` or `Aborted`.
    #[error("bulk job {job} failed: {message}")]
    JobFailed {
        /// The job.
        job: JobId,
        /// Salesforce's text.
        message: String,
    },
    /// A page of bulk results was damaged or incomplete.
    #[error("a page of bulk results is damaged")]
    Page(#[from] CsvError),
    /// The network failed.
    #[error("the call to Salesforce failed on the way")]
    Transport(#[from] TransportError),
    /// The request could not be built; nothing was sent.
    #[error("the request cannot be built")]
    Query(#[from] SoqlError),
    /// More records than one call takes; nothing was sent.
    #[error("one call takes 1 to {max} records, not {given}")]
    BatchSize {
        /// Records given.
        given: usize,
        /// Salesforce's limit.
        max: usize,
    },
}

/// Errors as the end of a sentence.
struct Listed<'a>(&'a [ApiError]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .enumerate()
            .try_for_each(|(i, error)| write!(f, "{}{error}", if i == 0 { ": " } else { "; " }))
    }
}

impl SalesforceError {
    /// What the caller should do.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Unauthorized { .. } => Disposition::Reauthorize,
            Self::Limited { kind, retry_after, .. } => kind.disposition(*retry_after),
            Self::Refused { errors, .. } => match errors.as_slice() {
                [error] => error.disposition(),
                _ => Disposition::Reject,
            },
            Self::Unavailable { retry_after, .. } => Disposition::Retry { after: *retry_after },
            Self::Protocol { .. } | Self::Page(_) | Self::Transport(_) => {
                Disposition::Retry { after: None }
            }
            Self::JobFailed { .. } | Self::Query(_) | Self::BatchSize { .. } => Disposition::Reject,
        }
    }

    /// True when a write may have been carried out although this error came: it must be looked up before it is sent again.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Transport(error) => error.was_sent(),
            Self::Unavailable { status, .. } => *status >= 500 || *status == 408,
            Self::Protocol { .. } => true,
            _ => false,
        }
    }

    /// Salesforce's errors, when it gave any.
    #[must_use]
    pub fn errors(&self) -> &[ApiError] {
        match self {
            Self::Refused { errors, .. } | Self::Unavailable { errors, .. } => errors,
            _ => &[],
        }
    }

    /// Salesforce's first error code, when it gave any.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Unauthorized { code } => Some(code),
            Self::Limited {
                kind: LimitKind::DailyRequests | LimitKind::ConcurrentRequests,
                ..
            } => Some("REQUEST_LIMIT_EXCEEDED"),
            Self::Limited { kind: LimitKind::BulkJobs | LimitKind::BulkResults, .. } => {
                Some("LIMIT_EXCEEDED")
            }
            Self::Limited { kind: LimitKind::Storage, .. } => Some("STORAGE_LIMIT_EXCEEDED"),
            _ => self.errors().first().map(|error| error.code.as_str()),
        }
    }

    /// The duplicate rule that stopped a write, if one did.
    #[must_use]
    pub fn duplicates(&self) -> Option<&DuplicateRuleHit> {
        self.errors().iter().find_map(|error| error.duplicates.as_ref())
    }

    /// True when Bulk cannot run this query and REST may: compound or unsupported objects.
    #[must_use]
    pub fn is_bulk_unsupported(&self) -> bool {
        self.errors().iter().any(|error| {
            error.code == "INVALIDENTITY"
                || error.message.contains("not supported by the Bulk API")
                || error.message.contains("compound data not supported in Bulk")
                || error.message.contains("does not support query")
        })
    }

    /// Reads an answer that is not a success.
    pub(super) fn from_answer(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let parsed = parse_errors(body);
        let errors = parsed.as_deref().unwrap_or_default();
        if let Some(error) = errors.iter().find(|error| error.is_session_error()) {
            return Self::Unauthorized { code: error.code.clone() };
        }
        if status == 401 && !errors.iter().any(ApiError::denies_the_app) {
            let code = errors.first().map_or("UNAUTHORIZED", |error| &error.code);
            return Self::Unauthorized { code: code.to_owned() };
        }
        let limit = errors.iter().find_map(|error| Some((error.limit()?, &error.message)));
        if let Some((kind, message)) = limit {
            return Self::Limited { kind, message: message.clone(), retry_after };
        }
        match status {
            429 => Self::Limited {
                kind: LimitKind::RequestRate,
                message: errors.first().map(ToString::to_string).unwrap_or_default(),
                retry_after,
            },
            406 | 408 | 420 | 500.. => {
                Self::Unavailable { status, errors: parsed.unwrap_or_default(), retry_after }
            }
            // Statuses that mean the request itself, whoever answers; elsewhere a body that is not JSON comes from a machine in between.
            300..=399 | 401 | 404 | 405 | 409..=415 | 428 | 431 => {
                Self::Refused { status, errors: parsed.unwrap_or_default() }
            }
            _ => match parsed {
                Some(errors) => Self::Refused { status, errors },
                None => Self::Unavailable { status, errors: Vec::new(), retry_after },
            },
        }
    }
}

/// One error in any of the spellings: REST (`errorCode`), collections (`statusCode`), Bulk (`exceptionCode`).
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
        let message = wire.message.unwrap_or_default();
        Self {
            code: wire.error_code,
            message: message.chars().take(MAX_MESSAGE_CHARS).collect(),
            fields: wire.fields.unwrap_or_default(),
            duplicates: wire.duplicate_resut.map(Into::into),
        }
    }
}

/// Reads an array of errors or a bare one.
fn parse_errors(body: &[u8]) -> Option<Vec<ApiError>> {
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

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
