//! The hosts this client may talk to, as types: whatever is not on the list cannot be addressed.
//!
//! A host is compared as raw ASCII before any URL parser sees it, since a parser's kindness
//! (percent-decoding, full-width letters, backslashes) is how such lists are got around.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::id::SalesforceId;

/// Why a host or URL was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The URL does not begin with `https://`.
    #[error("the address must begin with https://")]
    NotHttps,
    /// The URL names a user (`user@host`).
    #[error("the address must not hold a user name")]
    Userinfo,
    /// The URL names a port; Salesforce is reached at 443 only.
    #[error("the address must not name a port")]
    Port,
    /// The host is an IPv4 or IPv6 literal.
    #[error("the address must be a Salesforce name, not an IP address")]
    IpLiteral,
    /// A label is in punycode or holds non-ASCII letters.
    #[error("the address must be in plain ASCII letters")]
    Punycode,
    /// The host ends with a dot.
    #[error("the address must not end with a dot")]
    TrailingDot,
    /// The host serves Salesforce's pages, never its API.
    #[error(
        "this is the address of Salesforce's pages; use the My Domain address that ends in \
         .my.salesforce.com"
    )]
    UserInterface,
    /// The URL has a path, a query or a fragment where none belongs, or is not a host name at all.
    #[error("the address is not a plain host name")]
    Malformed,
    /// A well-formed name outside Salesforce's own domains, or one that has no API.
    #[error("the address is not a Salesforce login or My Domain address")]
    NotSalesforce,
}

/// Which of Salesforce's clouds are in reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostPolicy {
    /// `salesforce.com` only.
    #[default]
    Commercial,
    /// `salesforce.mil` as well.
    WithGovernment,
}

impl HostPolicy {
    const ALL: [&str; 2] = ["salesforce.com", "salesforce.mil"];

    fn domains(self) -> &'static [&'static str] {
        match self {
            Self::Commercial => &Self::ALL[..1],
            Self::WithGovernment => &Self::ALL,
        }
    }
}

/// The kind of org behind a host: tokens of one kind never belong to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Realm {
    /// Production and Developer Edition orgs.
    Production,
    /// Sandboxes and scratch orgs.
    Sandbox,
}

/// A host that issues tokens: the two generic ones, or an org's My Domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoginHost(String);

impl LoginHost {
    /// `login.salesforce.com`.
    #[must_use]
    pub fn production() -> Self {
        Self("login.salesforce.com".to_owned())
    }

    /// `test.salesforce.com`.
    #[must_use]
    pub fn sandbox() -> Self {
        Self("test.salesforce.com".to_owned())
    }

    /// Reads what an admin typed or pasted: a host name, or its `https://` address with at most a
    /// trailing slash.
    pub fn parse(text: &str, policy: HostPolicy) -> Result<Self, HostError> {
        let text = text.trim();
        let host = if text.contains("://") {
            host_of(text)?
        } else {
            text.strip_suffix('/').unwrap_or(text)
        };
        let host = check_host(host, policy)?;
        if is_generic(&host) || is_my_domain(&host) {
            Ok(Self(host))
        } else {
            Err(HostError::NotSalesforce)
        }
    }

    /// The host name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for an org's own My Domain, false for the generic hosts.
    #[must_use]
    pub fn is_my_domain(&self) -> bool {
        is_my_domain(&self.0)
    }

    /// The kind of org that logs in here.
    #[must_use]
    pub fn realm(&self) -> Realm {
        realm_of(&self.0)
    }
}

/// The base address of an org's API, as the token response names it: the only place data requests
/// go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceUrl(String);

impl InstanceUrl {
    /// Reads the `instance_url` of a token response.
    pub fn parse(text: &str, policy: HostPolicy) -> Result<Self, HostError> {
        let host = check_host(host_of(text)?, policy)?;
        if is_my_domain(&host) || is_instance(&host) {
            Ok(Self(host))
        } else {
            Err(HostError::NotSalesforce)
        }
    }

    /// The host name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0
    }

    /// The kind of org, by its name.
    #[must_use]
    pub fn realm(&self) -> Realm {
        realm_of(&self.0)
    }
}

impl fmt::Display for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.0)
    }
}

/// The identity URL of a token response: whose token it is, and where to ask about them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdentityUrl {
    host: String,
    org_id: SalesforceId,
    user_id: SalesforceId,
}

impl IdentityUrl {
    /// Reads `https://{host}/id/{org id}/{user id}`.
    pub fn parse(text: &str, policy: HostPolicy) -> Result<Self, HostError> {
        let rest = text.strip_prefix("https://").ok_or(HostError::NotHttps)?;
        let (host, path) = rest.split_once('/').ok_or(HostError::Malformed)?;
        let host = check_host(host, policy)?;
        if !(is_generic(&host) || is_my_domain(&host) || is_instance(&host)) {
            return Err(HostError::NotSalesforce);
        }
        let mut parts = path.strip_prefix("id/").ok_or(HostError::Malformed)?.split('/');
        let mut id = |prefix: &str| {
            let id: SalesforceId = parts.next()?.parse().ok()?;
            (id.key_prefix() == prefix).then_some(id)
        };
        let (Some(org_id), Some(user_id)) = (id("00D"), id("005")) else {
            return Err(HostError::Malformed);
        };
        if parts.next().is_some() {
            return Err(HostError::Malformed);
        }
        Ok(Self { host, org_id, user_id })
    }

    /// The host that answers.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The org (`00D`).
    #[must_use]
    pub fn org_id(&self) -> SalesforceId {
        self.org_id
    }

    /// The user (`005`).
    #[must_use]
    pub fn user_id(&self) -> SalesforceId {
        self.user_id
    }
}

