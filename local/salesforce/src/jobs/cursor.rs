//! The cursor of a query whose answer has several pages.

use crate::ids::RecordId;
use crate::soql::{Found, Plan};

/// An open query: the rows as they were when it ran.
pub(crate) struct Cursor {
    pub(crate) org: RecordId,
    pub(crate) user: RecordId,
    pub(crate) plan: Plan,
    pub(crate) found: Vec<Found>,
    pub(crate) page: usize,
    pub(crate) expires: i64,
}
