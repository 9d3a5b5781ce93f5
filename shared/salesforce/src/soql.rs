//! Queries as values: nothing reaches Salesforce's parser but checked names and escaped literals.

use std::fmt::{self, Write as _};

use super::literal::{Value, quote};

/// The longest query Salesforce reads, in characters.
const MAX_CHARS: usize = 100_000;

/// The longest request line that leaves room for headers in Salesforce's 16,384 bytes for both: the
/// token is under 2 KB, the rest under 1.
const MAX_URL_BYTES: usize = 12_000;

/// Why a query cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SoqlError {
    /// Not a name of an object or field.
    #[error("not a Salesforce object or field name: {0:?}")]
    Name(String),
    /// No field is selected.
    #[error("a query must select at least one field")]
    NoFields,
    /// An `IN` list or a group of conditions is empty, which Salesforce cannot express.
    #[error("an empty list of values or conditions cannot be queried")]
    Empty,
    /// Longer than Salesforce reads.
    #[error("the query has {0} characters, Salesforce reads at most {MAX_CHARS}")]
    TooLong(usize),
}

/// A query that is safe to send. Made by [`Select`] only.
///
/// `Debug` shows the object and the length: the literals may be personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Soql {
    object: String,
    text: String,
}

impl Soql {
    /// The query text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The object that is queried.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// True when the query fits a REST request, where it travels in the URL; if not, Bulk takes it.
    #[must_use]
    pub fn fits_rest(&self) -> bool {
        let encoded: usize =
            url::form_urlencoded::byte_serialize(self.text.as_bytes()).map(str::len).sum();
        encoded <= MAX_URL_BYTES
    }
}

impl fmt::Debug for Soql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Soql")
            .field("object", &self.object)
            .field("chars", &self.text.chars().count())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Compare { field: String, operator: &'static str, value: Value },
    StartsWith { field: String, prefix: String },
    In { field: String, operator: &'static str, values: Vec<Value> },
    Group { joiner: &'static str, conditions: Vec<Condition> },
    Not(Box<Condition>),
}

/// A condition of `WHERE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Test);

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident => $operator:literal),*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(field: &str, value: impl Into<Value>) -> Self {
            let (field, value) = (field.to_owned(), value.into());
            Self(Test::Compare { field, operator: $operator, value })
        }
    )*};
}

impl Condition {
    comparisons! {
        /// `field = value`.
        eq => "=",
        /// `field != value`; true for rows without a value, too.
        ne => "!=",
        /// `field < value`.
        lt => "<",
        /// `field <= value`.
        le => "<=",
        /// `field > value`.
        gt => ">",
        /// `field >= value`.
        ge => ">="
    }

    /// `field LIKE 'prefix%'`, with the prefix taken literally.
    #[must_use]
    pub fn starts_with(field: &str, prefix: &str) -> Self {
        Self(Test::StartsWith { field: field.to_owned(), prefix: prefix.to_owned() })
    }

    /// `field IN (…)`.
    #[must_use]
    pub fn is_in<V: Into<Value>>(field: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self::list(field, "IN", values)
    }

    /// `field NOT IN (…)`.
    #[must_use]
    pub fn not_in<V: Into<Value>>(field: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self::list(field, "NOT IN", values)
    }

    fn list<V: Into<Value>>(
        field: &str,
        operator: &'static str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        Self(Test::In { field: field.to_owned(), operator, values })
    }

    /// All of them.
    #[must_use]
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self(Test::Group { joiner: " AND ", conditions: conditions.into_iter().collect() })
    }

    /// At least one of them.
    #[must_use]
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self(Test::Group { joiner: " OR ", conditions: conditions.into_iter().collect() })
    }

    /// Not so. (An associated function, as `all` and `any` are.)
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "the builder reads as SOQL does")]
    pub fn not(condition: Self) -> Self {
        Self(Test::Not(Box::new(condition)))
    }

    fn write(&self, out: &mut String) -> Result<(), SoqlError> {
        match &self.0 {
            Test::Compare { field, operator, value } => {
                push(out, format_args!("{} {operator} {value}", name(field)?));
            }
            Test::StartsWith { field, prefix } => {
                push(out, format_args!("{} LIKE ", name(field)?));
                // Writing to a `String` cannot fail.
                let _ = quote(out, prefix, true, "%");
            }
            Test::In { values, .. } if values.is_empty() => return Err(SoqlError::Empty),
            Test::In { field, operator, values } => {
                push(out, format_args!("{} {operator} (", name(field)?));
                for (i, value) in values.iter().enumerate() {
                    push(out, format_args!("{}{value}", if i == 0 { "" } else { "," }));
                }
                out.push(')');
            }
            Test::Group { conditions, .. } if conditions.is_empty() => {
                return Err(SoqlError::Empty);
            }
            // Always in parentheses: SOQL refuses AND and OR side by side without them.
            Test::Group { joiner, conditions } => {
                out.push('(');
                for (i, condition) in conditions.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { joiner });
                    condition.write(out)?;
                }
                out.push(')');
            }
            Test::Not(condition) => {
                out.push_str("(NOT ");
                condition.write(out)?;
                out.push(')');
            }
        }
        Ok(())
    }
}

