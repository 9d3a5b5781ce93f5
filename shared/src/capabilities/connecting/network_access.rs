//! Where calls to Salesforce come from.

use std::net::IpAddr;

use super::Check;

/// The addresses from which this deployment calls Salesforce, for orgs that let in listed ones
/// only.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NetworkAccess {
    /// Changes with the list, so that an admin sees when to look again.
    pub version: String,
    /// The ranges, as in `203.0.113.7/32`. Empty: calls come from any address, and an org that
    /// restricts addresses must relax that for the app.
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
        Some(Self::listed(ranges))
    }

    fn listed(ranges: Vec<String>) -> Self {
        let version = blake3::hash(ranges.join(",").as_bytes()).to_hex()[..8].to_owned();
        Self { version, ranges, steps: Check::NetworkAccess.steps() }
    }
}

impl Default for NetworkAccess {
    /// Calls come from any address.
    fn default() -> Self {
        Self::listed(Vec::new())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ranges: &[&str]) -> Option<NetworkAccess> {
        NetworkAccess::of(ranges.iter().map(|range| (*range).to_owned()).collect())
    }

    #[test]
    fn a_list_is_the_same_in_any_order_and_its_version_tells_another_one() {
        let access = of(&["203.0.113.7/32", "2001:db8::/48"]).unwrap();
        assert_eq!(access.ranges, ["2001:db8::/48", "203.0.113.7/32"]);
        assert_eq!(of(&["2001:db8::/48", "203.0.113.7/32", "2001:db8::/48"]), Some(access.clone()));
        assert_ne!(of(&["203.0.113.8/32"]).unwrap().version, access.version);
        assert_eq!(of(&[]), Some(NetworkAccess::default()));
    }

    #[test]
    fn one_text_that_is_no_range_refuses_the_list() {
        for bad in ["", "203.0.113.7", "203.0.113.7/33", "2001:db8::/129", "example.com/32", "/8"] {
            assert_eq!(of(&["203.0.113.7/32", bad]), None, "{bad}");
        }
    }
}
