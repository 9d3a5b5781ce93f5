//! A change of the CRM, and its way there. Pure.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::capabilities::activities::HoldReason;
use crate::kernel::{ChangeId, EntityId, RecordRef, SObject, SeatId};
use crate::salesforce::SalesforceId;

/// The value of a field, as Salesforce's JSON has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// A checkbox.
    Flag(bool),
    /// A number.
    Number(Number),
    /// A text, a date, an id, or one of a list.
    Text(String),
    /// No value: Salesforce keeps no empty text.
    Null(()),
}

/// Values by field.
pub type Values = BTreeMap<String, FieldValue>;

impl FieldValue {
    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Flag(_) | Self::Number(_) | Self::Null(()) => None,
        }
    }

    /// True for no value, and for a text that Salesforce would keep as none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Null(())) || self.text().is_some_and(|text| text.trim().is_empty())
    }

    /// True if two values are one for Salesforce.
    fn is_same(&self, other: &Self) -> bool {
        let is_one = match (self.text(), other.text()) {
            (Some(one), Some(other)) => one.trim() == other.trim(),
            _ => self == other,
        };
        is_one || self.is_empty() && other.is_empty()
    }
}

impl Default for FieldValue {
    fn default() -> Self {
        Self::Null(())
    }
}

/// What is no single value, such as an address in parts, is its JSON as a text.
impl From<&Value> for FieldValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null(()),
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => Self::Text(value.to_string()),
        }
    }
}

impl From<FieldValue> for Value {
    fn from(value: FieldValue) -> Self {
        match value {
            FieldValue::Flag(flag) => flag.into(),
            FieldValue::Number(number) => Self::Number(number),
            FieldValue::Text(text) => text.into(),
            FieldValue::Null(()) => Self::Null,
        }
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What a change does to the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChangeKind {
    /// It creates a lead, a contact or an account.
    Create {
        /// Which of these.
        object: SObject,
    },
    /// It updates fields of a lead, a contact or an account.
    Update {
        /// Which one.
        record: RecordRef,
    },
    /// It deletes a record again that a seller created here. Nothing else is ever deleted.
    Delete {
        /// Which one.
        record: RecordRef,
    },
}

/// Where a change stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChangeState {
    /// It waits for its turn.
    Queued,
    /// It waits for a person.
    Held {
        /// For what.
        reason: HoldReason,
    },
    /// A request was claimed. It is not known yet whether Salesforce carried it out.
    Claimed {
        /// When, by Salesforce's clock. A row made before cannot be this change's.
        server_time: Timestamp,
        /// When, by ours.
        at: Timestamp,
        /// Counts the looks at what became of it.
        lookups: u32,
    },
    /// It is made.
    Made,
    /// It cannot be made as it is.
    Refused {
        /// Salesforce's error code, or ours.
        code: String,
    },
    /// Its seller took it back before it was made.
    Withdrawn,
}

impl ChangeState {
    /// True if it came to no end yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Queued | Self::Held { .. } | Self::Claimed { .. })
    }
}

/// A change, without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its id, derived from the seat and the caller's idempotency key.
    pub id: ChangeId,
    /// Whose it is.
    pub seat: SeatId,
    /// What it does.
    #[serde(flatten)]
    pub what: ChangeKind,
    /// The person of the directory whom the record is about, or the company of an account, where
    /// there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityId>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// The digest of the request, to tell a repetition from a reused key.
    pub digest: String,
    /// A request was claimed at least once: what is in the CRM now may be this change's own doing.
    #[serde(default)]
    pub was_claimed: bool,
    /// The record that it made: what is left to do follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<SalesforceId>,
    /// The record's role in the opportunity is made, or Salesforce refused it.
    #[serde(default)]
    pub role_done: bool,
    /// The change that it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<ChangeId>,
    /// The change that last set out to undo it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<ChangeId>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ChangeState,
    /// Counts the steps of its making.
    #[serde(default)]
    pub tries: u32,
}

