//! A field's value, and its forms on the wire.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::ids::RecordId;
use crate::schema::{Field, FieldType};

/// A value of a field. Dates are their ten characters, which sort as dates do; times are
/// milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Time(i64),
    Id(RecordId),
    Text(Cow<'a, str>),
}

/// Why a text or JSON value does not fit a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValueError {
    /// Not of the field's type.
    WrongType { value: String },
    /// Not a well-formed id.
    MalformedId { value: String },
    /// Longer than the field.
    TooLong { value: String, max: usize },
}

impl Value<'_> {
    /// A text value that owns its text.
    pub(crate) fn text(text: impl Into<String>) -> Value<'static> {
        Value::Text(Cow::Owned(text.into()))
    }

    /// True if there is no value.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The id, if it is one.
    pub(crate) fn as_id(&self) -> Option<RecordId> {
        match self {
            Value::Id(id) => Some(*id),
            _ => None,
        }
    }

    /// True if it is the boolean true.
    pub(crate) fn is_true(&self) -> bool {
        *self == Value::Bool(true)
    }

    /// A copy that borrows nothing.
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Null => Value::Null,
            Value::Bool(b) => Value::Bool(b),
            Value::Int(n) => Value::Int(n),
            Value::Double(n) => Value::Double(n),
            Value::Time(t) => Value::Time(t),
            Value::Id(id) => Value::Id(id),
        }
    }

    /// The JSON form of REST replies.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Int(n) => (*n).into(),
            Value::Double(n) => (*n).into(),
            Value::Time(t) => format_date_time(*t, "+0000").into(),
            Value::Id(id) => id.to_string().into(),
            Value::Text(text) => text.as_ref().into(),
        }
    }

    /// Appends the plain text form, with `zone` behind a time. Null is nothing at all.
    pub(crate) fn write_plain(&self, out: &mut String, zone: &str) {
        // Writing to a String cannot fail.
        let _ = match self {
            Value::Null => Ok(()),
            Value::Bool(b) => write!(out, "{b}"),
            Value::Int(n) => write!(out, "{n}"),
            Value::Double(n) => write!(out, "{n:?}"),
            Value::Time(t) => {
                push_date_time(out, *t, zone);
                Ok(())
            }
            Value::Id(id) => write!(out, "{id}"),
            Value::Text(text) => out.write_str(text),
        };
    }
}

impl Field {
    /// Reads the text of a CSV cell. Empty is null.
    pub(crate) fn parse_text(&self, text: &str) -> Result<Value<'static>, ValueError> {
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let wrong = || ValueError::WrongType { value: text.to_owned() };
        Ok(match self.kind {
            FieldType::Boolean => match text {
                "1" => Value::Bool(true),
                "0" => Value::Bool(false),
                _ if text.eq_ignore_ascii_case("true") => Value::Bool(true),
                _ if text.eq_ignore_ascii_case("false") => Value::Bool(false),
                _ => return Err(wrong()),
            },
            FieldType::Int => Value::Int(whole(text.parse().map_err(|_| wrong())?)),
            FieldType::Double | FieldType::Currency | FieldType::Percent => {
                Value::Double(text.parse().map_err(|_| wrong())?)
            }
            FieldType::Date => Value::text(parse_date(text).ok_or_else(wrong)?),
            FieldType::DateTime => Value::Time(parse_date_time(text).ok_or_else(wrong)?),
            FieldType::Id | FieldType::Reference => Value::Id(
                RecordId::parse(text)
                    .ok_or_else(|| ValueError::MalformedId { value: text.to_owned() })?,
            ),
            FieldType::Address => return Err(wrong()),
            _ => {
                if self.length > 0 && text.len() > self.length {
                    // Salesforce counts UTF-16 units, as Java does.
                    let units = text.encode_utf16().count();
                    if units > self.length {
                        return Err(ValueError::TooLong {
                            value: text.to_owned(),
                            max: self.length,
                        });
                    }
                }
                Value::text(text)
            }
        })
    }

    /// Reads a JSON value of a write request.
    pub(crate) fn parse_json(
        &self,
        json: &serde_json::Value,
    ) -> Result<Value<'static>, ValueError> {
        use serde_json::Value as Json;
        let wrong = || ValueError::WrongType { value: json.to_string() };
        match json {
            Json::Null => Ok(Value::Null),
            Json::String(text) => self.parse_text(text),
            Json::Bool(b) if self.kind == FieldType::Boolean => Ok(Value::Bool(*b)),
            Json::Bool(b) if self.kind.is_text() => self.parse_text(&b.to_string()),
            Json::Number(n) if self.kind == FieldType::Int => {
                n.as_f64().map(|n| Value::Int(whole(n))).ok_or_else(wrong)
            }
            Json::Number(n) if self.kind.is_decimal() => {
                n.as_f64().map(Value::Double).ok_or_else(wrong)
            }
            Json::Number(n) if self.kind.is_text() && self.kind != FieldType::Date => {
                self.parse_text(&n.to_string())
            }
            _ => Err(wrong()),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "Salesforce's int fields hold 32 bits")]
