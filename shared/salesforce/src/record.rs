//! Records as REST gives them, and the one view of REST and Bulk rows.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::csv::Row;
use super::id::SalesforceId;

/// A row by field names, from REST or from Bulk: the import reads both alike.
pub trait FieldValues {
    /// The value of a field as text (`Owner.Name` for a parent's); none when it is null or was not
    /// selected.
    fn text(&self, field: &str) -> Option<Cow<'_, str>>;

    /// The record's id.
    fn id(&self) -> Option<SalesforceId> {
        self.text("Id")?.parse().ok()
    }

    /// A boolean.
    fn flag(&self, field: &str) -> Option<bool> {
        match &*self.text(field)? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

impl FieldValues for Row<'_> {
    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        self.get(field).map(Cow::Borrowed)
    }
}

/// A record of a REST answer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record(Map<String, Value>);

impl Record {
    /// The object, from the record's `attributes`.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.0.get("attributes")?.get("type")?.as_str()
    }

    /// The raw value of a field, by its path.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<&Value> {
        let (first, rest) = match field.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (field, None),
        };
        let mut value = member(&self.0, first)?;
        for part in rest.into_iter().flat_map(|rest| rest.split('.')) {
            value = member(value.as_object()?, part)?;
        }
        Some(value).filter(|value| !value.is_null())
    }

    /// The names and values of the record itself, Salesforce's `attributes` left out.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let fields = self.0.iter().filter(|(name, _)| *name != "attributes");
        fields.map(|(name, value)| (name.as_str(), value))
    }
}

/// Field names have no case for Salesforce.
fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

impl FieldValues for Record {
    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        match self.value(field)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Null => None,
            value => Some(Cow::Owned(value.to_string())),
        }
    }
}

/// Shows the id only: values are personal data.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("id", &FieldValues::id(self)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_by_paths_and_without_regard_to_case() {
        let record: Record = serde_json::from_str(
            r#"{"attributes":{"type":"Contact","url":"/x"},"Id":"003D000000QTYgN","Name":"Ann",
                "Title":null,"Phone":"","Owner":{"attributes":{"type":"User"},"Name":"Bob",
                "Manager":{"Id":"005000000000001"}},"Account":null,
                "Amount":1.0E7,"IsDeleted":false}"#,
        )
        .unwrap();
        assert_eq!(record.object(), Some("Contact"));
        assert_eq!(record.id().unwrap().as_str(), "003D000000QTYgNIAX");
        assert_eq!(record.text("Owner.Name").as_deref(), Some("Bob"));
        assert_eq!(record.text("owner.manager.id").as_deref(), Some("005000000000001"));
        assert_eq!(record.text("Amount").unwrap().parse(), Ok(10_000_000.0));
        assert_eq!(record.flag("IsDeleted"), Some(false));
        for absent in ["Title", "Phone", "Account", "Account.Name", "Nothing", "Name.First"] {
            assert_eq!(record.text(absent), None, "{absent}");
        }
        assert!(!format!("{record:?}").contains("Ann"));
    }
}
