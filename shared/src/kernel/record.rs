//! CRM records as they are kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{Fields, ImportRunId, SObject};
use crate::salesforce::SalesforceId;

/// A record of the CRM: ids of different objects are told apart. A contact goes before a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordRef {
    /// The record's object.
    pub object: SObject,
    /// The record's id.
    pub id: SalesforceId,
}

/// The change that a run made to a record.
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

/// The reason for which a record is not kept any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Gone {
    /// It was deleted.
    Deleted,
    /// It was merged into another.
    Merged {
        /// The survivor.
        into: SalesforceId,
    },
    /// It is not among the ids that the integration user sees: deleted for good, or hidden from
    /// that user by sharing. Salesforce does not tell which.
    Unseen,
    /// It is not among the rows that are imported by choice: a filter or the account model leaves
    /// it out. (Where all ids were compared, it may also be gone from the org.)
    OutsideFilter,
}

/// One reading of Salesforce: a step of a run, which may be taken again when it is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The run.
    pub run: ImportRunId,
    /// The step of the object's import.
    pub step: u64,
    /// When Salesforce was asked, by its own clock. It decides between rows of the same stamp.
    pub at: Timestamp,
}

/// The part of a record that is readable without its data key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHead {
    /// Which object.
    pub object: SObject,
    /// The record.
    pub id: SalesforceId,
    /// Salesforce's `SystemModstamp` of the state that is stored, in milliseconds.
    pub stamp: i64,
    /// The digest of the fields that are stored.
    pub digest: String,
    /// The run that stored this state.
    pub run: ImportRunId,
    /// The step of that run.
    #[serde(default)]
    pub step: u64,
    /// When that step's reading was asked for, by Salesforce's clock, in milliseconds.
    #[serde(default)]
    pub read_at: i64,
    /// The change that this run made.
    pub change: RecordChange,
    /// Why it is gone, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
}

/// A record as an import read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which object.
    pub object: SObject,
    /// The record.
    pub id: SalesforceId,
    /// Salesforce's `SystemModstamp`.
    pub stamp: Timestamp,
    /// The mapped fields; none when the record is gone.
    pub fields: Fields,
    /// Why it is gone, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
}

impl Record {
    /// A record as Salesforce gives it: gone when it says so itself.
    #[must_use]
    pub fn read(object: SObject, id: SalesforceId, stamp: Timestamp, fields: Fields) -> Self {
        if !fields.is_true("IsDeleted") {
            return Self { object, id, stamp, fields, gone: None };
        }
        let master = fields.reference("MasterRecordId");
        let gone = master.map_or(Gone::Deleted, |into| Gone::Merged { into });
        Self::tombstone(object, id, stamp, gone)
    }

    /// The record in place of one that is gone.
    #[must_use]
    pub fn tombstone(object: SObject, id: SalesforceId, stamp: Timestamp, gone: Gone) -> Self {
        Self { object, id, stamp, fields: Fields::default(), gone: Some(gone) }
    }

    /// True if it is gone from the org, as far as the integration user sees.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.gone.is_some()
    }
}

/// True if a read state replaces a stored one. A later stamp always does, an earlier one never. The
/// same stamp does only with other contents that were not asked for earlier: stamps count seconds.
#[must_use]
pub fn supersedes(stored: &RecordHead, stamp: Timestamp, digest: &str, read_at: Timestamp) -> bool {
    match stamp.as_millisecond().cmp(&stored.stamp) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => {
            stored.digest != digest && stored.read_at <= read_at.as_millisecond()
        }
        std::cmp::Ordering::Less => false,
    }
}

/// The changes that a run made to the rows of one object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows that were not known before.
    pub new: u64,
    /// Rows with other contents than before.
    pub updated: u64,
    /// Rows read again as they are stored.
    pub unchanged: u64,
    /// Rows gone from the org.
    pub deleted: u64,
    /// Rows that say of themselves what cannot be (no id, a wrong id), passed over.
    pub skipped: u64,
    /// Rows too large to keep.
    pub failed: u64,
}

impl Counts {
    /// Adds another count, number by number.
    pub fn add(&mut self, other: Self) {
        self.new += other.new;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.skipped += other.skipped;
        self.failed += other.failed;
    }

    /// Counts what was done to a row.
    pub fn count(&mut self, change: RecordChange) {
        match change {
            RecordChange::New => self.new += 1,
            RecordChange::Updated => self.updated += 1,
            RecordChange::Deleted => self.deleted += 1,
        }
    }

    /// Rows that were written.
    #[must_use]
    pub fn written(self) -> u64 {
        self.new + self.updated + self.deleted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record_id;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn only_a_later_or_different_state_supersedes() {
        let head = RecordHead {
            object: SObject::Lead,
            id: record_id("00Q", 1),
            stamp: 1000,
            digest: "d".into(),
            run: ImportRunId::derived("x"),
            step: 0,
            read_at: 5000,
            change: RecordChange::New,
            gone: None,
        };
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert!(supersedes(&head, at(1001), "d", at(0)));
        assert!(supersedes(&head, at(1000), "e", at(5000)));
        assert!(!supersedes(&head, at(1000), "e", at(4999)), "an older reading of the same second");
        assert!(!supersedes(&head, at(1000), "d", at(6000)));
        assert!(!supersedes(&head, at(999), "e", at(6000)));
    }

    #[test]
    fn a_row_that_says_it_is_deleted_keeps_only_why() {
        let read = |pairs: &[(&str, &str)]| {
            Record::read(
                SObject::Account,
                record_id("001", 1),
                Timestamp::UNIX_EPOCH,
                fields(pairs),
            )
        };
        assert_eq!(read(&[("IsDeleted", "false")]).gone, None);
        assert_eq!(read(&[("IsDeleted", "true"), ("Name", "x")]).gone, Some(Gone::Deleted));
        assert_eq!(read(&[("IsDeleted", "true"), ("Name", "x")]).fields, Fields::default());
        let into = record_id("001", 2);
        let merged = read(&[("IsDeleted", "true"), ("MasterRecordId", into.as_str())]);
        assert_eq!(merged.gone, Some(Gone::Merged { into }));
        let unnamed = read(&[("IsDeleted", "true"), ("MasterRecordId", "nobody")]);
        assert_eq!(unnamed.gone, Some(Gone::Deleted), "no survivor is named");
    }
}