fn whole(n: f64) -> i64 {
    n.round() as i64
}

/// Reads `YYYY-MM-DD`, or the date part of a time.
pub(crate) fn parse_date(text: &str) -> Option<String> {
    let date = text.get(..10)?;
    let rest = &text[10..];
    if !(rest.is_empty() || rest.starts_with('T') || rest.starts_with(' ')) {
        return None;
    }
    date.parse::<jiff::civil::Date>().ok()?;
    Some(date.to_owned())
}

/// Reads a time in any form that Salesforce takes or gives: `Z`, `+0000`, `+00:00`, a blank for the
/// `T`, a bare date.
pub(crate) fn parse_date_time(text: &str) -> Option<i64> {
    let mut text = text.trim().replacen(' ', "T", 1);
    if text.len() == 10 {
        text.push_str("T00:00:00Z");
    }
    let zoned = text.ends_with('Z') || text.get(11..).is_some_and(|t| t.contains(['+', '-']));
    if !zoned {
        text.push('Z');
    }
    let bytes = text.as_bytes();
    let basic_offset = bytes.len() > 5
        && matches!(bytes[bytes.len() - 5], b'+' | b'-')
        && bytes[bytes.len() - 4..].iter().all(u8::is_ascii_digit);
    if basic_offset {
        text.insert(text.len() - 2, ':');
    }
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// `2026-01-01T10:00:00.000` with `zone` behind it.
pub(crate) fn format_date_time(ms: i64, zone: &str) -> String {
    let mut out = String::with_capacity(28);
    push_date_time(&mut out, ms, zone);
    out
}

/// Appends a time. By hand because bulk pages hold several in each row, and this is their slowest
/// part otherwise.
fn push_date_time(out: &mut String, ms: i64, zone: &str) {
    let days = ms.div_euclid(86_400_000);
    let rest = ms.rem_euclid(86_400_000);
    // Days to a civil date: Howard Hinnant's `civil_from_days`.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    push_digits(out, year, 4);
    out.push('-');
    push_digits(out, month, 2);
    out.push('-');
    push_digits(out, day, 2);
    out.push('T');
    push_digits(out, rest / 3_600_000, 2);
    out.push(':');
    push_digits(out, rest / 60_000 % 60, 2);
    out.push(':');
    push_digits(out, rest / 1000 % 60, 2);
    out.push('.');
    push_digits(out, rest % 1000, 3);
    out.push_str(zone);
}

fn push_digits(out: &mut String, n: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = n / 10_i64.pow(place) % 10;
        out.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_in_every_form() {
        let expected = Some(1_767_261_600_000);
        for text in [
            "2026-01-01T10:00:00.000Z",
            "2026-01-01T10:00:00.000+0000",
            "2026-01-01T11:00:00+01:00",
            "2026-01-01 10:00:00",
            "2026-01-01T10:00:00Z",
        ] {
            assert_eq!(parse_date_time(text), expected, "{text}");
        }
        assert_eq!(parse_date_time("yesterday"), None);
        assert_eq!(format_date_time(1_767_261_600_000, "+0000"), "2026-01-01T10:00:00.000+0000");
    }

    proptest! {
        #[test]
        fn a_printed_time_is_read_back(ms in -30_000_000_000_000_i64..30_000_000_000_000) {
            prop_assert_eq!(parse_date_time(&format_date_time(ms, "Z")), Some(ms));
        }
    }
}
