//! The settings of a connection's imports.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How often an org is imported, and how much of its API that may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportSettings {
    /// Minutes from one scheduled import to the next: 15 to 1440.
    pub every_minutes: u32,
    /// True if the schedule is paused; imports that a person requests still run.
    pub schedule_paused: bool,
    /// Imports stand back once this percentage of the org's daily API calls is used, by whomever:
    /// 25 to 95.
    pub api_percent: u8,
    /// Calls that imports leave untouched, for what sellers write: up to 10,000,000.
    pub api_reserve: u64,
    /// Objects with a formula among their mapped fields are read whole after so many hours, since
    /// a formula changes without a stamp: 24 to 720.
    pub formula_refresh_hours: u16,
}

impl Default for ImportSettings {
    /// Every 12 hours, up to 70 % of the org's calls.
    fn default() -> Self {
        Self {
            every_minutes: 720,
            schedule_paused: false,
            api_percent: 70,
            api_reserve: 1_000,
            formula_refresh_hours: 168,
        }
    }
}

/// The longest time from one scheduled import to the next: connections are spread over it.
pub const LONGEST_WINDOW_SECONDS: u32 = 24 * 3600;

/// Hardly an org has as many calls a day.
const MOST_API_RESERVE: u64 = 10_000_000;

/// Below this percentage of the org's calls nobody stands back, whatever the settings.
pub const LEAST_API_PERCENT: u8 = 25;

impl ImportSettings {
    /// Checks that they are within their limits.
    ///
    /// # Errors
    /// A sentence for the person who set them.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(15..=1440).contains(&self.every_minutes) {
            return Err("every_minutes must be 15 to 1440");
        }
        if !(LEAST_API_PERCENT..=95).contains(&self.api_percent) {
            return Err("api_percent must be 25 to 95");
        }
        if self.api_reserve > MOST_API_RESERVE {
            return Err("api_reserve must be up to 10000000");
        }
        if !(24..=720).contains(&self.formula_refresh_hours) {
            return Err("formula_refresh_hours must be 24 to 720");
        }
        Ok(())
    }

    /// The connection's next slot strictly after `now`. `spread` deals the connections over the
    /// window, so that not everyone imports at once.
    #[must_use]
    pub fn next_slot(&self, spread: u32, now: Timestamp) -> Timestamp {
        let window = i64::from(self.every_minutes) * 60;
        let offset = i64::from(spread) % window;
        let windows = (now.as_second() - offset).div_euclid(window) + 1;
        Timestamp::from_second(windows * window + offset).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_slot_is_after_now_and_within_the_window() {
        for every_minutes in [15, 60, 720, 1440] {
            let settings = ImportSettings { every_minutes, ..ImportSettings::default() };
            let window = i64::from(every_minutes) * 60;
            for (offset, now) in [(0, 0), (0, 1), (100, 99), (100, 100), (43_199, 50_000)] {
                let at = Timestamp::from_second(now).unwrap();
                let slot = settings.next_slot(offset, at).as_second();
                assert!(slot > now && slot <= now + window, "{offset} {now} {slot}");
                assert_eq!((slot - i64::from(offset)) % window, 0);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_sentence() {
        let settings = ImportSettings::default();
        assert_eq!(settings.check(), Ok(()));
        for every_minutes in [0, 14, 1441] {
            assert!(ImportSettings { every_minutes, ..settings.clone() }.check().is_err());
        }
        for api_percent in [0, 24, 96] {
            assert!(ImportSettings { api_percent, ..settings.clone() }.check().is_err());
        }
        let api_reserve = MOST_API_RESERVE + 1;
        assert!(ImportSettings { api_reserve, ..settings }.check().is_err());
    }
}
