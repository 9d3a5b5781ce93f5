//! The fields of an object, as an org shows them to its integration user.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A field as an org describes it to its integration user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a description answers these questions apart")]
pub struct OrgField {
    /// The API name.
    pub name: String,
    /// The name as the org shows it.
    #[serde(default)]
    pub label: String,
    /// Salesforce's type, such as `picklist`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Made by the org or by a package.
    pub custom: bool,
    /// A formula: its changes do not move `SystemModstamp`.
    pub calculated: bool,
    /// Can stand in a condition.
    pub filterable: bool,
    /// Can be read in bulk: compound values and files cannot.
    pub importable: bool,
    /// The values of its list, in the org's order; none of a field without a list, or with a long
    /// one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<OrgValue>,
}

/// A value of a field's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgValue {
    /// Its API name, which records hold.
    pub value: String,
    /// The value as the org shows it.
    pub label: String,
    /// Offered for new rows.
    pub active: bool,
}

/// A record type that the integration user may give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgRecordType {
    /// Its id.
    pub id: String,
    /// Its name as the org shows it.
    pub name: String,
}

/// The fields of an object that an org was found to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownFields {
    /// When.
    pub as_of: Timestamp,
    /// The fields.
    pub fields: Vec<OrgField>,
    /// The record types that the integration user may give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub record_types: Vec<OrgRecordType>,
}

/// The kind of a field's values, whatever Salesforce's finer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Texts of all kinds, picklists too.
    Text,
    /// Numbers and amounts.
    Number,
    /// Checkboxes.
    Boolean,
    /// Days.
    Date,
    /// Moments.
    Moment,
    /// Ids of records.
    Id,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "checkbox",
            Self::Date => "date",
            Self::Moment => "datetime",
            Self::Id => "record id",
        })
    }
}

impl ValueType {
    /// The values of a Salesforce type; none for types that hold something else.
    #[must_use]
    pub fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "string" | "textarea" | "picklist" | "multipicklist" | "combobox" | "email"
            | "phone" | "url" | "encryptedstring" => Self::Text,
            "int" | "long" | "double" | "currency" | "percent" => Self::Number,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "datetime" => Self::Moment,
            "id" | "reference" => Self::Id,
            _ => return None,
        })
    }
}

/// A field by its name, whatever the case.
pub(super) fn shown<'a>(fields: &'a [OrgField], name: &str) -> Option<&'a OrgField> {
    fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
}
