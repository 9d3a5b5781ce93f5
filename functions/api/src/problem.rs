//! The answer to a caller when something is wrong: RFC 9457 problem details, and nothing of what
//! went on inside. The errors of a capability become problems beside the routes of its resource.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::capabilities::custody::LookupError;
use shared::ports::Disposition;
use shared::work::WorkError;
use utoipa::openapi::{Ref, RefOr, Response as Described};
use utoipa::{IntoResponses, ToSchema};

/// Seconds after which a call that met a passing trouble is made again.
const SHORTLY: i64 = 5;

/// The trouble, and what to do about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A stable name that programs can tell apart.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The same in words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// The thing that this answer is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
    /// The place in the body that is wrong, as a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pointer: Option<String>,
    /// Where the seller logs in: a POST there begins the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uri", nullable = false)]
    login_url: Option<Box<str>>,
    /// Seconds after which the same call may succeed: the header `Retry-After`.
    #[serde(skip)]
    retry_after: Option<i64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        let (detail, pointer, login_url, retry_after) = (None, None, None, None);
        Self { kind, title, status: status.as_u16(), detail, pointer, login_url, retry_after }
    }

    /// With what it is about, for the person who reads it.
    #[must_use]
    pub(crate) fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// No token, or one that does not verify.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid bearer token is required")
    }

    /// A token without the role that this needs.
    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The token's roles do not allow this")
    }

    /// A seller's action by somebody without a seat.
    pub(crate) fn seat_required() -> Self {
        Self::new(StatusCode::FORBIDDEN, "seat_required", "Only a seat can do this")
    }

    /// Nothing there, or nothing that this caller may know of.
    pub(crate) fn not_found(what: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found")
            .because(format!("there is no such {what}"))
    }

    /// The resource is there, but not for this method.
    pub(crate) fn method_not_allowed() -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, "method_not_allowed", "The resource does not have this method")
            .because("the header Allow names those that it has")
    }

    /// The request says something that cannot be.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request cannot be carried out")
            .because(detail)
    }

    /// The request cannot be read.
    pub(crate) fn unreadable(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::new(status, "unreadable", "The request cannot be read").because(detail)
    }

    /// A cursor that the list did not give, or gave too long ago.
    pub(crate) fn bad_cursor(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_cursor", "The list cannot go on there")
            .because(detail)
    }

    /// With the place in the body that is wrong.
    #[must_use]
    pub(crate) fn at(mut self, pointer: String) -> Self {
        self.pointer = Some(pointer);
        self
    }

    /// The same was asked for too often; it may be in so many seconds.
    pub(crate) fn too_many(detail: String, retry_after: i64) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let problem = Self::new(status, "too_many", "This was asked for too often");
        Self { retry_after: Some(retry_after), ..problem.because(detail) }
    }

    /// The same call is being answered this moment.
    pub(crate) fn underway() -> Self {
        let detail = "the same call is being done; its answer is kept under its key";
        let problem = Self::conflict("underway", detail.to_owned());
        Self { retry_after: Some(1), ..problem }
    }

    /// CRM sync is not part of the tenant's contract.
    pub(crate) fn not_entitled(detail: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not_entitled", "Not part of the contract").because(detail)
    }

    /// Something that exists stands against it.
    pub(crate) fn conflict(kind: &'static str, detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, kind, "The state does not allow this").because(detail)
    }

    /// It was changed since the caller read it.
    pub(crate) fn stale(detail: String) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "stale", "It was changed meanwhile")
            .because(detail)
    }

    /// A connection that needs its admin.
    pub(crate) fn not_working() -> Self {
        let detail = "the connection does not work; the doctor says why, and authorizing it again \
                      mends most";
        Self::conflict("reconnect_required", detail.to_owned())
    }

    /// The seller must log in to the CRM first, there.
    pub(crate) fn login_required(login_url: String) -> Self {
        let detail = "the CRM is asked as the seller, who must log in to it first";
        let problem = Self::conflict("crm_login_required", detail.to_owned());
        Self { login_url: Some(login_url.into()), ..problem }
    }

    /// Salesforce does not answer now; it may after this long.
    pub(crate) fn later(wait: Duration) -> Self {
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(SHORTLY).max(1);
        Self { retry_after: Some(seconds), ..Self::unavailable() }
    }

    /// A service behind this one does not answer now.
    pub(crate) fn unavailable() -> Self {
        let problem =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again shortly");
        Self { retry_after: Some(SHORTLY), ..problem }
    }

    /// The operator's key is disabled or denied, or the tenant is handed over to another home.
    fn paused() -> Self {
        let problem =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "paused", "The connection is paused");
        let problem = problem.because(
            "it waits for its operator, who took the key away or moves the tenant to another home; \
             work is kept",
        );
        Self { retry_after: Some(SHORTLY), ..problem }
    }

    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
    }
}

impl IntoResponses for Problem {
    /// Every operation may answer a problem, whatever its status.
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        [("default".to_owned(), Ref::from_response_name("Problem").into())].into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<WorkError> for Problem {
    fn from(error: WorkError) -> Self {
        // The whole chain, once, here; the caller is told only whether to try again.
        let cause = error.source.to_string();
        tracing::error!(error = %error, cause, "a request failed");
        match error.disposition {
            Disposition::Retry => Self::unavailable(),
            Disposition::Reject => Self::internal(),
            Disposition::Pause => Self::paused(),
        }
    }
}

impl From<LookupError> for Problem {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NotFound(what) => Self::not_found(what),
            LookupError::Work(error) => error.into(),
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        // An id of the wrong form is an id of nothing.
        Self::not_found("thing")
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::unreadable(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}
