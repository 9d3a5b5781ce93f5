//! What is exported, in which form, and how far it is. Pure.

use jiff::{SignedDuration, Timestamp};
use matching::EntityKind;
use serde::{Deserialize, Serialize};

use crate::capabilities::linking::MATCHED_OBJECTS;
use crate::kernel::{DirectoryVersionId, ExportId};

/// Files are kept for so long.
pub const FILES_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// The records that are linked to an entity.
    Matched,
    /// The records that are not: with the reason.
    Unmatched,
    /// The people who are in the CRM, as a set of their ordinals.
    InCrmPeople,
    /// The companies that are in the CRM, as a set of their ordinals.
    InCrmCompanies,
}

/// The form of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A line of names, then a line of quoted cells for each row, made inert for spreadsheets.
    Csv,
    /// A JSON object on each line, with the values as they are.
    Jsonl,
    /// A bitmap of ordinals, in the portable form of Roaring Bitmaps.
    Roaring,
}

impl ExportKind {
    /// The name in keys and of files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Unmatched => "unmatched",
            Self::InCrmPeople => "in_crm_people",
            Self::InCrmCompanies => "in_crm_companies",
        }
    }

    /// The entities that it is a set of; none for one of records.
    #[must_use]
    pub fn entities(self) -> Option<EntityKind> {
        match self {
            Self::Matched | Self::Unmatched => None,
            Self::InCrmPeople => Some(EntityKind::Person),
            Self::InCrmCompanies => Some(EntityKind::Company),
        }
    }

    /// How many series of documents it goes through.
    #[must_use]
    pub fn passes(self) -> usize {
        if self.entities().is_some() { 1 } else { MATCHED_OBJECTS.len() }
    }
}

impl ExportFormat {
    /// The name in keys and of files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Roaring => "roaring",
        }
    }
}

/// What somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportOrder {
    /// What is exported.
    pub kind: ExportKind,
    /// The form of the files.
    pub format: ExportFormat,
    /// The most rows of each object; none for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u32>,
}

impl ExportOrder {
    /// True if there is such an export: rows have lines, and a set is a bitmap of all of it.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let is_set = self.kind.entities().is_some();
        is_set == (self.format == ExportFormat::Roaring) && !(is_set && self.sample.is_some())
    }

    /// The name in keys: two orders of one name are the same work.
    #[must_use]
    pub fn name(&self) -> String {
        let sample = self.sample.map_or_else(String::new, |most| format!("#{most}"));
        format!("{}#{}{sample}", self.kind.as_str(), self.format.as_str())
    }
}

/// Where an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportState {
    /// Its rows are being written.
    Running,
    /// Its files can be had.
    Ready,
    /// Its files are gone.
    Expired,
}

/// A large answer that is written as files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportJob {
    /// Its id.
    pub id: ExportId,
    /// What was asked for.
    pub order: ExportOrder,
    /// Where it stands.
    pub state: ExportState,
    /// Counts the steps; a message for an earlier one is stale.
    pub step: u64,
    /// The place of the next step; none once every row is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<ExportPlace>,
    /// How many buckets were gone through, of how many in all.
    pub buckets_done: u32,
    /// How many buckets there are in all.
    pub buckets: u32,
    /// Rows that wait for their file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingRows>,
    /// The finished files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ExportFile>,
    /// The directory version whose ordinals a set has, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<DirectoryVersionId>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When its files were finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// The place of an export among the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPlace {
    /// Which of the objects.
    pub object: usize,
    /// The bucket.
    pub bucket: u32,
    /// The sort key in it to go on after; none at its begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows of this object that were written.
    #[serde(default)]
    pub taken: u32,
}

/// Rows that wait for their file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingRows {
    /// The end of their object's key.
    pub name: String,
    /// How many.
    pub rows: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportFile {
    /// Its name.
    pub name: String,
    /// The hash of its content, in its object's key: a step that is taken twice at once overwrites
    /// nothing that the other one finished.
    pub hash: String,
    /// How many rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

impl ExportJob {
    /// An export that begins.
    #[must_use]
    pub fn begin(id: ExportId, order: ExportOrder, buckets: u32, now: Timestamp) -> Self {
        let passes = u32::try_from(order.kind.passes()).unwrap_or(u32::MAX);
        Self {
            id,
            order,
            state: ExportState::Running,
            step: 0,
            place: Some(ExportPlace::default()),
            buckets_done: 0,
            buckets: passes.saturating_mul(buckets),
            waiting: Vec::new(),
            files: Vec::new(),
            directory: None,
            asked_at: now,
            finished_at: None,
        }
    }

    /// How much of it is done, in percent: by buckets, which hold about as many records each.
    #[must_use]
    pub fn percent(&self) -> u32 {
        if self.state != ExportState::Running {
            return 100;
        }
        let done = u64::from(self.buckets_done) * 100 / u64::from(self.buckets.max(1));
        u32::try_from(done).unwrap_or(100).min(99)
    }

    /// How many rows were written.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let waiting: u64 = self.waiting.iter().map(|rows| rows.rows).sum();
        waiting + self.files.iter().map(|file| file.rows).sum::<u64>()
    }

    /// How many bytes wait for their file.
    #[must_use]
    pub fn bytes_waiting(&self) -> u64 {
        self.waiting.iter().map(|rows| rows.bytes).sum()
    }

    /// The name of the next file.
    #[must_use]
    pub fn next_file(&self) -> String {
        let (kind, format) = (self.order.kind.as_str(), self.order.format.as_str());
        format!("{kind}-{}.{format}", self.files.len() + 1)
    }

    /// When its files go; none before they are finished.
    #[must_use]
    pub fn files_end(&self) -> Option<Timestamp> {
        self.finished_at.map(|finished| finished + FILES_KEPT)
    }

    /// True if its files can be had at `now`.
    #[must_use]
    pub fn has_files(&self, now: Timestamp) -> bool {
        self.state == ExportState::Ready && self.files_end().is_some_and(|end| now < end)
    }
}

impl ExportPlace {
    /// The place behind a page that gave so many rows: on after `next`, or with the bucket or the
    /// object that follows; none behind the last. With it, how many buckets were left behind.
    #[must_use]
    pub fn after_page(
        self,
        (rows, next): (u32, Option<String>),
        (objects, buckets): (usize, u32),
        most: Option<u32>,
    ) -> (Option<Self>, u32) {
        let taken = self.taken.saturating_add(rows);
        let is_full = most.is_some_and(|most| taken >= most);
        if let Some(after) = next.filter(|_| !is_full) {
            return (Some(Self { after: Some(after), taken, ..self }), 0);
        }
        if self.bucket + 1 < buckets && !is_full {
            let bucket = self.bucket + 1;
            return (Some(Self { object: self.object, bucket, after: None, taken }), 1);
        }
        let place = Some(self.object + 1).filter(|object| *object < objects);
        let place = place.map(|object| Self { object, ..Self::default() });
        (place, buckets.saturating_sub(self.bucket))
    }
}