impl Change {
    /// The change one step on, in another state.
    #[must_use]
    pub fn moved_to(&self, state: ChangeState) -> Self {
        Self { state, tries: self.tries + 1, ..self.clone() }
    }

    /// The object that it changes.
    #[must_use]
    pub fn object(&self) -> SObject {
        match self.what {
            ChangeKind::Create { object } => object,
            ChangeKind::Update { record } | ChangeKind::Delete { record } => record.object,
        }
    }

    /// The record that it changes; none before it is created.
    #[must_use]
    pub fn record(&self) -> Option<SalesforceId> {
        match self.what {
            ChangeKind::Create { .. } => self.created,
            ChangeKind::Update { record } | ChangeKind::Delete { record } => Some(record.id),
        }
    }
}

/// The part that a new contact has in an opportunity.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpportunityRole {
    /// The opportunity.
    pub opportunity: SalesforceId,
    /// The role, as the org names it; none for a contact without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// One reason why Salesforce, or we before it, refused a change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Salesforce's error code, or ours.
    pub code: String,
    /// What is wrong, and what to do about it: Salesforce's words, or ours.
    pub message: String,
    /// The fields that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// A record that is taken for the same person or company as the one to be created.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Its object, by Salesforce's name.
    pub object: String,
    /// The record.
    pub id: SalesforceId,
}

/// What of a change is personal: it lies sealed beside it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeValues {
    /// The values to write.
    pub to: Values,
    /// The values that the seller saw when they decided: they are to be there still.
    pub from: Values,
    /// The opportunity that a new contact has a part in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<OpportunityRole>,
    /// The seller saw the duplicates, and wants the record all the same.
    pub create_anyway: bool,
    /// The values that were found in their place, where others than the seller saw.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub found: Values,
    /// The values as they were read back.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left: Values,
    /// When the record was last modified, as it was read back. An undo goes back from there alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Timestamp>,
    /// Why it was refused, or why the contact's part in the opportunity was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// The records that stand against it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<Duplicate>,
    /// The org lets it be created beside them.
    pub may_create_anyway: bool,
}

macro_rules! hides_its_values {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    )*};
}

hides_its_values! { FieldValue OpportunityRole Refusal Duplicate ChangeValues }

impl Refusal {
    /// A refusal of ours.
    #[must_use]
    pub fn of(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), fields: Vec::new() }
    }

    /// The same, about these fields.
    #[must_use]
    pub fn about(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields = fields.into_iter().map(Into::into).collect();
        self
    }
}

/// The values in `now` that are others than `before` says.
#[must_use]
pub fn changed_since(before: &Values, now: &Values) -> Values {
    let differs = |(name, value): &(&String, &FieldValue)| {
        now.get(*name).is_none_or(|found| !found.is_same(value))
    };
    let changed = before.iter().filter(differs);
    changed.map(|(name, _)| (name.clone(), now.get(name).cloned().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(values: &Value) -> Values {
        serde_json::from_value(values.clone()).unwrap()
    }

    #[test]
    fn what_differs_is_told_as_it_is_now() {
        let seen = values(&json!({ "Title": "Buyer", "City": null, "State": "BY" }));
        let same = values(&json!({ "Title": " Buyer ", "City": "", "State": "BY", "Zip": "1" }));
        assert_eq!(changed_since(&seen, &same), Values::new(), "empty is null");
        let other = values(&json!({ "Title": "Chief Buyer", "City": "Bonn" }));
        let changed = values(&json!({ "Title": "Chief Buyer", "City": "Bonn", "State": null }));
        assert_eq!(changed_since(&seen, &other), changed);
    }

    #[test]
    fn nothing_personal_is_shown_by_debug() {
        let to = values(&json!({ "LastName": "Castellan" }));
        let refusals = vec![Refusal::of("X", "Castellan").about(["LastName"])];
        let shown = format!("{:?}", ChangeValues { to, refusals, ..ChangeValues::default() });
        assert!(!shown.contains("Castellan"), "{shown}");
    }
}
