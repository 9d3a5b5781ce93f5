//! A call by a user of an org, with everything that each handler reads of it.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value as Json;

use crate::call::Call;
use crate::error::{ApiError, Reply};
use crate::ids::RecordId;
use crate::org::{Access, Org};
use crate::storage::parse_date_time;

/// Answers a path below `/services/data/v…`.
pub(super) type Route = fn(&Caller<'_>, &[&str]) -> Reply;

/// A call by a user of an org.
pub(crate) struct Caller<'c> {
    pub(crate) call: &'c Call,
    pub(crate) org: Arc<Org>,
    pub(crate) user: RecordId,
    pub(crate) client_id: String,
    pub(crate) access: Access,
    /// The API version as in the path, `62.0`.
    pub(crate) version: String,
    /// The routes that answer the parts of a composite call.
    pub(super) route: Route,
}

impl Caller<'_> {
    /// The version as a number.
    pub(crate) fn number(&self) -> f64 {
        self.version.parse().unwrap_or(0.0)
    }

    /// `/services/data/v62.0`.
    pub(crate) fn root(&self) -> String {
        format!("/services/data/v{}", self.version)
    }
}

/// 405 in Salesforce's words.
pub(crate) fn method_not_allowed(caller: &Caller<'_>) -> ApiError {
    let message = format!("HTTP Method '{}' not allowed. Allowed are GET,HEAD", caller.call.method);
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
}

/// The body of a call as JSON.
pub(crate) fn json_body(caller: &Caller<'_>) -> Result<Json, ApiError> {
    let typed = caller.call.header("content-type").unwrap_or_default();
    if !typed.is_empty() && !typed.contains("json") {
        let message =
            "Content-Type header specified in HTTP request is not supported: ".to_owned() + typed;
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            message,
        ));
    }
    serde_json::from_slice(&caller.call.body).map_err(|error| {
        ApiError::bad(
            "JSON_PARSER_ERROR",
            format!("{error} at [line:{}, column:{}]", error.line(), error.column()),
        )
    })
}

/// A time of a query parameter.
pub(super) fn time_param(caller: &Caller<'_>, name: &str) -> Result<i64, ApiError> {
    caller
        .call
        .param(name)
        .and_then(|text| parse_date_time(&text.replace(' ', "+")).or_else(|| parse_date_time(text)))
        .ok_or_else(|| {
            ApiError::bad("INVALID_REPLICATION_DATE", format!("{name} is not a date and time"))
        })
}
