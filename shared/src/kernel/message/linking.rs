//! Work of `match-shard`.

use matching::EntityKind;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{MatchRunId, ModelId, SObject, Scope};
use crate::salesforce::SalesforceId;

/// The cause of a match run.
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

/// A step of a match run, of a correction, or of making a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MatchMessage {
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
    #[serde(rename = "match_batch")]
    #[strum(serialize = "match_batch")]
    Batch {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: MatchRunId,
        /// Which batch.
        batch: u32,
        /// The kind of entity that the batch is matched to.
        entity_kind: EntityKind,
        /// Which shard of the run's directory version.
        shard: u32,
    },
    /// Have one batch scored against the shards from this one on: a batch of a directory with many
    /// shards is spread step by step.
    #[serde(rename = "match_spread")]
    #[strum(serialize = "match_spread")]
    Spread {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: MatchRunId,
        /// Which batch.
        batch: u32,
        /// The kind of entity that the batch is matched to.
        entity_kind: EntityKind,
        /// The first shard of this step.
        from: u32,
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
    /// Delete what a run that is complete left in the object store.
    #[serde(rename = "match_clear")]
    #[strum(serialize = "match_clear")]
    Clear {
        /// Of which connection.
        scope: Scope,
        /// Of which run.
        run: MatchRunId,
    },
    /// Settle a record anew by what a person said about it.
    Correct {
        /// Of which connection.
        scope: Scope,
        /// The record's object.
        object: SObject,
        /// The record's id.
        record: SalesforceId,
    },
    /// Count what would be matched by rules that are tried, some records a step.
    TryRules {
        /// Of which connection.
        scope: Scope,
        /// Which trial; a later one makes it pointless.
        trial: u64,
        /// The step that this message is for.
        step: u64,
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
}

impl MatchMessage {
    /// Whose generation the work belongs to, and goes with.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Rematch { scope, .. }
            | Self::Batch { scope, .. }
            | Self::Spread { scope, .. }
            | Self::Settle { scope, .. }
            | Self::Clear { scope, .. }
            | Self::Correct { scope, .. }
            | Self::TryRules { scope, .. }
            | Self::TuneModel { scope, .. } => *scope,
        }
    }
}
