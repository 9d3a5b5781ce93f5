//! The parts that all choices of what is imported have in common.

use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::importing::{Selection, SelectionError, SelectionPart};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Who changed a choice, and when.
#[derive(Serialize, ToSchema)]
pub(crate) struct SelectionChange {
    at: Timestamp,
    /// Their seat, or the subject of their token; null for the back end.
    #[schema(required = true)]
    by: Option<String>,
}

impl SelectionChange {
    /// The changes of one part, the newest last.
    pub(super) fn of(chosen: &Selection, part: SelectionPart) -> Vec<Self> {
        let changes = chosen.changes.iter().filter(|change| change.set == part);
        changes.map(|change| Self { at: change.at, by: change.by.clone() }).collect()
    }
}

impl From<SelectionError> for Problem {
    fn from(error: SelectionError) -> Self {
        match error {
            SelectionError::NotFound(what) => Self::not_found(what),
            SelectionError::NotInspected => Self::conflict("not_checked", error.to_string()),
            SelectionError::Refused(_) => Self::invalid(error.to_string()),
            SelectionError::ChangedMeanwhile => {
                Self::conflict("changed_meanwhile", error.to_string())
            }
            SelectionError::Work(error) => error.into(),
        }
    }
}
