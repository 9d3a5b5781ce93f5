//! The answer of a capability to the queue that handed it a message, and the time it has.

use std::error::Error;
use std::time::Duration;

/// Boxes the future of a capability's function, so that its body is made in this crate, once.
///
/// The compiler makes the body of an `async fn` in each crate that awaits it, and once more for
/// each part of that crate (`docs/decisions/0017-what-others-await-is-boxed.md`).
pub(crate) use async_recursion::async_recursion as boxed;
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Disposition, PortError};

/// A run's objects are deleted so long after its end: longer than any function's time, so that a
/// step of it that is still under way writes none after that.
pub const CLEAR_AFTER: Duration = Duration::from_mins(15);

/// The outcome of a message's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message that is neither finished nor put off comes back"]
pub enum Done {
    /// It is done, or was done before: the message and the due item behind it can go.
    Finished,
    /// It is not done yet: the same message comes again after this long.
    Later(Duration),
}

/// A message's work failed.
#[derive(Debug, thiserror::Error)]
#[error("{action} failed")]
pub struct WorkError {
    /// The action that failed, as in "score a batch". It never holds data.
    pub action: &'static str,
    /// Tells if the same message may succeed later.
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

    /// What cannot be done until the operator acts: the work waits.
    pub fn pause(action: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { action, disposition: Disposition::Pause, source: source.into() }
    }

    /// True if the same message may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.disposition == Disposition::Retry
    }
}

impl From<PortError> for WorkError {
    fn from(error: PortError) -> Self {
        let PortError { action, disposition, source } = error;
        Self { action, disposition, source }
    }
}

/// An error and all its causes.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

tokio::task_local! {
    static DEADLINE: Timestamp;
}

/// Does `work` in an invocation that ends at `deadline`.
pub async fn until<F: Future>(deadline: Timestamp, work: F) -> F::Output {
    DEADLINE.scope(deadline, work).await
}

/// The time that is left of the invocation at `now`; none when nothing ends it.
#[must_use]
pub fn time_left(now: Timestamp) -> Option<SignedDuration> {
    DEADLINE.try_with(|deadline| deadline.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_of_an_error_is_told() {
        let cause = PortError::retry("get an item", "throttled");
        let error = WorkError::retry("score a batch", cause);
        assert_eq!(chain(&error), "score a batch failed: get an item failed: throttled");
    }
}
