//! The names of the kinds of entities in keys and paths.

use matching::EntityKind;

/// The name of an entity kind in keys and paths.
#[must_use]
pub fn entity_kind_name(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Person => "people",
        EntityKind::Company => "companies",
    }
}