impl fmt::Display for IdentityUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}/id/{}/{}", self.host, self.org_id, self.user_id)
    }
}

/// Stored values were checked under the deployment's policy when they came in, so reading them back
/// accepts any cloud of Salesforce's, and still nothing else.
macro_rules! stored_as_text {
    ($($name:ident),*) => {$(
        impl FromStr for $name {
            type Err = HostError;

            fn from_str(text: &str) -> Result<Self, HostError> {
                Self::parse(text, HostPolicy::WithGovernment)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

impl fmt::Display for LoginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

stored_as_text!(LoginHost, InstanceUrl, IdentityUrl);

/// A host that a request may be sent to. Only the checked types of this file are.
pub(super) trait TrustedHost {
    fn trusted_host(&self) -> &str;
}

impl TrustedHost for LoginHost {
    fn trusted_host(&self) -> &str {
        &self.0
    }
}

impl TrustedHost for InstanceUrl {
    fn trusted_host(&self) -> &str {
        &self.0
    }
}

impl TrustedHost for IdentityUrl {
    fn trusted_host(&self) -> &str {
        &self.host
    }
}

/// True for a name under one of Salesforce's domains, whatever it serves.
pub(super) fn is_salesforce_name(host: &str) -> bool {
    check_host(host, HostPolicy::WithGovernment).is_ok()
}

/// The host of `https://host` or `https://host/`.
fn host_of(url: &str) -> Result<&str, HostError> {
    let rest = url.strip_prefix("https://").ok_or(HostError::NotHttps)?;
    Ok(rest.strip_suffix('/').unwrap_or(rest))
}

/// Checks the form and the domain of a host name and gives it in lower case.
fn check_host(host: &str, policy: HostPolicy) -> Result<String, HostError> {
    let host = host.to_ascii_lowercase();
    check_form(&host)?;
    if host.ends_with(".lightning.force.com") || host.ends_with(".visualforce.com") {
        return Err(HostError::UserInterface);
    }
    let under = |domain: &&str| {
        host.strip_suffix(domain).is_some_and(|name| name.len() > 1 && name.ends_with('.'))
    };
    if policy.domains().iter().any(under) { Ok(host) } else { Err(HostError::NotSalesforce) }
}

/// Host-name form: LDH labels, no punycode, no address, no port, no user, no trailing dot.
fn check_form(host: &str) -> Result<(), HostError> {
    if host.contains('@') {
        return Err(HostError::Userinfo);
    }
    if host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok() {
        return Err(HostError::IpLiteral);
    }
    if host.contains(':') {
        return Err(HostError::Port);
    }
    if host.ends_with('.') {
        return Err(HostError::TrailingDot);
    }
    if !host.is_ascii() || host.split('.').any(|label| label.starts_with("xn--")) {
        return Err(HostError::Punycode);
    }
    // 253 and 63 are the limits of RFC 1035 for a name and a label.
    let label_is_sound = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > 253 || !host.split('.').all(label_is_sound) {
        return Err(HostError::Malformed);
    }
    Ok(())
}

fn name_before<'a>(host: &'a str, infix: &str) -> Option<&'a str> {
    HostPolicy::ALL.iter().find_map(|domain| host.strip_suffix(domain)?.strip_suffix(infix))
}

fn is_generic(host: &str) -> bool {
    matches!(name_before(host, "."), Some("login" | "test"))
}

/// `acme.my.salesforce.com`, `acme--uat.sandbox.my.salesforce.com` and their like.
fn is_my_domain(host: &str) -> bool {
    name_before(host, ".my.").is_some_and(|name| !name.is_empty())
}

/// The instanced hosts of orgs that still have them, `na139.salesforce.com` or
/// `cs8.salesforce.com`: letters, digits, at most one letter.
fn is_instance(host: &str) -> bool {
    let Some(name) = name_before(host, ".") else { return false };
    let digits = name.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let tail = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    (2..=5).contains(&(name.len() - digits.len()))
        && (1..=4).contains(&(digits.len() - tail.len()))
        && tail.len() <= 1
        && tail.bytes().all(|b| b.is_ascii_lowercase())
}

/// `cs8` of old, `usa652s` on Hyperforce.
fn is_sandbox_instance(host: &str) -> bool {
    host.starts_with("cs") || host.split('.').next().is_some_and(|name| name.ends_with('s'))
}

/// True when the identity and the instance of a token can be this issuer's: the org's kind and
/// cloud are the issuer's, and the identity is at the issuer, at the generic login host of that
/// kind, or at the org itself.
///
/// An answer that mixes issuers is how one login server is made to speak for another (RFC 9700
/// 4.4).
pub(super) fn belong_together(
    issuer: &LoginHost,
    instance: &InstanceUrl,
    identity: &IdentityUrl,
) -> bool {
    let generic = match issuer.realm() {
        Realm::Production => "login",
        Realm::Sandbox => "test",
    };
    let cloud = |host: &str| HostPolicy::ALL.iter().position(|domain| host.ends_with(domain));
    instance.realm() == issuer.realm()
        && cloud(&instance.0) == cloud(&issuer.0)
        && cloud(&identity.host) == cloud(&issuer.0)
        && (identity.host == issuer.0
            || identity.host == instance.0
            || name_before(&identity.host, ".") == Some(generic))
}

fn realm_of(host: &str) -> Realm {
    let sandbox = host.split('.').any(|label| matches!(label, "test" | "sandbox" | "scratch"))
        || (is_my_domain(host) && host.split('.').next().is_some_and(|name| name.contains("--")))
        || (is_instance(host) && is_sandbox_instance(host));
    if sandbox { Realm::Sandbox } else { Realm::Production }
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
