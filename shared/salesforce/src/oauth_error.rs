//! The errors of the token endpoint, and their meaning for the grant.

use std::time::Duration;

use super::advice::Advice;
use super::error::TransportError;
use super::quotation::{quoted, quoted_code};

/// Longer descriptions are cut here.
const MAX_DESCRIPTION_CHARS: usize = 300;

/// At which step of a grant the error came: the same words mean different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantStep {
    /// The browser came back to the callback with `error` in place of `code`.
    Authorize,
    /// A code was exchanged for tokens.
    Exchange,
    /// A refresh token was used.
    Refresh,
}

/// Why a token response was not taken although it was a success.
///
/// The tokens in it are dropped. After a refresh the old ones may be dead as well: see
/// [`OAuthError::is_outcome_unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedToken {
    /// Not a token response.
    #[error("it is not a token response")]
    Malformed,
    /// `instance_url` is not a Salesforce host.
    #[error("its instance_url is not a Salesforce address")]
    InstanceUrl,
    /// `id` is not an identity URL on a Salesforce host.
    #[error("its id is not a Salesforce identity address")]
    IdentityUrl,
    /// The identity or the instance belongs to another issuer than the one that was asked.
    #[error("it comes from another issuer than the one that was asked")]
    Issuer,
    /// The signature does not fit the identity and the time.
    #[error("its signature is wrong")]
    Signature,
    /// It grants more than was asked for.
    #[error("its scope is wider than was asked for")]
    Scope,
}

/// Why a call to the token endpoint failed.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// Another refresh of the same grant is under way or just ended: read the stored grant again,
    /// wait shortly, retry once.
    #[error("another refresh of this grant is under way")]
    ConcurrentRefresh,
    /// The grant is gone: revoked, expired, idle too long, evicted, or its token was used twice. A
    /// person must reconnect.
    #[error("the grant is no longer valid ({code})")]
    GrantDead {
        /// Salesforce's code.
        code: String,
        /// Salesforce's text.
        description: String,
    },
    /// The person said no at the approval page.
    #[error("access was denied at Salesforce")]
    Denied {
        /// Salesforce's text.
        description: String,
    },
    /// The authorization code is wrong, used or expired: start again from the login page.
    #[error("the authorization code was not accepted")]
    CodeRejected {
        /// Salesforce's text.
        description: String,
    },
    /// The app is not installed in this org; its admin must install it.
    #[error("the app is not installed in this org")]
    AppNotInstalled {
        /// Salesforce's text.
        description: String,
    },
    /// The org's policy lets only users in whom its admin approved.
    #[error("the org's admin has not approved this user for the app")]
    NotApproved {
        /// Salesforce's text.
        description: String,
    },
    /// The user is deactivated or frozen.
    #[error("the user is not active")]
    InactiveUser {
        /// Salesforce's text.
        description: String,
    },
    /// The org is suspended or locked.
    #[error("the org is not active")]
    InactiveOrg,
    /// Our address or the hour is not allowed by the org.
    #[error("the org does not allow logins from this address or at this hour")]
    IpRestricted {
        /// Salesforce's text.
        description: String,
    },
    /// Our app's credentials, redirect address or request are wrong.
    #[error("the token endpoint refused the app's request ({code})")]
    Misconfigured {
        /// Salesforce's code.
        code: String,
        /// Salesforce's text.
        description: String,
    },
    /// Too many logins of this user.
    #[error("Salesforce limits the logins of this user")]
    RateLimited {
        /// The server's own wish, when it stated one.
        retry_after: Option<Duration>,
    },
    /// No answer, or a page of HTML.
    #[error("the token endpoint cannot be reached or cannot answer now")]
    Unavailable {
        /// The HTTP status, when one came.
        status: Option<u16>,
        /// True when the refresh token may have been replaced by one we never saw.
        outcome_unknown: bool,
        /// The server's own wish, when it stated one.
        retry_after: Option<Duration>,
        /// The network's error.
        source: Option<TransportError>,
    },
    /// A success that must not be trusted.
    #[error("the token response cannot be trusted: {0}")]
    Untrusted(UntrustedToken),
}

