//! Why an authorization does not begin, or does not end in a connection.

use crate::capabilities::connecting::Check;
use crate::capabilities::custody::GrantError;
use crate::kernel::Environment;
use crate::salesforce::{OAuthError, SalesforceError};
use crate::work::{WorkError, chain};

/// Why an authorization did not begin or did not end in a connection. The texts are for the person
/// in front of the browser.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The contract does not include CRM sync.
    #[error("the contract does not include CRM sync")]
    NotEntitled,
    /// There is no such tenant, seat or connection.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The login host is not one of Salesforce's.
    #[error("the login host must be empty or a My Domain such as acme.my.salesforce.com")]
    LoginHost,
    /// The state is unknown, used, or expired.
    #[error(
        "this authorization was not begun here, was used before, or took over ten minutes; \
         start again"
    )]
    State,
    /// Another browser than the one in which the authorization was begun.
    #[error("this authorization was begun in another browser; start again in this one")]
    Browser,
    /// The person declined, or Salesforce refused before a login.
    #[error("Salesforce did not authorize: {0}")]
    Declined(String),
    /// The code could not be exchanged.
    #[error("Salesforce did not accept the authorization")]
    OAuth(#[source] OAuthError),
    /// The org cannot be used by the user who authorized.
    #[error("{0}")]
    Org(&'static str),
    /// The org belongs to the other environment.
    #[error("this is a {found} org, but the {asked} connection was being made")]
    Environment {
        /// The environment of the connection.
        asked: Environment,
        /// The environment that the org is.
        found: Environment,
    },
    /// The login was another CRM user's than the seat's.
    #[error(
        "this was another Salesforce user's login; log out of Salesforce and log in as the user \
         with the e-mail address {seat}, or have an admin correct the address of the seat"
    )]
    OtherUser {
        /// The address of the seat, which the person in front of the browser has.
        seat: String,
    },
    /// The login was another CRM user's than the one whom an admin chose for the seat.
    #[error(
        "an admin chose another Salesforce user for this seat; log out of Salesforce and log in as \
         {user}, or have an admin choose the user of this login, or nobody, for the seat"
    )]
    NotChosenUser {
        /// The chosen user's name, or the id where no import brought it.
        user: String,
    },
    /// An admin chose the CRM user of the login for another seat.
    #[error(
        "an admin chose the Salesforce user of this login for another seat; log out of Salesforce \
         and log in as your own user, or have an admin correct the choice"
    )]
    UserOfAnotherSeat,
    /// Salesforce granted less than was asked for.
    #[error(
        "Salesforce granted less than the app needs; an admin must allow the app the scopes api \
         and refresh_token"
    )]
    Scopes,
    /// Another org is connected.
    #[error(
        "another org is connected; log in to that one, or disconnect it first \
         (a sandbox that was refreshed is another org)"
    )]
    OtherOrg,
    /// A call to Salesforce failed.
    #[error("Salesforce could not be asked about the org")]
    Salesforce(#[source] SalesforceError),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl ConnectError {
    /// The clicks in Salesforce's Setup that may mend it; empty when none would.
    #[must_use]
    pub fn steps(&self) -> &'static [&'static str] {
        let check = match self {
            Self::OAuth(OAuthError::AppNotInstalled { .. } | OAuthError::NotApproved { .. }) => {
                Check::AppInstalled
            }
            Self::Declined(reason) if says_not_installed(reason) => Check::AppInstalled,
            Self::OAuth(OAuthError::IpRestricted { .. }) => Check::NetworkAccess,
            Self::Org(_) => Check::ApiEnabled,
            _ => return &[],
        };
        check.steps()
    }
}

impl ConnectError {
    /// The error for the log: without what the browser or Salesforce wrote, and without anybody's
    /// address.
    #[must_use]
    pub fn to_log(&self) -> String {
        match self {
            Self::Declined(_) => "Salesforce did not authorize".to_owned(),
            Self::OtherUser { .. } => "this was another Salesforce user's login".to_owned(),
            other => chain(other),
        }
    }
}

impl From<crate::ports::PortError> for ConnectError {
    fn from(error: crate::ports::PortError) -> Self {
        Self::Work(error.into())
    }
}

impl From<GrantError> for ConnectError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Work(error) => Self::Work(error),
            GrantError::Call(error) => Self::Salesforce(error),
            GrantError::Renewal(error) => Self::OAuth(error),
            GrantError::Missing | GrantError::Dead => Self::NotFound("connection"),
            GrantError::Busy | GrantError::TooLate | GrantError::CircuitOpen(_) => {
                Self::Work(WorkError::retry("use the grant", error))
            }
        }
    }
}

/// True for Salesforce's words for an app that the org has not installed: the older ones, and those
/// for external client apps.
fn says_not_installed(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("must be installed")
        || reason.contains("app is not installed")
        || reason.contains("app_not_found")
}
