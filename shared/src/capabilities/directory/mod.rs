//! The directory of people and companies: its versions, their shards, and what became of an entity.

mod entities;
mod files;
pub mod keys;
mod model;
mod versions;

pub(crate) use entities::Entities;
pub use files::{DirectoryFile, HeldFile, ShardFiles};
pub use model::*;
pub use versions::{Directory, DirectoryError};
