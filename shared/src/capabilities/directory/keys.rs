//! The keys of the directory.

use matching::EntityKind;

use super::{CurrentDirectory, DirectoryVersion};
use crate::kernel::{DirectoryVersionId, entity_kind_name};
use crate::ports::Key;
use crate::store::keys::DIRECTORY;
use crate::store::{Marker, Series, Slot};

/// Which directory version is current.
#[must_use]
pub fn directory_current() -> Slot<CurrentDirectory> {
    Slot::at(Key::new(DIRECTORY.to_owned(), "CURRENT".to_owned()))
}

/// A directory version.
#[must_use]
pub fn directory_version(version: DirectoryVersionId) -> Slot<DirectoryVersion> {
    Slot::at(Key::new(DIRECTORY.to_owned(), format!("VERSION#{version}")))
}

/// The directory's versions, the oldest first.
#[must_use]
pub fn directory_versions() -> Series<DirectoryVersion> {
    Series::under(DIRECTORY.to_owned(), "VERSION#".to_owned())
}

/// The marker that a shard of a version was built.
#[must_use]
pub fn directory_built(version: DirectoryVersionId, kind: EntityKind, shard: u32) -> Slot<Marker> {
    Slot::at(Key::new(
        DIRECTORY.to_owned(),
        format!("BUILT#{version}#{}#{shard:05}", entity_kind_name(kind)),
    ))
}
