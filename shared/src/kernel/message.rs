//! The messages between the functions. They hold ids and object keys only, never data of a person.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{
    ActivityId, DirectoryVersionId, Event, ImportRunId, MatchRunId, ModelId, SObject, Scope, SeatId,
};
use matching::EntityKind;

/// A queue between two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the queue of that name")]
pub enum Queue {
    Import,
    Match,
    AutoSave,
    Writeback,
    Purge,
    Directory,
}

impl Queue {
    /// All queues.
    pub const ALL: [Self; 6] =
        [Self::Import, Self::Match, Self::AutoSave, Self::Writeback, Self::Purge, Self::Directory];

    /// The name in the template and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Match => "match",
            Self::AutoSave => "auto-save",
            Self::Writeback => "writeback",
            Self::Purge => "purge",
            Self::Directory => "directory",
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What called for an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportTrigger {
    /// The org was just connected.
    Connected,
    /// The slot of the schedule.
    Scheduled,
    /// A person or the operator asked.
    Requested,
    /// A person or the operator asked for every row to be read.
    Full,
}

/// What called for a match run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchTrigger {
    /// An import changed records.
    Import,
    /// A new directory version.
    Directory,
    /// A person asked for it, or settings changed.
    Settings,
    /// Another model was taken.
    Model,
}

/// A piece of work for one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// Begin an import run.
    ImportStart {
        /// Of which connection.
        scope: Scope,
        /// The run; derived from its slot, so that a second start of the same slot is the same run.
        run: ImportRunId,
        /// Why.
        trigger: ImportTrigger,
    },
    /// Take the next step of one object's import.
    ImportObject {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: ImportRunId,
        /// Which object.
        object: SObject,
        /// The step that this message is for; an older one is stale.
        step: u64,
    },
    /// Hand what a run changed to matching and auto-save, page by page.
    ImportHandOver {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: ImportRunId,
        /// The step that this message is for.
        step: u64,
    },
    /// Begin a match run over everything that a connection holds.
    Rematch {
        /// Of which connection.
        scope: Scope,
        /// The run, derived from what called for it.
        run: MatchRunId,
        /// Why.
        trigger: MatchTrigger,
        /// The step that this message is for.
        step: u64,
    },
    /// Score one batch of probes against one shard.
    MatchBatch {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: MatchRunId,
        /// Which batch.
        batch: u32,
        /// What the batch is matched to.
        entity_kind: EntityKind,
        /// Which shard of the run's directory version.
        shard: u32,
    },
    /// Turn a scored batch into matches.
    Settle {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: MatchRunId,
        /// Which batch.
        batch: u32,
    },
    /// Settle a record anew by what a person said about it.
    Correct {
        /// Of which connection.
        scope: Scope,
        /// The record's object.
        object: SObject,
        /// The record's id.
        record: String,
    },
    /// Take the next step of making a model of a tenant's corrections.
    TuneModel {
        /// Of which connection.
        scope: Scope,
        /// The model.
        model: ModelId,
        /// The step that this message is for.
        step: u64,
    },
    /// Apply the auto-save rules to some accounts.
    AutoSave {
        /// Of which connection.
        scope: Scope,
        /// The accounts' record ids.
        accounts: Vec<String>,
    },
    /// Find the accounts of these records, whose matches changed, and apply the rules to them.
    AutoSaveRecords {
        /// Of which connection.
        scope: Scope,
        /// The object of the records.
        object: SObject,
        /// Their ids.
        records: Vec<String>,
    },
    /// Apply the rules to everything that a CRM user owns: their seat or role is new.
    AutoSaveOwner {
        /// Of which connection.
        scope: Scope,
        /// The CRM user.
        user: String,
    },
    /// Apply the rules to everything that the CRM user of a new seat owns.
    AutoSaveSeat {
        /// Of which connection.
        scope: Scope,
        /// The seat.
        seat: SeatId,
    },
    /// Log one activity in the CRM.
    Writeback {
        /// Of which connection.
        scope: Scope,
        /// The activity.
        activity: ActivityId,
    },
    /// Log what was held for a login, or for the connection, now that there is a grant again.
    Release {
        /// Of which connection.
        scope: Scope,
        /// Of one seat, or of all.
        seat: Option<SeatId>,
    },
    /// Keep a connection's grants alive, and see to one that does not work.
    Upkeep {
        /// Of which connection.
        scope: Scope,
        /// The step that this message is for.
        step: u64,
    },
    /// Ask the org what its integration user may see and do.
    Inspect {
        /// Of which connection.
        scope: Scope,
    },
    /// Revoke the connection's own grant that another user's replaced.
    Revoke {
        /// Of which connection.
        scope: Scope,
        /// The number of the grant that replaced it.
        grant: u64,
        /// How often that was tried; a message for an earlier try is stale.
        step: u32,
    },
    /// Tell others what happened.
    Publish {
        /// What.
        event: Event,
    },
    /// Look at a record through a field mapping.
    PreviewMapping {
        /// Of which connection.
        scope: Scope,
        /// When it was asked for; an older one is stale.
        asked_at: Timestamp,
    },
    /// Take the next step of a purge.
    Purge {
        /// What is purged.
        scope: Scope,
        /// The step that this message is for.
        step: u64,
    },
    /// Count the terms of a directory version.
    DirectoryCount {
        /// The version.
        version: DirectoryVersionId,
    },
    /// Build one shard of a directory version.
    DirectoryShard {
        /// The version.
        version: DirectoryVersionId,
        /// People or companies.
        entity_kind: EntityKind,
        /// The shard.
        shard: u32,
    },
    /// Have every connection matched to a version that was published.
    DirectoryFanOut {
        /// The version.
        version: DirectoryVersionId,
        /// The last connection that was reached, by its place in the list of live ones.
        after: Option<String>,
    },
    /// Delete the files of a version that was replaced, once no run is made with it any more.
    DirectoryRetire {
        /// The version.
        version: DirectoryVersionId,
        /// The last connection that was looked at, by its place in the list of live ones.
        after: Option<String>,
    },
}

