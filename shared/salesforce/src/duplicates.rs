//! The answer of an org's duplicate rule that stops a write.

use serde::{Deserialize, Serialize};

use super::id::SalesforceId;
use super::quotation::{MAX_MESSAGE_CHARS, quoted};

/// A record that the org's matching rules take for the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DuplicateMatch {
    /// The record.
    pub id: SalesforceId,
    /// Its object; a lead may be stopped by a contact.
    pub object: String,
    /// Salesforce's confidence, 0 to 100.
    pub confidence: f64,
}

/// The duplicate rule that stopped a write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DuplicateRuleHit {
    /// True for a rule that only warns: the write may be repeated with
    /// [`DuplicateRuleHandling::AllowSave`](super::DuplicateRuleHandling::AllowSave).
    pub allow_save: bool,
    /// The rule's API name.
    pub rule: String,
    /// The text its author wrote for users.
    pub message: String,
    /// The records it found: all of them, or none when the answer left any out, since a partial
    /// list may hide the right one.
    pub matches: Option<Vec<DuplicateMatch>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct DuplicateResultWire {
    allow_save: bool,
    duplicate_rule: String,
    error_message: Option<String>,
    match_results: Vec<MatchResultWire>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct MatchResultWire {
    entity_type: String,
    errors: Vec<serde_json::Value>,
    match_records: Vec<MatchRecordWire>,
    size: Option<usize>,
    success: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct MatchRecordWire {
    match_confidence: f64,
    record: RecordWire,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RecordWire {
    attributes: AttributesWire,
    #[serde(rename = "Id")]
    id: Option<SalesforceId>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AttributesWire {
    #[serde(rename = "type")]
    object: Option<String>,
}

impl From<DuplicateResultWire> for DuplicateRuleHit {
    fn from(wire: DuplicateResultWire) -> Self {
        let matches = wire.match_results.into_iter().map(MatchResultWire::matches);
        Self {
            allow_save: wire.allow_save,
            rule: wire.duplicate_rule,
            message: quoted(&wire.error_message.unwrap_or_default(), MAX_MESSAGE_CHARS),
            matches: matches.collect::<Option<Vec<_>>>().map(|found| found.concat()),
        }
    }
}

impl MatchResultWire {
    fn matches(self) -> Option<Vec<DuplicateMatch>> {
        let whole = self.errors.is_empty()
            && self.success != Some(false)
            && self.size.is_none_or(|size| size == self.match_records.len());
        if !whole {
            return None;
        }
        let entity_type = self.entity_type;
        let read = |found: MatchRecordWire| {
            Some(DuplicateMatch {
                id: found.record.id?,
                object: found.record.attributes.object.unwrap_or_else(|| entity_type.clone()),
                confidence: found.match_confidence,
            })
        };
        self.match_records.into_iter().map(read).collect()
    }
}
