//! Where calls to Salesforce come from.

use std::net::IpAddr;

use super::Check;

/// The addresses from which this deployment calls Salesforce, for orgs that let in listed ones
/// only.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NetworkAccess {
    /// Changes with the list, so that an admin sees when to look again.
    pub version: String,
    /// The ranges, as in `203.0.113.7/32`. Empty: calls come from any address of the provider's region, and
    /// an org that restricts addresses must relax that for the app.
    pub ranges: Vec<String>,
    /// The clicks in Salesforce's Setup.
    pub steps: &'static [&'static str],
}

impl NetworkAccess {
    /// The list of these ranges; none when one of them is no range.
    #[must_use]
    pub fn of(mut ranges: Vec<String>) -> Option<Self> {
        if !ranges.iter().all(|range| is_range(range)) {
            return None;
        }
        ranges.sort_unstable();
        ranges.dedup();
        let version = blake3::hash(ranges.join(",").as_bytes()).to_hex()[..8].to_owned();
        Some(Self { version, ranges, steps: Check::NetworkAccess.steps() })
    }
}

/// An address and the length of its prefix.
fn is_range(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let longest = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= longest)
}
