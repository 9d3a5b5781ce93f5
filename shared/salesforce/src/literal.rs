//! SOQL literals.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::datetime::format_datetime;
use super::id::SalesforceId;

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, compared without regard to case by Salesforce.
    Text(String),
    /// A record id.
    Id(SalesforceId),
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with decimals.
    Decimal(Decimal),
    /// A day.
    Date(Date),
    /// A moment.
    DateTime(Timestamp),
    /// No value.
    Null,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&&str> for Value {
    fn from(text: &&str) -> Self {
        Self::Text((*text).to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&SalesforceId> for Value {
    fn from(id: &SalesforceId) -> Self {
        Self::Id(*id)
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),*) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

value_from!(
    String => Text, SalesforceId => Id, bool => Bool, i64 => Int, Decimal => Decimal, Date => Date,
    Timestamp => DateTime
);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => quote(f, text, false, ""),
            Self::Id(id) => write!(f, "'{id}'"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Decimal(value) => write!(f, "{value}"),
            Self::Date(day) => write!(f, "{day}"),
            Self::DateTime(moment) => f.write_str(&format_datetime(*moment)),
            Self::Null => f.write_str("null"),
        }
    }
}

/// Writes a text literal with SOQL's escapes; `pattern` also escapes the wildcards of `LIKE`.
pub(super) fn quote(
    f: &mut impl fmt::Write,
    text: &str,
    pattern: bool,
    suffix: &str,
) -> fmt::Result {
    f.write_char('\'')?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\'' => f.write_str("\\'")?,
            '"' => f.write_str("\\\"")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            '_' | '%' if pattern => write!(f, "\\{c}")?,
            c => f.write_char(c)?,
        }
    }
    write!(f, "{suffix}'")
}
