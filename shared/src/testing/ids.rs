//! Ids for tests.

use crate::kernel::EntityId;
use crate::salesforce::SalesforceId;

/// The id of the `number`th record with this key prefix: `00Q` for leads, `003` for contacts.
///
/// # Panics
/// When the prefix is none.
#[must_use]
#[expect(clippy::expect_used, reason = "a test may panic")]
pub fn record_id(prefix: &str, number: u64) -> SalesforceId {
    format!("{prefix}{number:012}").parse().expect("a record's id")
}

/// The id of an entity of the directory.
///
/// # Panics
/// When the text is none.
#[must_use]
#[expect(clippy::expect_used, reason = "a test may panic")]
pub fn entity_id(text: &str) -> EntityId {
    text.parse().expect("an entity's id")
}
