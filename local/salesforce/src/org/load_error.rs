//! Why an org cannot be loaded.

use crate::schema::{Field, SchemaError};
use crate::storage::ValueError;

/// Why an org cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file or folder.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not CSV.
    #[error("{path} is not well-formed CSV")]
    Csv {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// `org.json` is not what it should be.
    #[error("{path} is not a description of an org")]
    Json {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A column is neither a standard field nor a custom one.
    #[error("{place}: object {object} has no field `{column}`; a custom field's name ends in __c")]
    UnknownColumn {
        /// The file or request part.
        place: String,
        /// The object.
        object: String,
        /// The column.
        column: String,
    },
    /// A value does not fit its field.
    #[error("{place}: {object}.{field}: {problem}")]
    BadValue {
        /// The file and line.
        place: String,
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// The fault.
        problem: String,
    },
    /// Anything else that the message explains.
    #[error("{0}")]
    Invalid(String),
}

impl From<SchemaError> for LoadError {
    fn from(error: SchemaError) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// The fault of a value in a file.
pub(super) fn problem(field: &Field, error: &ValueError) -> String {
    match error {
        ValueError::WrongType { value } => {
            format!("`{}` is not a {}", shortened(value), field.kind.name())
        }
        ValueError::MalformedId { value } => {
            format!("`{}` is not an id of 15 or 18 characters", shortened(value))
        }
        ValueError::TooLong { max, value } => {
            format!("{} characters, but the field holds {max}", value.chars().count())
        }
    }
}

fn shortened(value: &str) -> String {
    value.chars().take(40).collect()
}
