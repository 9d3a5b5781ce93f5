//! Models of a tenant's own. A model is made of the tenant's corrections and tried in the shadow of
//! the model in use. Only an explicit choice takes it, and it goes with the generation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::{ModelId, SObject};
use crate::salesforce::SalesforceId;

/// The model that a generation matches with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelChoice {
    /// Counts the choices of the generation. Results by an earlier choice never replace results by
    /// a later one.
    pub number: u32,
    /// The tenant's own model; the shipped one when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
}

/// The state of a tuned model.
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

/// The place of a shadow run among the kept candidates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowCursor {
    /// The index in [`MATCHED_OBJECTS`](super::MATCHED_OBJECTS).
    pub object: usize,
    /// The bucket of that object's candidates.
    pub bucket: u32,
    /// The sort key to go on after; none at the start of a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl ShadowCursor {
    /// Behind a page: at `next` of the same bucket, or at the next of so many buckets, or at the
    /// next object's first one.
    #[must_use]
    pub fn behind_page(self, next: Option<String>, buckets: u32) -> Self {
        if next.is_some() {
            Self { after: next, ..self }
        } else if self.bucket + 1 < buckets {
            Self { object: self.object, bucket: self.bucket + 1, after: None }
        } else {
            Self { object: self.object + 1, bucket: 0, after: None }
        }
    }
}

/// How many records of an object a new model would decide otherwise. Each record counts by itself,
/// before entities are dealt one to one.
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
    pub examples: Vec<SalesforceId>,
}

/// How many examples of each object are kept.
pub const SHADOW_EXAMPLES: usize = 50;

/// A model made of a tenant's corrections. The model itself is a sealed object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunedModel {
    /// Its id.
    pub id: ModelId,
    /// Its state.
    pub state: ModelState,
    /// The model in whose shadow it runs.
    pub beside: ModelChoice,
    /// Counts the steps; a message for an earlier one is stale.
    pub step: u64,
    /// Corrected records that it learnt from, by object.
    #[serde(default)]
    pub labels: BTreeMap<SObject, u64>,
    /// The place of its shadow run.
    #[serde(default)]
    pub cursor: ShadowCursor,
    /// The decisions that it would change, by object.
    #[serde(default)]
    pub shadow: BTreeMap<SObject, ShadowCounts>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its shadow run was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

impl TunedModel {
    /// A model that is to be made, and to run in the shadow of `beside`.
    #[must_use]
    pub fn begin(id: ModelId, beside: ModelChoice, now: Timestamp) -> Self {
        Self {
            id,
            state: ModelState::Training,
            beside,
            step: 0,
            labels: BTreeMap::new(),
            cursor: ShadowCursor::default(),
            shadow: BTreeMap::new(),
            created_at: now,
            finished_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_run_goes_through_all_pages_of_one_bucket_after_the_other() {
        let at = |object, bucket, after: Option<&str>| ShadowCursor {
            object,
            bucket,
            after: after.map(str::to_owned),
        };
        assert_eq!(at(0, 0, None).behind_page(Some("a".to_owned()), 2), at(0, 0, Some("a")));
        assert_eq!(at(0, 0, Some("a")).behind_page(None, 2), at(0, 1, None));
        assert_eq!(at(0, 1, None).behind_page(None, 2), at(1, 0, None));
    }
}
