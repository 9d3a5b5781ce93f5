//! `/composite`: several calls in one.

use axum::http::StatusCode;

use super::{ApiError, Caller, Reply, collections};

/// Answers `/composite…`.
pub(super) fn route(caller: &Caller<'_>, rest: &[&str]) -> Reply {
    match rest {
        ["sobjects", rest @ ..] => collections::route(caller, rest),
        _ => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "The requested resource does not exist",
        )),
    }
}
