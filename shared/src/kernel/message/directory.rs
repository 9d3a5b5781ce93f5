//! Work of `directory-index`. The directory belongs to no tenant, so no message here has a scope.

use matching::EntityKind;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::DirectoryVersionId;

/// A step of a directory version's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind")]
pub enum DirectoryMessage {
    /// Count the terms of a directory version.
    #[serde(rename = "directory_count")]
    #[strum(serialize = "directory_count")]
    Count {
        /// The version.
        version: DirectoryVersionId,
    },
    /// Build one shard of a directory version.
    #[serde(rename = "directory_shard")]
    #[strum(serialize = "directory_shard")]
    Shard {
        /// The version.
        version: DirectoryVersionId,
        /// People or companies.
        entity_kind: EntityKind,
        /// The shard.
        shard: u32,
    },
    /// Have a version's shards built, from this one on: many are called for step by step.
    #[serde(rename = "directory_spread")]
    #[strum(serialize = "directory_spread")]
    Spread {
        /// The version.
        version: DirectoryVersionId,
        /// The first shard of this step, those of people and companies counted together.
        from: u32,
    },
    /// Have every connection matched to a version that was published.
    #[serde(rename = "directory_fan_out")]
    #[strum(serialize = "directory_fan_out")]
    FanOut {
        /// The version.
        version: DirectoryVersionId,
        /// The last connection that was reached, by its place in the list of live ones.
        after: Option<String>,
    },
    /// Delete the files of a version that was replaced, once no run is made with it any more.
    #[serde(rename = "directory_retire")]
    #[strum(serialize = "directory_retire")]
    Retire {
        /// The version.
        version: DirectoryVersionId,
        /// The last connection that was looked at, by its place in the list of live ones.
        after: Option<String>,
    },
}
