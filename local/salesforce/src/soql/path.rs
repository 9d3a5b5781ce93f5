//! How values are reached from a row, and what is done with them.

use crate::schema::FieldType;

/// How to get from a row to a value.
#[derive(Clone, Debug)]
pub(crate) enum Path {
    /// The row's own id.
    Id,
    Field {
        at: usize,
        kind: FieldType,
    },
    /// The object that a polymorphic reference points to.
    TypeName {
        at: usize,
    },
    /// A compound address, from its parts.
    Address {
        parts: Vec<(&'static str, usize, FieldType)>,
    },
    /// A field of the record that a reference points to.
    Parent {
        at: usize,
        /// For each object that may be pointed to, the path from there.
        targets: Vec<(usize, Path)>,
    },
}

/// A column of the result.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Canonical names, one for each hop and the field's.
    pub(crate) names: Vec<String>,
    pub(crate) path: Path,
}

/// A sort key: of rows by a path, of groups by a position among their values.
#[derive(Clone, Debug)]
pub(crate) struct SortKey<P = Path> {
    pub(crate) path: P,
    pub(crate) descending: bool,
    pub(crate) nulls_last: bool,
}
