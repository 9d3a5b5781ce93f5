//! Models of a tenant's own: made of its corrections, tried in the shadow of the one in use, taken
//! by an explicit word, and gone with the generation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{ModelId, SObject};

/// Which model a generation matches with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelChoice {
    /// Counts the choices of the generation: results by an earlier one never replace those by a
    /// later one.
    pub number: u32,
    /// The tenant's own model; the shipped one when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
}

/// Where a tuned model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// It waits to be trained.
    Training,
    /// It runs in the shadow of the model in use.
    Shadow,
    /// Its shadow run is over: it can be taken.
    Ready,
    /// There are too few corrections to learn from.
    TooFewLabels,
}

/// How many records of an object a new model would decide otherwise, each record by itself: before
/// entities are dealt one to one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowCounts {
    /// Decided alike.
    pub same: u64,
    /// Not matched now; it would be.
    pub newly_matched: u64,
    /// Matched now; it would not be.
    pub no_longer_matched: u64,
    /// Matched to another entity.
    pub other_entity: u64,
    /// Some of the records that differ, for a person to look at.
    pub examples: Vec<String>,
}

/// How many examples of each object are kept.
pub const SHADOW_EXAMPLES: usize = 50;

/// A model made of a tenant's corrections. The model itself is a sealed object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunedModel {
    /// Its id.
    pub id: ModelId,
    /// Where it stands.
    pub state: ModelState,
    /// The model whose shadow it runs in.
    pub beside: ModelChoice,
    /// Counts the steps; a message for an earlier one is stale.
    pub step: u64,
    /// Corrected records that it learnt from, by object.
    #[serde(default)]
    pub labels: BTreeMap<SObject, u64>,
    /// Where its shadow run is: index in the matched objects, bucket, the last sort key.
    #[serde(default)]
    pub cursor: (usize, u32, Option<String>),
    /// What it would change, by object.
    #[serde(default)]
    pub shadow: BTreeMap<SObject, ShadowCounts>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its shadow run was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}
