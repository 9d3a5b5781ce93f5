//! CRM records as they are kept.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::ImportRunId;
use super::sobject::SObject;

/// The mapped fields of a record, by API name. A null field is absent: Salesforce does not tell
/// null from empty.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(pub BTreeMap<String, String>);

impl Fields {
    /// A field's value; none when it is null or was not read.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether a checkbox is ticked.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }

    /// A digest that changes when any field does.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (name, value) in &self.0 {
            // Lengths keep `ab` + `c` apart from `a` + `bc`.
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
            hasher.update(&(value.len() as u64).to_le_bytes()).update(value.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.0.len())
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(iter: I) -> Self {
        Self(iter.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }
}

/// What a run did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordChange {
    /// It was not known before.
    New,
    /// It was known with other contents.
    Updated,
    /// It is gone from the org.
    Deleted,
}

/// What is known of a record without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHead {
    /// Which object.
    pub object: SObject,
    /// The 18-character id.
    pub id: String,
    /// Salesforce's `SystemModstamp` of the state that is stored, in milliseconds.
    pub stamp: i64,
    /// The digest of the fields that are stored.
    pub digest: String,
    /// The run that stored this state.
    pub run: ImportRunId,
    /// What that run did.
    pub change: RecordChange,
}

/// A record as an import read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which object.
    pub object: SObject,
    /// The 18-character id.
    pub id: String,
    /// Salesforce's `SystemModstamp`.
    pub stamp: Timestamp,
    /// The mapped fields.
    pub fields: Fields,
}

impl Record {
    /// Whether the org says that the record is gone, by deletion or by a merge.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.fields.is_true("IsDeleted")
    }
}

/// Whether a read state replaces a stored one: a later stamp always does, the same stamp only with
/// other contents, an earlier one never.
#[must_use]
pub fn supersedes(stored: &RecordHead, stamp: Timestamp, digest: &str) -> bool {
    match stamp.as_millisecond().cmp(&stored.stamp) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => stored.digest != digest,
        std::cmp::Ordering::Less => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_digest_tells_where_one_value_ends() {
        assert_ne!(fields(&[("A", "xB")]).digest(), fields(&[("A", "x"), ("B", "")]).digest());
        assert_ne!(
            fields(&[("A", "xy"), ("B", "z")]).digest(),
            fields(&[("A", "x"), ("B", "yz")]).digest()
        );
    }

    #[test]
    fn an_empty_value_is_null() {
        assert_eq!(fields(&[("A", "")]), Fields::default());
    }

    #[test]
    fn only_a_later_or_different_state_supersedes() {
        let head = RecordHead {
            object: SObject::Lead,
            id: "00Q".into(),
            stamp: 1000,
            digest: "d".into(),
            run: ImportRunId::derived("x"),
            change: RecordChange::New,
        };
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert!(supersedes(&head, at(1001), "d"));
        assert!(supersedes(&head, at(1000), "e"));
        assert!(!supersedes(&head, at(1000), "d"));
        assert!(!supersedes(&head, at(999), "e"));
    }
}
