//! The reasons why no call was made, or why it failed.

use std::time::Duration;

use crate::ports::PortError;
use crate::salesforce::{Advice, OAuthError, SalesforceError};
use crate::work::{Done, WorkError};

/// When to come again while another one renews the token.
const BUSY: Duration = Duration::from_secs(2);

/// Why no call could be made, or why it failed.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// There is no grant: the person has not authorized.
    #[error("there is no grant")]
    Missing,
    /// The grant cannot be used until a person acts: authorizes again, or mends what the org's
    /// admin has set.
    #[error("the grant cannot be used until a person acts")]
    Dead,
    /// Another one is renewing the token.
    #[error("the token is being renewed")]
    Busy,
    /// Too little of the invocation is left for a renewal.
    #[error("too little time is left to renew the token")]
    TooLate,
    /// The org did not answer the last calls. No call is made for this long.
    #[error("Salesforce does not answer; it is asked again in {0:?}")]
    CircuitOpen(Duration),
    /// The token endpoint failed.
    #[error("renewing the token failed")]
    Renewal(#[source] OAuthError),
    /// The call itself failed.
    #[error("Salesforce refused or failed")]
    Call(#[source] SalesforceError),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for GrantError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

impl GrantError {
    /// The answer of a queue's handler that has nothing better to do: it comes again later, or
    /// fails with the right disposition.
    pub fn into_done(self, action: &'static str) -> Result<Done, WorkError> {
        let advice = match &self {
            Self::Busy | Self::TooLate => return Ok(Done::Later(BUSY)),
            Self::CircuitOpen(left) => return Ok(Done::Later(*left)),
            Self::Renewal(error) => error.advice(),
            Self::Call(error) => error.advice(),
            Self::Work(_) | Self::Missing | Self::Dead => Advice::Reject,
        };
        if let Self::Work(error) = self {
            return Err(error);
        }
        match advice {
            Advice::Retry { after } => Ok(Done::Later(after.unwrap_or(Duration::from_secs(5)))),
            Advice::StandBack { after } => Ok(Done::Later(after.unwrap_or(Duration::from_mins(5)))),
            Advice::Reauthorize | Advice::Reject => Err(WorkError::reject(action, self)),
        }
    }
}
