//! Date literals: `TODAY`, `LAST_N_DAYS:30` and their kin, in the user's time zone.

use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// `None` if a word is no date literal; otherwise true if the literal takes a number.
pub(super) fn is_relative(word: &str) -> Option<bool> {
    let plain = ["YESTERDAY", "TODAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"];
    if plain.contains(&word) {
        return Some(false);
    }
    for unit in ["WEEK", "MONTH", "QUARTER", "YEAR"] {
        for prefix in ["LAST_", "THIS_", "NEXT_"] {
            if word.strip_prefix(prefix) == Some(unit) {
                return Some(false);
            }
        }
    }
    for unit in ["DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS"] {
        for prefix in ["LAST_N_", "NEXT_N_"] {
            if word.strip_prefix(prefix) == Some(unit) {
                return Some(true);
            }
        }
        if word.strip_prefix("N_").and_then(|w| w.strip_suffix("_AGO")) == Some(unit) {
            return Some(true);
        }
    }
    None
}

/// The first day of a literal and the day after its last. `None` beyond the calendar.
pub(super) fn range(word: &str, n: i64, now_ms: i64, zone: &TimeZone) -> Option<(Date, Date)> {
    let today = zone.to_datetime(Timestamp::from_millisecond(now_ms).ok()?).date();
    let days = |from: i64, to: i64| {
        Some((today.checked_add(from.days()).ok()?, today.checked_add(to.days()).ok()?))
    };
    match word {
        "TODAY" => return days(0, 1),
        "YESTERDAY" => return days(-1, 0),
        "TOMORROW" => return days(1, 2),
        "LAST_90_DAYS" => return days(-90, 1),
        "NEXT_90_DAYS" => return days(1, 91),
        // Salesforce counts today in LAST_N_DAYS and leaves it out of NEXT_N_DAYS.
        "LAST_N_DAYS" => return days(-n, 1),
        "NEXT_N_DAYS" => return days(1, n + 1),
        "N_DAYS_AGO" => return days(-n, 1 - n),
        _ => {}
    }
    let (from, to) = if word.starts_with("N_") {
        (-n, 1 - n)
    } else if word.starts_with("LAST_N_") {
        (-n, 0)
    } else if word.starts_with("NEXT_N_") {
        (1, n + 1)
    } else if word.starts_with("LAST_") {
        (-1, 0)
    } else if word.starts_with("NEXT_") {
        (1, 2)
    } else {
        (0, 1)
    };
    let unit = ["WEEK", "MONTH", "QUARTER", "YEAR"].into_iter().find(|unit| word.contains(unit))?;
    Some((shifted(today, unit, from)?, shifted(today, unit, to)?))
}

/// The first day of the period `n` periods after today's.
fn shifted(today: Date, unit: &str, n: i64) -> Option<Date> {
    match unit {
        "WEEK" => {
            let back = i64::from(today.weekday().to_sunday_zero_offset());
            today.checked_add((7 * n - back).days()).ok()
        }
        "YEAR" => {
            let year = i16::try_from(i64::from(today.year()) + n).ok()?;
            (1..=9999).contains(&year).then(|| date(year, 1, 1))
        }
        _ => {
            let months = if unit == "QUARTER" { 3 } else { 1 };
            let first = (today.month() - 1) / months * months + 1;
            date(today.year(), first, 1).checked_add((n * i64::from(months)).months()).ok()
        }
    }
}

/// Milliseconds at the start of a day.
pub(super) fn start_of(day: Date, zone: &TimeZone) -> i64 {
    day.to_zoned(zone.clone()).map_or(0, |z| z.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(word: &str, n: i64) -> String {
        // Saturday 2026-11-21, 12:00 UTC.
        let (from, to) = range(word, n, 1_795_262_400_000, &TimeZone::UTC).unwrap();
        format!("{from} {to}")
    }

    #[test]
    fn literals_are_salesforces_ranges() {
        assert_eq!(shown("TODAY", 0), "2026-11-21 2026-11-22");
        assert_eq!(shown("LAST_N_DAYS", 30), "2026-10-22 2026-11-22");
        assert_eq!(shown("THIS_WEEK", 0), "2026-11-15 2026-11-22");
        assert_eq!(shown("LAST_MONTH", 0), "2026-10-01 2026-11-01");
        assert_eq!(shown("THIS_QUARTER", 0), "2026-10-01 2027-01-01");
        assert_eq!(shown("N_YEARS_AGO", 2), "2024-01-01 2025-01-01");
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        // 15:00 UTC is the next day there, which began at that moment.
        let (from, _) = range("TODAY", 0, 1_795_273_200_000, &tokyo).unwrap();
        assert_eq!((from, start_of(from, &tokyo)), (date(2026, 11, 22), 1_795_273_200_000));
        assert!(is_relative("LAST_N_DAYS") == Some(true) && is_relative("SOMEDAY").is_none());
    }
}
