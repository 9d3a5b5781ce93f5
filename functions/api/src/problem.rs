//! What a caller is told when something is wrong: RFC 9457 problem details, and nothing of what
//! went on inside.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::capabilities::activities::ActivityError;
use shared::capabilities::connecting::ConnectError;
use shared::capabilities::directory::DirectoryError;
use shared::capabilities::importing::{ControlError, SelectionError};
use shared::capabilities::leaving::PurgeError;
use shared::capabilities::linking::{CorrectionError, ModelError};
use shared::ports::Disposition;
use shared::work::WorkError;

/// A problem.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    /// A stable name that programs can tell apart.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self { kind, title, status: status.as_u16(), detail: None }
    }

    fn because(mut self, detail: impl Into<String>) -> Self {
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

    /// A seller's action by somebody without a seat (product decisions 7).
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
    fn unreadable(status: StatusCode, detail: String) -> Self {
        Self::new(status, "unreadable", "The request cannot be read").because(detail)
    }

    /// Something that exists stands against it.
    pub(crate) fn conflict(kind: &'static str, detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, kind, "The state does not allow this").because(detail)
    }

    /// A connection that needs its admin.
    pub(crate) fn not_working() -> Self {
        let detail = "the connection does not work; the doctor says why, and authorizing it again mends most";
        Self::conflict("reconnect_required", detail.to_owned())
    }

    /// A service behind this one does not answer now.
    pub(crate) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again shortly")
    }

    /// The operator's key is disabled or denied.
    fn paused() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "paused", "The connection is paused").because(
            "its data cannot be opened until the operator gives the key back; work is kept",
        )
    }

    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
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

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NotFound(what) => Self::not_found(what),
            ControlError::Conflict(why) => Self::conflict("run_state", why.to_owned()),
            ControlError::Invalid(why) => Self::invalid(why),
            ControlError::Work(error) => error.into(),
        }
    }
}

impl From<SelectionError> for Problem {
    fn from(error: SelectionError) -> Self {
        match error {
            SelectionError::NotFound(what) => Self::not_found(what),
            SelectionError::NotInspected => Self::conflict("not_checked", error.to_string()),
            SelectionError::Refused(_) => Self::invalid(error.to_string()),
            SelectionError::ChangedMeanwhile => {
                Self::conflict("changed_meanwhile", error.to_string())
            }
            SelectionError::Work(error) => error.into(),
        }
    }
}

impl From<shared::ports::PortError> for Problem {
    fn from(error: shared::ports::PortError) -> Self {
        WorkError::from(error).into()
    }
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Work(error) => error.into(),
            ConnectError::NotFound(what) => Self::not_found(what),
            ConnectError::NotEntitled => {
                Self::new(StatusCode::FORBIDDEN, "not_entitled", "Not part of the contract")
                    .because(error.to_string())
            }
            ConnectError::OtherOrg | ConnectError::Environment { .. } => {
                Self::conflict("other_org", error.to_string())
            }
            _ => Self::invalid(error.to_string()),
        }
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Work(error) => error.into(),
            DirectoryError::NotFound => Self::not_found("directory version"),
            DirectoryError::NotADraft => Self::conflict("not_a_draft", error.to_string()),
            _ => Self::invalid(error.to_string()),
        }
    }
}

impl From<ActivityError> for Problem {
    fn from(error: ActivityError) -> Self {
        match error {
            ActivityError::Work(error) => error.into(),
            ActivityError::NotConnected => Self::conflict("not_connected", error.to_string()),
            ActivityError::TurnedOff => Self::conflict("turned_off", error.to_string()),
            ActivityError::KeyReused => Self::conflict("key_reused", error.to_string()),
            ActivityError::Invalid(why) => Self::invalid(why),
        }
    }
}

impl From<CorrectionError> for Problem {
    fn from(error: CorrectionError) -> Self {
        match error {
            CorrectionError::Work(error) => error.into(),
            CorrectionError::NotConnected => Self::not_found("connection"),
            CorrectionError::NoRecord => Self::not_found("record"),
            _ => Self::invalid(error.to_string()),
        }
    }
}

impl From<ModelError> for Problem {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Work(error) => error.into(),
            ModelError::NotConnected => Self::not_found("connection"),
            ModelError::NotFound => Self::not_found("model"),
            ModelError::NoDirectory => Self::invalid(error.to_string()),
            ModelError::NotReady => Self::conflict("not_ready", error.to_string()),
        }
    }
}

impl From<PurgeError> for Problem {
    fn from(error: PurgeError) -> Self {
        match error {
            PurgeError::Work(error) => error.into(),
            PurgeError::NotConnected => Self::not_found("connection"),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::unreadable(rejection.status(), rejection.body_text())
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
