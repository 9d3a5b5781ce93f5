//! The org's API allowance: what Salesforce says of it, and how much of it we take.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Daily API requests of the org, used by everybody, as `Sforce-Limit-Info` tells on each response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiUsage {
    /// Requests used in the rolling 24 hours.
    pub used: u64,
    /// Requests allowed in 24 hours.
    pub max: u64,
}

impl ApiUsage {
    /// Reads `Sforce-Limit-Info`: `api-usage=18/100000`, possibly with further entries after `;` or
    /// `,`.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        header.split([';', ',']).find_map(|entry| {
            let (used, max) = entry.trim().strip_prefix("api-usage=")?.split_once('/')?;
            Some(Self { used: used.trim().parse().ok()?, max: max.trim().parse().ok()? })
        })
    }

    /// Requests left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.max.saturating_sub(self.used)
    }
}

/// The facts in the headers of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observed {
    /// Salesforce's clock, to the second: windows of time are cut by it, never by ours.
    pub server_date: Option<Timestamp>,
    /// The org's API requests.
    pub api_usage: Option<ApiUsage>,
}

/// The part of an org's allowance that background work may take.
///
/// Background work (imports) stops at a share of the whole, counting what everybody else used, and
/// never touches a reserve kept for people who wait for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Background work stands back when this percentage of the allowance is used.
    pub background_percent: u8,
    /// Requests left untouched by background work, whatever the percentage says.
    pub reserve: u64,
}

impl Default for Budget {
    /// 70 %: connectors that stop at 80 % still draw complaints from other integrations of the org.
    fn default() -> Self {
        Self { background_percent: 70, reserve: 1_000 }
    }
}

impl Budget {
    /// Requests that background work may still make.
    ///
    /// The reserve is bounded to a tenth of the allowance, so that a small org is not shut out by
    /// it.
    #[must_use]
    pub fn background_remaining(&self, usage: ApiUsage) -> u64 {
        let share = usage.max.saturating_mul(self.background_percent.min(100).into()) / 100;
        let reserve = self.reserve.min(usage.max / 10);
        share.min(usage.max - reserve).saturating_sub(usage.used)
    }

    /// True when background work may make `calls` more requests.
    #[must_use]
    pub fn allows_background(&self, usage: ApiUsage, calls: u64) -> bool {
        calls <= self.background_remaining(usage)
    }

    /// True when somebody who waits may make `calls` more requests: only Salesforce's own limit
    /// counts.
    #[must_use]
    pub fn allows_interactive(&self, usage: ApiUsage, calls: u64) -> bool {
        calls <= usage.remaining()
    }
}

/// One entry of `/limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgLimit {
    /// The allowance.
    #[serde(rename = "Max")]
    pub max: i64,
    /// The rest of it; about five minutes old.
    #[serde(rename = "Remaining")]
    pub remaining: i64,
}

/// The org's limits by name, such as `DailyApiRequests` or `DailyBulkV2QueryJobs`. Entries of
/// another shape are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrgLimits(BTreeMap<String, OrgLimit>);

impl OrgLimits {
    /// One limit by Salesforce's name for it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<OrgLimit> {
        self.0.get(name).copied()
    }

    /// All limits, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, OrgLimit)> {
        self.0.iter().map(|(name, limit)| (name.as_str(), *limit))
    }
}

impl<'de> Deserialize<'de> for OrgLimits {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        let limits = entries.into_iter().filter_map(|(name, entry)| {
            Some((name, serde_json::from_value::<OrgLimit>(entry).ok()?))
        });
        Ok(Self(limits.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_in_every_form() {
        let usage = |used, max| Some(ApiUsage { used, max });
        for (header, expected) in [
            ("api-usage=18/100000", usage(18, 100_000)),
            ("api-usage=18/100000; api-bursts=1/750", usage(18, 100_000)),
            ("api-bursts=1/750; api-usage=18/100000", usage(18, 100_000)),
            ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample)", usage(25, 5_000)),
            ("api-usage=25/5000, per-app-api-usage=17/250(appName=sample)", usage(25, 5_000)),
            ("per-app-api-usage=17/250(appName=sample)", None),
            ("api-usage=x/100000", None),
            ("api-usage=18", None),
            ("", None),
        ] {
            assert_eq!(ApiUsage::parse(header), expected, "{header}");
        }
    }

    #[test]
    fn background_work_stops_at_its_share_and_keeps_the_reserve() {
        let budget = Budget { background_percent: 70, reserve: 1_000 };
        let at = |used, max| budget.background_remaining(ApiUsage { used, max });
        assert_eq!(at(0, 100_000), 70_000);
        assert_eq!(at(69_999, 100_000), 1);
        assert_eq!(at(70_000, 100_000), 0);
        assert_eq!(at(250_000, 100_000), 0);
        assert_eq!(at(0, 0), 0);
        assert!(budget.allows_interactive(ApiUsage { used: 99_999, max: 100_000 }, 1));
        assert!(!budget.allows_interactive(ApiUsage { used: 100_000, max: 100_000 }, 1));
        let greedy = Budget { background_percent: 100, reserve: 1_000 };
        assert_eq!(greedy.background_remaining(ApiUsage { used: 0, max: 15_000 }), 14_000);
        assert_eq!(greedy.background_remaining(ApiUsage { used: 0, max: 500 }), 450);
        assert_eq!(at(0, 50), 35);
    }

    #[test]
    fn limits_of_an_unknown_shape_are_left_out() {
        let json = r#"{"DailyApiRequests":{"Max":5,"Remaining":3,"App":{"Max":1,"Remaining":1}},
            "New":[1]}"#;
        let limits: OrgLimits = serde_json::from_str(json).unwrap();
        assert_eq!(limits.get("DailyApiRequests"), Some(OrgLimit { max: 5, remaining: 3 }));
        assert_eq!(limits.iter().count(), 1);
    }
}