impl OAuthError {
    /// The advice to the caller.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::ConcurrentRefresh => Advice::Retry { after: Some(Duration::from_secs(1)) },
            Self::Unavailable { retry_after, .. } => Advice::Retry { after: *retry_after },
            Self::GrantDead { .. }
            | Self::Denied { .. }
            | Self::CodeRejected { .. }
            | Self::InactiveUser { .. } => Advice::Reauthorize,
            Self::RateLimited { retry_after } => Advice::StandBack { after: *retry_after },
            Self::InactiveOrg => Advice::StandBack { after: None },
            Self::AppNotInstalled { .. }
            | Self::NotApproved { .. }
            | Self::IpRestricted { .. }
            | Self::Misconfigured { .. }
            | Self::Untrusted(_) => Advice::Reject,
        }
    }

    /// True when a refresh may have been carried out without our seeing its tokens: try once more
    /// with the old token after a pause, and take `GrantDead` as the end of the grant.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Unavailable { outcome_unknown, .. } => *outcome_unknown,
            Self::Untrusted(_) => true,
            _ => false,
        }
    }

    /// True when the app's own credentials were not accepted, whatever came with them.
    #[must_use]
    pub fn refuses_the_client(&self) -> bool {
        matches!(self, Self::Misconfigured { code, .. }
            if matches!(code.as_str(), "invalid_client" | "invalid_client_id"))
    }

    /// True for a refusal in words that we do not know: neither the grant's end nor a fault of ours
    /// that the standard names.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        const KNOWN: [&str; 8] = [
            "invalid_client",
            "invalid_client_id",
            "invalid_request",
            "invalid_scope",
            "invalid_grant",
            "unsupported_grant_type",
            "unsupported_response_type",
            "redirect_uri_mismatch",
        ];
        matches!(self, Self::Misconfigured { code, .. } if !KNOWN.contains(&code.as_str()))
    }

    /// True when only a person can help, and trying again by machine would only be counted against
    /// us.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self.advice(), Advice::Reauthorize | Advice::Reject)
    }

    pub(super) fn transport(error: TransportError) -> Self {
        Self::Unavailable {
            status: None,
            outcome_unknown: error.was_sent(),
            retry_after: None,
            source: Some(error),
        }
    }

    /// An answer that is no token and no OAuth error.
    pub(super) fn unreadable(status: u16, retry_after: Option<Duration>) -> Self {
        if status == 429 {
            return Self::RateLimited { retry_after };
        }
        // An edge that refuses (4xx) did not reach the token service; anything else may have.
        let outcome_unknown = !(400..500).contains(&status);
        Self::Unavailable { status: Some(status), outcome_unknown, retry_after, source: None }
    }

    /// Reads an OAuth error: the table of Salesforce's token endpoint, and the `error` and
    /// `error_description` of a callback.
    #[must_use]
    pub fn from_code(step: GrantStep, code: &str, description: &str) -> Self {
        let lower = description.to_ascii_lowercase();
        let says = |words: &str| lower.contains(words);
        let description = || quoted(description, MAX_DESCRIPTION_CHARS);
        let misconfigured =
            || Self::Misconfigured { code: quoted_code(code), description: description() };
        match code {
            _ if code.contains("rate_limit") || says("login rate exceeded") => {
                Self::RateLimited { retry_after: None }
            }
            "access_denied" => Self::Denied { description: description() },
            "inactive_user" => Self::InactiveUser { description: description() },
            "inactive_org" => Self::InactiveOrg,
            _ if says("app must be installed")
                || says("app is not installed")
                || code.to_ascii_lowercase().contains("app_not_found")
                || code == "OAUTH_APPROVAL_ERROR_GENERIC"
                || says("cross-org oauth flows are not supported") =>
            {
                Self::AppNotInstalled { description: description() }
            }
            _ if says("approved this consumer") || says("not admin approved") => {
                Self::NotApproved { description: description() }
            }
            _ if says("ip restricted") || says("invalid login hours") => {
                Self::IpRestricted { description: description() }
            }
            "invalid_grant" if says("inactive user") || says("user is inactive") => {
                Self::InactiveUser { description: description() }
            }
            "invalid_grant" if says("authorization code") => match step {
                GrantStep::Refresh if says("expired") => Self::ConcurrentRefresh,
                GrantStep::Refresh => misconfigured(),
                GrantStep::Authorize | GrantStep::Exchange => {
                    Self::CodeRejected { description: description() }
                }
            },
            "invalid_grant" if says("code verifier") || says("authentication failure") => {
                misconfigured()
            }
            "invalid_grant" => match step {
                GrantStep::Refresh => {
                    Self::GrantDead { code: quoted_code(code), description: description() }
                }
                GrantStep::Authorize | GrantStep::Exchange => {
                    Self::CodeRejected { description: description() }
                }
            },
            _ => misconfigured(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(error: &OAuthError) -> &'static str {
        match error {
            OAuthError::ConcurrentRefresh => "concurrent",
            OAuthError::GrantDead { .. } => "dead",
            OAuthError::CodeRejected { .. } => "code",
            OAuthError::Denied { .. } => "denied",
            OAuthError::AppNotInstalled { .. } => "app",
            OAuthError::NotApproved { .. } => "approval",
            OAuthError::InactiveUser { .. } => "user",
            OAuthError::InactiveOrg => "org",
            OAuthError::IpRestricted { .. } => "ip",
            OAuthError::Misconfigured { .. } => "config",
            OAuthError::RateLimited { .. } => "rate",
            OAuthError::Unavailable { .. } => "unavailable",
            OAuthError::Untrusted(_) => "untrusted",
        }
    }

    #[test]
    fn every_answer_of_the_token_endpoint_has_its_meaning() {
        for (code, description, at_exchange, at_refresh) in [
            ("invalid_grant", "expired access/refresh token", "code", "dead"),
            ("invalid_grant", "expired authorization code", "code", "concurrent"),
            ("invalid_grant", "invalid authorization code", "code", "config"),
            ("invalid_grant", "inactive user", "user", "user"),
            ("invalid_grant", "user is inactive", "user", "user"),
            ("invalid_grant", "authentication failure", "config", "config"),
            ("invalid_grant", "ip restricted", "ip", "ip"),
            ("invalid_grant", "ip restricted or invalid login hours", "ip", "ip"),
            ("invalid_grant", "user hasn't approved this consumer", "approval", "approval"),
            ("invalid_grant", "invalid code verifier", "config", "config"),
            (
                "invalid_app_access",
                "user is not admin approved to access this app",
                "approval",
                "approval",
            ),
            ("inactive_user", "user is inactive", "user", "user"),
            ("inactive_org", "organization is inactive", "org", "org"),
            ("invalid_client_id", "client identifier invalid", "config", "config"),
            ("invalid_client", "invalid client credentials", "config", "config"),
            ("invalid_client", "app must be installed into org", "app", "app"),
            ("app_not_found", "External client app is not installed in this org", "app", "app"),
            ("OAUTH_EC_APP_NOT_FOUND", "", "app", "app"),
            ("invalid_client", "External Client App is not installed in org", "app", "app"),
            (
                "invalid_client",
                "Cross-org OAuth flows are not supported for this external client app",
                "app",
                "app",
            ),
            ("invalid_request", "missing parameter", "config", "config"),
            ("unsupported_grant_type", "grant type not supported", "config", "config"),
            ("redirect_uri_mismatch", "redirect_uri must match configuration", "config", "config"),
            ("rate_limit_exceeded", "login rate exceeded", "rate", "rate"),
            ("invalid_grant", "login rate exceeded", "rate", "rate"),
        ] {
            let exchange = OAuthError::from_code(GrantStep::Exchange, code, description);
            assert_eq!(variant(&exchange), at_exchange, "{code}: {description}");
            let refresh = OAuthError::from_code(GrantStep::Refresh, code, description);
            assert_eq!(variant(&refresh), at_refresh, "{code}: {description}");
        }
    }

    #[test]
    fn a_callback_that_brings_an_error_has_its_meaning() {
        for (code, description, expected) in [
            ("access_denied", "end-user denied authorization", "denied"),
            ("invalid_client", "app must be installed into org", "app"),
            (
                "OAUTH_APPROVAL_ERROR_GENERIC",
                "An unexpected error has occurred during authentication",
                "app",
            ),
            ("invalid_scope", "the requested scope is not allowed", "config"),
        ] {
            let error = OAuthError::from_code(GrantStep::Authorize, code, description);
            assert_eq!(variant(&error), expected, "{code}");
        }
    }

    #[test]
    fn only_an_answer_from_beyond_the_edge_leaves_the_outcome_open() {
        for (status, unknown) in
            [(200, true), (302, true), (500, true), (503, true), (420, false), (400, false)]
        {
            assert_eq!(
                OAuthError::unreadable(status, None).is_outcome_unknown(),
                unknown,
                "{status}"
            );
        }
        assert!(matches!(OAuthError::unreadable(429, None), OAuthError::RateLimited { .. }));
    }

    #[test]
    fn only_wrong_credentials_refuse_the_client() {
        for (code, description, refused) in [
            ("invalid_client", "invalid client credentials", true),
            ("invalid_client_id", "client identifier invalid", true),
            ("invalid_client", "app must be installed into org", false),
            ("invalid_request", "missing parameter", false),
        ] {
            let error = OAuthError::from_code(GrantStep::Refresh, code, description);
            assert_eq!(error.refuses_the_client(), refused, "{code}: {description}");
        }
    }

    #[test]
    fn a_dead_grant_is_terminal_and_a_concurrent_refresh_is_not() {
        let of =
            |description| OAuthError::from_code(GrantStep::Refresh, "invalid_grant", description);
        assert!(of("expired access/refresh token").is_terminal());
        assert!(!of("expired authorization code").is_terminal());
        assert_eq!(of("expired access/refresh token").advice(), Advice::Reauthorize);
    }
}
