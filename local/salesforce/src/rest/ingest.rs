//! Bulk API 2.0 ingest jobs.

use super::{ApiError, Caller, Reply};

/// An ingest job.
pub(crate) struct IngestJob {}

/// Answers `/jobs/ingest…`.
pub(super) fn route(_caller: &Caller<'_>, _rest: &[&str]) -> Reply {
    Err(ApiError::not_found())
}
