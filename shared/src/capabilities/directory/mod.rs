//! The directory of people and companies: its versions, their shards, and what became of an entity.
//!
//! The operator uploads a version in parts. The product counts it, builds its shards and makes it
//! the current one, and every connection is matched to it. A version never changes once it is
//! published. Its files stay as long as work uses them, as [`VersionUse`] says.

mod bodies;
mod entities;
mod files;
pub mod keys;
mod model;
mod ordinals;
mod version_use;
mod versions;

pub(crate) use bodies::BodiesBuilder;
pub use bodies::{Bodies, BodiesError, Body};
pub(crate) use entities::Entities;
pub use files::{DirectoryFile, HeldFile, ShardFiles};
pub use model::*;
pub(crate) use ordinals::Ordinals;
pub use version_use::VersionUse;
pub use versions::{Directory, DirectoryError};