fn push(out: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = out.write_fmt(text);
}

/// `[A-Za-z][A-Za-z0-9_.]*`, with no empty part between dots.
fn name(text: &str) -> Result<&str, SoqlError> {
    let part_is_sound = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if text.split('.').all(part_is_sound) {
        Ok(text)
    } else {
        Err(SoqlError::Name(text.chars().take(80).collect()))
    }
}

/// Checks a name that goes into a request path.
pub(super) fn object_name(text: &str) -> Result<&str, SoqlError> {
    if text.contains('.') {
        Err(SoqlError::Name(text.chars().take(80).collect()))
    } else {
        name(text)
    }
}

/// The order of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first; rows without a value come first.
    Ascending,
    /// Largest first; rows without a value come last.
    Descending,
}

/// Builds a query.
///
/// ```
/// use shared::salesforce::{Condition, Direction, Select};
///
/// let query = Select::from("Account")
///     .fields(["Id", "Name", "Owner.Name"])
///     .filter(Condition::eq("Name", "O'Hara & Sons"))
///     .order_by("Id", Direction::Ascending)
///     .build()?;
/// assert_eq!(
///     query.as_str(),
///     r"SELECT Id,Name,Owner.Name FROM Account WHERE Name = 'O\'Hara & Sons' ORDER BY Id ASC"
/// );
/// # Ok::<(), shared::salesforce::SoqlError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    object: String,
    count: bool,
    fields: Vec<String>,
    filters: Vec<Condition>,
    order: Vec<(String, Direction)>,
    limit: Option<u64>,
}

impl Select {
    /// Rows of an object.
    #[must_use]
    pub fn from(object: &str) -> Self {
        Self {
            object: object.to_owned(),
            count: false,
            fields: Vec::new(),
            filters: Vec::new(),
            order: Vec::new(),
            limit: None,
        }
    }

    /// The number of rows of an object: `SELECT COUNT()`.
    #[must_use]
    pub fn count(object: &str) -> Self {
        Self { count: true, ..Self::from(object) }
    }

    /// Adds fields; parents' fields are dotted (`Owner.Name`). A field already there is not
    /// repeated, which Salesforce would refuse.
    #[must_use]
    pub fn fields<S: AsRef<str>>(mut self, fields: impl IntoIterator<Item = S>) -> Self {
        for field in fields {
            let field = field.as_ref();
            if !self.fields.iter().any(|known| known.eq_ignore_ascii_case(field)) {
                self.fields.push(field.to_owned());
            }
        }
        self
    }

    /// Adds a condition; all conditions must hold.
    #[must_use]
    pub fn filter(mut self, condition: Condition) -> Self {
        self.filters.push(condition);
        self
    }

    /// Adds a sort key. In Bulk this switches chunking by primary key off, which makes large
    /// queries slow.
    #[must_use]
    pub fn order_by(mut self, field: &str, direction: Direction) -> Self {
        self.order.push((field.to_owned(), direction));
        self
    }

    /// At most this many rows. In Bulk, see [`Select::order_by`].
    #[must_use]
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Checks every name and writes the query.
    pub fn build(&self) -> Result<Soql, SoqlError> {
        let mut text = String::from("SELECT ");
        if self.count {
            text.push_str("COUNT()");
        } else if self.fields.is_empty() {
            return Err(SoqlError::NoFields);
        }
        for (i, field) in self.fields.iter().enumerate() {
            text.push_str(if i == 0 && !self.count { "" } else { "," });
            text.push_str(name(field)?);
        }
        push(&mut text, format_args!(" FROM {}", object_name(&self.object)?));
        for (i, condition) in self.filters.iter().enumerate() {
            text.push_str(if i == 0 { " WHERE " } else { " AND " });
            condition.write(&mut text)?;
        }
        for (i, (field, direction)) in self.order.iter().enumerate() {
            let direction = if *direction == Direction::Ascending { "ASC" } else { "DESC" };
            let lead = if i == 0 { " ORDER BY" } else { "," };
            push(&mut text, format_args!("{lead} {} {direction}", name(field)?));
        }
        if let Some(rows) = self.limit {
            push(&mut text, format_args!(" LIMIT {rows}"));
        }
        let chars = text.chars().count();
        if chars > MAX_CHARS {
            return Err(SoqlError::TooLong(chars));
        }
        Ok(Soql { object: self.object.clone(), text })
    }
}

#[cfg(test)]
#[path = "soql_tests.rs"]
mod tests;
