//! From an SDK's error to ours: whether to try again, and nothing of what was sent.

use std::fmt;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::ports::{Disposition, PortError};

/// Service error codes below HTTP 500 that may pass. Throttles are told by their name.
const PASSING: [&str; 12] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteBody",
    "InternalFailure",
    // An upload that was completed by a call whose answer was lost, or that was cleared away: the
    // whole is put again.
    "NoSuchUpload",
    "OperationAborted",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "RequestTimeoutException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ReplicatedWriteConflictException",
];

/// Codes that say that a key is disabled, to be deleted, or not ours to use any more.
const KEY_GONE: [&str; 4] =
    ["AccessDeniedException", "DecryptionFailure", "DisabledException", "KMSInvalidStateException"];

/// The part of an SDK's error that is kept. The SDK's own holds the request and the response, and a
/// service's message may quote either; a code and a request id never do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AwsError {
    /// The service answered with an error.
    Service { code: String, status: u16, request_id: Option<String> },
    /// No answer in time.
    TimedOut,
    /// The request did not get through, or its answer did not.
    Unreachable,
    /// The answer could not be read.
    Unreadable,
    /// The request could not be made.
    Unsendable,
    /// Part of a batch was still not done after the last attempt.
    Unprocessed { left: usize },
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { code, status, request_id } => {
                write!(f, "{code} (HTTP {status}")?;
                if let Some(id) = request_id {
                    write!(f, ", request {id}")?;
                }
                f.write_str(")")
            }
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Unreachable => f.write_str("the service could not be reached"),
            Self::Unreadable => f.write_str("the service's answer could not be read"),
            Self::Unsendable => f.write_str("the request could not be made"),
            Self::Unprocessed { left } => write!(f, "{left} entries were left undone"),
        }
    }
}

impl std::error::Error for AwsError {}

impl AwsError {
    pub(crate) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Self {
        match error {
            SdkError::ServiceError(service) => Self::Service {
                code: service.err().code().unwrap_or("Unknown").to_owned(),
                status: service.raw().status().as_u16(),
                request_id: request_id(service.raw()),
            },
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(_) => Self::Unreachable,
            SdkError::ResponseError(_) => Self::Unreadable,
            _ => Self::Unsendable,
        }
    }

    pub(crate) fn disposition(&self) -> Disposition {
        let passes = match self {
            Self::Service { code, status, .. } => {
                *status >= 500 || *status == 429 || is_throttle(code) || PASSING.contains(&&**code)
            }
            Self::TimedOut | Self::Unreachable | Self::Unreadable | Self::Unprocessed { .. } => {
                true
            }
            Self::Unsendable => false,
        };
        if passes { Disposition::Retry } else { Disposition::Reject }
    }

    /// True if the call may have had its effect although it failed.
    pub(crate) fn may_have_happened(&self) -> bool {
        match self {
            Self::Service { code, status, .. } => *status >= 500 && !is_throttle(code),
            Self::TimedOut | Self::Unreachable | Self::Unreadable => true,
            Self::Unsendable | Self::Unprocessed { .. } => false,
        }
    }

    /// True if the service refused the call since it was asked too much.
    pub(crate) fn is_throttle(&self) -> bool {
        matches!(self, Self::Service { code, .. } if is_throttle(code))
    }

    pub(crate) fn doing(self, action: &'static str) -> PortError {
        PortError { action, disposition: self.disposition(), source: self.into() }
    }
}

fn is_throttle(code: &str) -> bool {
    ["Throttl", "TooManyRequests", "RequestLimitExceeded", "ThroughputExceeded", "SlowDown"]
        .iter()
        .any(|part| code.contains(part))
}

fn request_id(response: &HttpResponse) -> Option<String> {
    let headers = response.headers();
    headers
        .get("x-amzn-requestid")
        .or_else(|| headers.get("x-amz-request-id"))
        .map(ToOwned::to_owned)
}

/// The port error of an SDK error.
pub(crate) fn failed<E: ProvideErrorMetadata>(
    action: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> PortError {
    AwsError::of(error).doing(action)
}

/// As [`failed`], for what is opened with the operator's key: without the key it waits.
pub(crate) fn unopened<E: ProvideErrorMetadata>(
    action: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> PortError {
    let gone = error.code().is_some_and(|code| KEY_GONE.contains(&code));
    let failed = failed(action, error);
    if gone { PortError { disposition: Disposition::Pause, ..failed } } else { failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(code: &str, status: u16) -> AwsError {
        AwsError::Service { code: code.to_owned(), status, request_id: None }
    }

    #[test]
    fn faults_that_pass_are_told_from_those_that_do_not() {
        for (code, status) in [
            ("ThrottlingException", 400),
            ("ProvisionedThroughputExceededException", 400),
            ("RequestLimitExceeded", 400),
            ("SlowDown", 503),
            ("InternalServerError", 500),
            ("KMSInternalException", 500),
            ("TransactionConflictException", 400),
            ("NoSuchUpload", 404),
            ("RequestTimeTooSkewed", 403),
            ("Unknown", 429),
        ] {
            assert_eq!(service(code, status).disposition(), Disposition::Retry, "{code}");
        }
        for (code, status) in [
            ("AccessDeniedException", 400),
            ("ValidationException", 400),
            ("InvalidCiphertextException", 400),
            ("DisabledException", 400),
            ("ResourceNotFoundException", 400),
            ("NoSuchBucket", 404),
        ] {
            assert_eq!(service(code, status).disposition(), Disposition::Reject, "{code}");
        }
        assert_eq!(AwsError::TimedOut.disposition(), Disposition::Retry);
        assert_eq!(AwsError::Unsendable.disposition(), Disposition::Reject);
    }

    #[test]
    fn a_throttled_call_did_not_happen() {
        assert!(!service("ThrottlingException", 400).may_have_happened());
        assert!(!service("SlowDown", 503).may_have_happened());
        assert!(service("InternalServerError", 500).may_have_happened());
        assert!(AwsError::TimedOut.may_have_happened());
    }
}