impl Message {
    /// The queue that this work waits in.
    #[must_use]
    pub fn queue(&self) -> Queue {
        match self {
            Self::ImportStart { .. } | Self::ImportObject { .. } | Self::ImportHandOver { .. } => {
                Queue::Import
            }
            Self::Rematch { .. }
            | Self::MatchBatch { .. }
            | Self::Settle { .. }
            | Self::Correct { .. }
            | Self::TuneModel { .. } => Queue::Match,
            Self::AutoSave { .. }
            | Self::AutoSaveRecords { .. }
            | Self::AutoSaveOwner { .. }
            | Self::AutoSaveSeat { .. } => Queue::AutoSave,
            Self::Writeback { .. } | Self::Release { .. } => Queue::Writeback,
            Self::Upkeep { .. }
            | Self::Inspect { .. }
            | Self::Revoke { .. }
            | Self::Publish { .. }
            | Self::PreviewMapping { .. }
            | Self::Purge { .. } => Queue::Purge,
            Self::DirectoryCount { .. }
            | Self::DirectoryShard { .. }
            | Self::DirectoryFanOut { .. }
            | Self::DirectoryRetire { .. } => Queue::Directory,
        }
    }

    /// Whose generation the work belongs to, and goes with; none for the directory, which belongs to no
    /// tenant, and for an event, which is told though the generation may be gone.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Self::ImportStart { scope, .. }
            | Self::ImportObject { scope, .. }
            | Self::ImportHandOver { scope, .. }
            | Self::Rematch { scope, .. }
            | Self::MatchBatch { scope, .. }
            | Self::Settle { scope, .. }
            | Self::Correct { scope, .. }
            | Self::TuneModel { scope, .. }
            | Self::AutoSave { scope, .. }
            | Self::AutoSaveRecords { scope, .. }
            | Self::AutoSaveOwner { scope, .. }
            | Self::AutoSaveSeat { scope, .. }
            | Self::Writeback { scope, .. }
            | Self::Release { scope, .. }
            | Self::Upkeep { scope, .. }
            | Self::Inspect { scope }
            | Self::Revoke { scope, .. }
            | Self::PreviewMapping { scope, .. }
            | Self::Purge { scope, .. } => Some(*scope),
            Self::Publish { .. }
            | Self::DirectoryCount { .. }
            | Self::DirectoryShard { .. }
            | Self::DirectoryFanOut { .. }
            | Self::DirectoryRetire { .. } => None,
        }
    }

    /// The fair-queue group.
    #[must_use]
    pub fn group(&self) -> String {
        let scope = match self {
            Self::Publish { event } => Some(event.scope),
            _ => self.scope(),
        };
        scope.map_or_else(|| "directory".to_owned(), |scope| scope.tenant.to_string())
    }
}

/// A message as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of this form; only 1 exists.
    pub v: u8,
    /// The sort key of the due item that stands behind the message, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// How often this work was put off already; bounds self-feeding loops.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u32,
    /// The work.
    pub message: Message,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Why a queue body is not an envelope.
#[derive(Debug, thiserror::Error)]
pub enum ParseEnvelopeError {
    /// Not JSON of the right shape.
    #[error("the message body is not a known message")]
    Shape(#[source] serde_json::Error),
    /// A version that this code does not know.
    #[error("the message has version {0}, and only 1 is known")]
    Version(u8),
}

impl Envelope {
    /// An envelope around `message`.
    #[must_use]
    pub fn of(message: Message) -> Self {
        Self { v: 1, due: None, hops: 0, message }
    }

    /// Reads a queue body.
    pub fn parse(body: &str) -> Result<Self, ParseEnvelopeError> {
        let envelope: Self = serde_json::from_str(body).map_err(ParseEnvelopeError::Shape)?;
        if envelope.v == 1 { Ok(envelope) } else { Err(ParseEnvelopeError::Version(envelope.v)) }
    }
}
