//! One error for all ports: what was being done, and whether trying again can help.

use std::error::Error;

/// The prospects of the same call: it may succeed later, or it never will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// A passing fault or load: try again.
    Retry,
    /// It will fail the same way each time: someone has to act.
    Reject,
    /// The customer's data cannot be opened until the operator gives the key back, or takes the
    /// tenant's hand-over back. The same call succeeds then: the work waits.
    Pause,
}

/// A port's call failed.
#[derive(Debug, thiserror::Error)]
#[error("{action} failed")]
pub struct PortError {
    /// The action that failed, as in "write items". Never holds data.
    pub action: &'static str,
    /// The advice on trying again.
    pub disposition: Disposition,
    /// The cause.
    pub source: Box<dyn Error + Send + Sync>,
}

impl PortError {
    /// A failure that may pass.
    pub fn retry(action: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { action, disposition: Disposition::Retry, source: source.into() }
    }

    /// A failure that will not pass by itself.
    pub fn reject(action: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { action, disposition: Disposition::Reject, source: source.into() }
    }
}
