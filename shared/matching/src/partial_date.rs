//! A date of which the day, or the month and the day, may be unknown: `2021`, `2021-03`,
//! `2021-03-15`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A day, a month or a year. What is less exact goes before what it contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartialDate {
    year: u16,
    /// 0 when it is unknown.
    month: u8,
    /// 0 when it is unknown.
    day: u8,
}

/// The reason a text is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a date as 2021, 2021-03 or 2021-03-15")]
pub struct ParsePartialDateError;

impl PartialDate {
    /// The year.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1; none when it is unknown.
    #[must_use]
    pub fn month(self) -> Option<u8> {
        (self.month > 0).then_some(self.month)
    }

    /// The day of the month, from 1; none when it is unknown.
    #[must_use]
    pub fn day(self) -> Option<u8> {
        (self.day > 0).then_some(self.day)
    }
}

fn days_of(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// A number of exactly so many digits.
fn digits<T: FromStr>(text: &str, count: usize) -> Result<T, ParsePartialDateError> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = is_number.then(|| text.parse().ok()).flatten();
    parsed.ok_or(ParsePartialDateError)
}

impl FromStr for PartialDate {
    type Err = ParsePartialDateError;

    fn from_str(text: &str) -> Result<Self, ParsePartialDateError> {
        let mut parts = text.split('-');
        let year = digits(parts.next().unwrap_or_default(), 4)?;
        let month = parts.next().map_or(Ok(None), |part| digits(part, 2).map(Some))?;
        let day = parts.next().map_or(Ok(None), |part| digits(part, 2).map(Some))?;
        let is_month = month.is_none_or(|month| (1..=12).contains(&month));
        let last = days_of(year, month.unwrap_or_default());
        let is_day = day.is_none_or(|day| (1..=last).contains(&day));
        if parts.next().is_some() || !is_month || !is_day {
            return Err(ParsePartialDateError);
        }
        Ok(Self { year, month: month.unwrap_or_default(), day: day.unwrap_or_default() })
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}", self.year)?;
        for part in [self.month(), self.day()].into_iter().flatten() {
            write!(out, "-{part:02}")?;
        }
        Ok(())
    }
}

impl Serialize for PartialDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PartialDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A date, or a year as a number; anything else is no date, and no fault of its line.
pub(crate) fn or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PartialDate>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Year(u16),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        Some(Either::Text(text)) => text.trim().parse().ok(),
        Some(Either::Year(year)) => format!("{year:04}").parse().ok(),
        Some(Either::Other(_)) | None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<PartialDate> {
        text.parse().ok()
    }

    #[test]
    fn a_day_a_month_and_a_year_are_read_and_written_alike() {
        for text in ["2021", "2021-03", "2021-03-31", "2024-02-29", "2000-02-29"] {
            assert_eq!(date(text).unwrap().to_string(), text);
        }
        let month = date("2021-03").unwrap();
        assert_eq!((month.year(), month.month(), month.day()), (2021, Some(3), None));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let wrong = [
            "",
            "21",
            "2021-",
            "2021-3",
            "2021-00",
            "2021-13",
            "2021-02-29",
            "1900-02-29",
            "2021-04-31",
            "2021-03-00",
            "2021-03-15-1",
            "2021/03",
            "+202",
            "２０２１",
            "today",
        ];
        for text in wrong {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn dates_go_by_time_and_the_less_exact_first() {
        let mut dates = ["2021-03-15", "2022", "2021", "2021-03"].map(|text| date(text).unwrap());
        dates.sort();
        assert_eq!(dates.map(|date| date.to_string()), ["2021", "2021-03", "2021-03-15", "2022"]);
    }
}
