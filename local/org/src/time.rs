//! Times as Salesforce writes them, all counted back from one base date.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use crate::random::Random;

const DAY: i64 = 24 * 60 * 60;

/// A moment in whole seconds, written as `2026-11-20T08:00:00.000Z`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Stamp(Timestamp);

impl Stamp {
    pub(crate) fn date(self) -> Date {
        self.0.to_zoned(TimeZone::UTC).date()
    }

    pub(crate) fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(self.0))
    }

    pub(crate) fn plus_days(self, days: i64) -> Self {
        self.plus_seconds(days * DAY)
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    }
}

/// The three audit times of a row: created ≤ last modified ≤ `SystemModstamp` < the base date.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Audit {
    pub(crate) created: Stamp,
    pub(crate) modified: Stamp,
    pub(crate) stamp: Stamp,
}

/// The base date and what is counted from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calendar {
    as_of: Stamp,
}

impl Calendar {
    pub(crate) fn new(as_of: Timestamp) -> Self {
        Self { as_of: Stamp(as_of) }
    }

    /// `days` before the base date, at a random second of that day.
    pub(crate) fn days_ago(self, days: i64, random: &mut Random) -> Stamp {
        self.as_of.plus_seconds(-days * DAY - random.between(1, DAY - 1))
    }

    /// The calendar day `days` after the base date (before it, when negative).
    pub(crate) fn day(self, days: i64) -> Date {
        self.as_of.plus_days(days).date()
    }

    /// A full hour of that day, in UTC.
    pub(crate) fn hour(self, days: i64, hour: i64) -> Stamp {
        self.as_of.plus_seconds(days * DAY + hour * 3_600)
    }

    /// Audit times of a row created at `created` and touched last at some later time.
    pub(crate) fn audit(self, created: Stamp, random: &mut Random) -> Audit {
        self.audit_until(created, self.newest(), random)
    }

    /// As [`Calendar::audit`], with the last change by people no later than `latest`.
    pub(crate) fn audit_until(self, created: Stamp, latest: Stamp, random: &mut Random) -> Audit {
        let created = created.min(self.newest());
        let latest = latest.clamp(created, self.newest());
        let span = latest.0.duration_since(created.0).as_secs();
        let modified = created.plus_seconds(random.between(0, span));
        // Automation moves the system's stamp without a person's change, now and then.
        let stamp = if random.chance(10) { modified.plus_seconds(1_800) } else { modified };
        Audit { created, modified, stamp: stamp.min(self.newest()) }
    }

    /// The stamp of one mass update, shared by many rows: a reader that pages by stamp alone loses
    /// some.
    pub(crate) fn mass_update(self) -> Stamp {
        self.as_of.plus_days(-37).plus_seconds(-3_600)
    }

    /// Nothing was touched in the last hour before the base date.
    fn newest(self) -> Stamp {
        self.as_of.plus_seconds(-3_600)
    }
}
