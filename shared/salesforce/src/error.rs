//! The errors of a call, and the advice to its caller.
//!
//! Salesforce's texts quote values, names and subjects. So an error's own text, which is logged,
//! never holds them: it has codes, API names and our words. The texts are fields of the errors, for
//! whoever seals them and shows them to those whose data they quote.

use std::fmt;
use std::time::Duration;

use super::advice::Advice;
use super::api_error::{ApiError, LimitKind, parse_errors};
use super::csv::CsvError;
use super::duplicates::DuplicateRuleHit;
use super::job_id::JobId;
use super::quotation::quoted_code;
use super::soql::SoqlError;

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
    /// The access token is expired or revoked, or the org moved to another address, which a new
    /// token response names.
    #[error("Salesforce did not accept the access token ({code})")]
    Unauthorized {
        /// Salesforce's code, or `INSTANCE_MOVED` for a redirect.
        code: String,
    },
    /// A limit of the org is reached.
    #[error("a limit of the org is reached: {kind}")]
    Limited {
        /// Which limit.
        kind: LimitKind,
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
        /// The fault in it.
        problem: &'static str,
    },
    /// A bulk job ended as `Failed` or `Aborted`.
    #[error("bulk job {job} failed{}", Coded(.message))]
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

/// The code in a text of Salesforce's, as the end of a sentence.
struct Coded<'a>(&'a str);

impl fmt::Display for Coded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_of_code = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let mut words = self.0.split(|c: char| !is_of_code(c) && !c.is_ascii_lowercase());
        let code = words.find(|word| word.contains('_') && word.chars().all(is_of_code));
        code.map_or(Ok(()), |code| write!(f, ": {}", quoted_code(code)))
    }
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
    /// True if Salesforce would refuse the same question again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self.advice(), Advice::Reject | Advice::Reauthorize)
    }

    /// The advice to the caller.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Unauthorized { .. } => Advice::Reauthorize,
            Self::Limited { kind, retry_after, .. } => kind.advice(*retry_after),
            Self::Refused { errors, .. } => match errors.as_slice() {
                [error] => error.advice(),
                _ => Advice::Reject,
            },
            Self::Unavailable { retry_after, .. } => Advice::Retry { after: *retry_after },
            Self::Protocol { .. } | Self::Page(_) | Self::Transport(_) => {
                Advice::Retry { after: None }
            }
            Self::JobFailed { .. } | Self::Query(_) | Self::BatchSize { .. } => Advice::Reject,
        }
    }

    /// True if Salesforce does not have the record or object, as far as the caller may know.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
            || matches!(self.code(), Some("NOT_FOUND" | "ENTITY_IS_DELETED"))
    }

    /// True when a write may have been carried out although this error came: it must be looked up
    /// before it is sent again.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Transport(error) => error.was_sent(),
            Self::Unavailable { status, .. } => *status >= 500 || *status == 408,
            Self::Protocol { .. } => true,
            _ => false,
        }
    }

    /// True when the org, or the way to it, does not answer: what is asked next will hardly be
    /// answered either, whatever it is.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Protocol { .. } | Self::Transport(_) => true,
            Self::Limited { kind, .. } => *kind == LimitKind::RequestRate,
            _ => false,
        }
    }

    /// True when an answer came that cannot be used: a damaged page, or not what was asked for. The
    /// same may come for ever.
    #[must_use]
    pub fn is_unusable(&self) -> bool {
        matches!(self, Self::Protocol { .. } | Self::Page(_))
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

    /// True when the query was too much for Salesforce at once: ask for fewer rows, a shorter span
    /// of time or fewer columns.
    #[must_use]
    pub fn wants_smaller_query(&self) -> bool {
        match self {
            Self::JobFailed { message, .. } => {
                message.contains("QUERY_TIMEOUT") || message.contains("retried more than")
            }
            Self::Refused { status: 414 | 431, .. } => true,
            _ => self.errors().iter().any(|error| {
                matches!(
                    error.code.as_str(),
                    "QUERY_TIMEOUT" | "OPERATION_TOO_LARGE" | "QUERY_TOO_COMPLICATED"
                )
            }),
        }
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
        if let Some(kind) = errors.iter().find_map(ApiError::limit) {
            return Self::Limited { kind, retry_after };
        }
        match status {
            429 => Self::Limited { kind: LimitKind::RequestRate, retry_after },
            406 | 408 | 420 | 500.. => {
                Self::Unavailable { status, errors: parsed.unwrap_or_default(), retry_after }
            }
            // A renamed or migrated org redirects for a while. Nobody is followed; the next refresh
            // names the new address.
            301 | 302 | 307 | 308 => Self::Unauthorized { code: "INSTANCE_MOVED".to_owned() },
            // Statuses that mean the request itself, whoever answers. Elsewhere a body that is not
            // JSON comes from a machine in between: its 404 does not say that an object is gone.
            300..=399 | 401 | 405 | 409..=415 | 428 | 431 => {
                Self::Refused { status, errors: parsed.unwrap_or_default() }
            }
            _ => match parsed {
                Some(errors) => Self::Refused { status, errors },
                None => Self::Unavailable { status, errors: Vec::new(), retry_after },
            },
        }
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
