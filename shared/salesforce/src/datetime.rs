//! Salesforce's several ways to write a moment.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::rfc2822;

/// The text is not a moment in any form that Salesforce writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Salesforce date or time")]
pub struct DateTimeError;

/// Reads a datetime field: `2026-01-01T10:00:00.000Z`, `…+0000` (REST's JSON), `…+00:00`, with or
/// without a fraction.
pub fn parse_datetime(text: &str) -> Result<Timestamp, DateTimeError> {
    // A zone is required: a moment without one would silently mean somebody's local time.
    text.trim().parse().map_err(|_| DateTimeError)
}

/// Reads a date field, `2026-01-31`.
pub fn parse_date(text: &str) -> Result<Date, DateTimeError> {
    let text = text.trim();
    if text.len() != 10 {
        return Err(DateTimeError);
    }
    text.parse().map_err(|_| DateTimeError)
}

/// Reads `issued_at` of a token response: milliseconds since 1970, as digits.
pub fn parse_epoch_millis(text: &str) -> Result<Timestamp, DateTimeError> {
    let millis = text.trim().parse().map_err(|_| DateTimeError)?;
    Timestamp::from_millisecond(millis).map_err(|_| DateTimeError)
}

/// Reads an HTTP `Date` header.
pub fn parse_http_date(text: &str) -> Result<Timestamp, DateTimeError> {
    // HTTP writes `GMT`, which RFC 2822 keeps as an obsolete zone name with the same meaning.
    rfc2822::parse(text).map(|zoned| zoned.timestamp()).map_err(|_| DateTimeError)
}

/// Writes a moment as Salesforce reads it in SOQL, in JSON and in query strings: milliseconds and
/// `Z`.
///
/// Never an offset: `+` in a query string is a space to the server.
#[must_use]
pub fn format_datetime(moment: Timestamp) -> String {
    format!("{moment:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_salesforce_writes_is_the_same_moment() {
        let moment: Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
        for text in [
            "2026-01-01T10:00:00.000Z",
            "2026-01-01T10:00:00Z",
            "2026-01-01T10:00:00.000+0000",
            "2026-01-01T10:00:00+0000",
            "2026-01-01T10:00:00.000+00:00",
            "2026-01-01T11:00:00.000+0100",
            "2026-01-01T05:30:00.000-04:30",
            " 2026-01-01T10:00:00.000Z ",
        ] {
            assert_eq!(parse_datetime(text), Ok(moment), "{text}");
        }
        assert_eq!(parse_epoch_millis("1767261600000"), Ok(moment));
        assert_eq!(parse_http_date("Thu, 01 Jan 2026 10:00:00 GMT"), Ok(moment));
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T10:00:00",
            "yesterday",
            "1767261600000",
            "2026-13-01T10:00:00Z",
        ] {
            assert_eq!(parse_datetime(text), Err(DateTimeError), "{text}");
        }
        for text in ["", "2026-1-1", "2026-01-01T10:00:00Z", "2026-02-30", "20260101"] {
            assert_eq!(parse_date(text), Err(DateTimeError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_ends_in_z(
            millis in -62_000_000_000_000_i64..250_000_000_000_000
        ) {
            let moment = Timestamp::from_millisecond(millis).unwrap();
            let text = format_datetime(moment);
            prop_assert!(text.ends_with('Z') && !text.contains('+'));
            prop_assert_eq!(parse_datetime(&text), Ok(moment));
            let rest = text.replace('Z', "+0000");
            prop_assert_eq!(parse_datetime(&rest), Ok(moment));
        }
    }
}
