//! The scopes of a grant.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A scope this project asks for; there is no way to ask for `full` or `web`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The REST and Bulk APIs, within the user's own permissions.
    Api,
    /// A refresh token.
    RefreshToken,
    /// The identity URL.
    Id,
    /// `OpenID` Connect's identity.
    Openid,
}

impl Scope {
    /// Salesforce's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::RefreshToken => "refresh_token",
            Self::Id => "id",
            Self::Openid => "openid",
        }
    }

    /// The scopes that a connection needs: data, a refresh token, and who it is.
    pub const NEEDED: [Self; 3] = [Self::Api, Self::RefreshToken, Self::Id];
}

/// The scopes of a grant, by Salesforce's names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Reads Salesforce's space-separated list.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.split_whitespace().map(canonical).collect()
    }

    /// True when every scope of these is among the others.
    #[must_use]
    pub fn is_within(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }

    /// True when this scope is granted.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(canonical(scope))
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// `offline_access` is Salesforce's other name for `refresh_token`.
fn canonical(scope: &str) -> &str {
    if scope == "offline_access" { "refresh_token" } else { scope }
}

impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(scopes: I) -> Self {
        Self(scopes.into_iter().map(|scope| canonical(scope).to_owned()).collect())
    }
}
