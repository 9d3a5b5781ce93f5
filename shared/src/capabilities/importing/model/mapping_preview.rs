//! A look at one record through a field mapping.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FieldMapping;
use crate::salesforce::SalesforceId;

/// A look at one record through a mapping that need not be made yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingPreview {
    /// The mapping.
    pub mapping: FieldMapping,
    /// The record's id.
    #[serde(rename = "record_id")]
    pub record: SalesforceId,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Where it stands.
    #[serde(flatten)]
    pub state: PreviewState,
}

/// Where a look at a record stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PreviewState {
    /// The org is being asked.
    Asked,
    /// The values are there.
    Ready,
    /// The org does not show the record.
    Refused {
        /// What it is about, in our words.
        reason: String,
    },
}

/// A record's values in a standard field and in the custom one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewValues {
    /// In the standard field; none for no value, or a field that is hidden.
    pub field: Option<String>,
    /// In the custom field.
    pub custom_field: Option<String>,
}
