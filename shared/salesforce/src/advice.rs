//! What a caller does after an error.

use std::time::Duration;

/// The advice to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The same call may succeed later. A write must first ask
    /// [`SalesforceError::is_outcome_unknown`](super::SalesforceError::is_outcome_unknown).
    Retry {
        /// The server's own wish, when it stated one.
        after: Option<Duration>,
    },
    /// A new access token is needed, or if the token was just refreshed, a new grant.
    Reauthorize,
    /// The org's allowance is used up: leave the org alone for a while.
    StandBack {
        /// The server's own wish, when it stated one.
        after: Option<Duration>,
    },
    /// The same call will fail again.
    Reject,
}
