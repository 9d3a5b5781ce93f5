//! How a piece of work ends.

use std::error::Error;
use std::time::Duration;

use crate::ports::{Disposition, PortError};

/// Work that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It is done, or was done before, or need not be done any more.
    Finished,
    /// It cannot be done yet; the same message is to come again after this long.
    Later(Duration),
}

/// Work that failed.
#[derive(Debug, thiserror::Error)]
#[error("{action} failed")]
pub struct WorkError {
    /// What was being done. Never holds data.
    pub action: &'static str,
    /// Whether to try again.
    pub disposition: Disposition,
    /// The cause.
    pub source: Box<dyn Error + Send + Sync>,
}

impl WorkError {
    /// A failure that may pass.
    pub fn retry(action: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { action, disposition: Disposition::Retry, source: source.into() }
    }

    /// A failure that will not pass by itself.
    pub fn reject(action: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { action, disposition: Disposition::Reject, source: source.into() }
    }
}

impl From<PortError> for WorkError {
    fn from(error: PortError) -> Self {
        Self { action: error.action, disposition: error.disposition, source: error.source }
    }
}
