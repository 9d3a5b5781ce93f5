//! Which of Salesforce's hosts a request is for.

use std::sync::Arc;

use crate::org::Org;

/// The kinds of hosts that the simulator distinguishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// `login.salesforce.com`.
    Login,
    /// `test.salesforce.com`.
    Test,
    /// An org's own host.
    MyDomain { label: String, sandbox: bool },
    /// The simulator's own address, which stands for every host.
    Direct { base: String },
    /// A host that Salesforce does not have.
    Unknown,
}

impl Host {
    /// Reads a host, with or without its port. `tls` says how the request came when it came without
    /// the proxy.
    pub(crate) fn parse(authority: &str, tls: bool) -> Self {
        let name =
            authority.rsplit_once(':').map_or(authority, |(name, _)| name).to_ascii_lowercase();
        match name.as_str() {
            "login.salesforce.com" => return Self::Login,
            "test.salesforce.com" => return Self::Test,
            "127.0.0.1" | "localhost" => {
                let scheme = if tls { "https" } else { "http" };
                return Self::Direct { base: format!("{scheme}://{authority}") };
            }
            _ => {}
        }
        let Some(rest) = name.strip_suffix(".my.salesforce.com") else { return Self::Unknown };
        match rest.split_once('.') {
            None => Self::MyDomain { label: rest.to_owned(), sandbox: false },
            Some((label, "sandbox")) => Self::MyDomain { label: label.to_owned(), sandbox: true },
            Some((label, "develop" | "scratch")) => {
                Self::MyDomain { label: label.to_owned(), sandbox: false }
            }
            Some(_) => Self::Unknown,
        }
    }

    /// True if people or apps of an org can log in here.
    pub(crate) fn serves(&self, org: &Org) -> bool {
        match self {
            Self::Login => !org.is_sandbox,
            Self::Test => org.is_sandbox,
            Self::MyDomain { label, sandbox } => {
                org.label.eq_ignore_ascii_case(label) && org.is_sandbox == *sandbox
            }
            Self::Direct { .. } => true,
            Self::Unknown => false,
        }
    }

    /// True if this is one of the hosts that serve many orgs.
    pub(crate) fn is_generic(&self) -> bool {
        matches!(self, Self::Login | Self::Test)
    }

    /// Where the org's API is for a caller that came this way.
    pub(crate) fn instance_url(&self, org: &Org) -> String {
        match self {
            Self::Direct { base } => base.clone(),
            _ => format!("https://{}", org.host()),
        }
    }

    /// Where the org's people log in, for a caller that came this way.
    pub(crate) fn login_url(&self, org: &Org) -> String {
        match self {
            Self::Direct { base } => base.clone(),
            _ => format!("https://{}", org.login_host()),
        }
    }

    /// Those of `orgs` that this host serves.
    pub(crate) fn served(&self, mut orgs: Vec<Arc<Org>>) -> Vec<Arc<Org>> {
        orgs.retain(|org| self.serves(org));
        orgs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart() {
        assert_eq!(Host::parse("login.salesforce.com:443", true), Host::Login);
        let domain = |label: &str, sandbox| Host::MyDomain { label: label.to_owned(), sandbox };
        assert_eq!(Host::parse("Acme.my.salesforce.com", true), domain("acme", false));
        assert_eq!(
            Host::parse("acme--qa.sandbox.my.salesforce.com", true),
            domain("acme--qa", true)
        );
        assert_eq!(Host::parse("evil.example", true), Host::Unknown);
        assert_eq!(Host::parse("acme.lightning.force.com", true), Host::Unknown);
    }
}
