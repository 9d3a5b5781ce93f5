//! Finding the CRM record that an activity is about.

use matching::EntityKind;

use super::ActivityTarget;
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::SObject;
use crate::salesforce::SalesforceId;
use crate::store::Store;
use crate::work::WorkError;

/// The record of an entity that is linked, with its lane but without a place in it. A contact goes
/// before a lead, and all that belongs to an account shares its lane.
pub(super) async fn find_target(
    store: &Store,
    opened: &OpenGeneration,
    kind: EntityKind,
    entity: &str,
) -> Result<Option<ActivityTarget>, WorkError> {
    let objects: &[SObject] = match kind {
        EntityKind::Person => &[SObject::Contact, SObject::Lead],
        EntityKind::Company => &[SObject::Account],
    };
    for &object in objects {
        let matches = store.read(&opened.keys.entity(object, entity)).await?;
        let Some(id) = matches.and_then(|matches| matches.matched) else { continue };
        let Some(row) = opened.records.one(object, &id).await? else { continue };
        let record = record_id(&id)?;
        let lane = row.fields.get("AccountId").map_or(Ok(record), record_id)?;
        return Ok(Some(ActivityTarget { object, record, lane, place: 0 }));
    }
    Ok(None)
}

fn record_id(text: &str) -> Result<SalesforceId, WorkError> {
    text.parse().map_err(|error| WorkError::reject("read a record's id", error))
}
